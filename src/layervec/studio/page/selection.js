// What is selected: ids of layers, or of shapes, kept while drawings come and go. Ties itself to a Drawing and its tree.

import { halo, layerOf, vector } from "../viewer/drawing.js";

/** Ids that are selected; fires "change". */
export class Selection extends EventTarget {
  constructor() {
    super();
    this.ids = new Set();
    this.drawing = null;
    this.tree = null;
  }

  /** The selected elements, front and back as the drawing has them. */
  get elements() {
    if (!this.drawing) return [];
    return [...this.drawing.svg.querySelectorAll("[id]")].filter((element) => this.ids.has(element.id));
  }

  /** Follow another drawing; what it does not have is no longer selected. */
  follow(drawing, tree) {
    this.drawing = drawing;
    this.tree = tree;
    this.outline = vector("svg", { viewBox: drawing.svg.getAttribute("viewBox"), class: "overlay chosen", "aria-hidden": "true" });
    drawing.svg.after(this.outline);
    tree.host.setAttribute("aria-multiselectable", "true");
    let pointing = false; // then a click decides, not the focus that it brings
    let extending = false;
    for (const target of [drawing.svg, tree.host]) {
      target.addEventListener("pointerdown", () => { pointing = true; }, true);
      target.addEventListener("click", (event) => { pointing = false; this.click(event); });
    }
    tree.host.addEventListener("keydown", (event) => { [pointing, extending] = [false, event.shiftKey]; }, true);
    tree.host.addEventListener("focusin", (event) => {
      const item = event.target.closest("li");
      if (!pointing && item) this.choose([item.layer.id], extending);
    });
    tree.host.addEventListener("opened", () => this.mark());
    this.set(new Set(this.elements.map((element) => element.id)));
  }

  click(event) {
    const item = event.target.closest?.("li");
    const layer = item ? item.layer : layerOf(event.target);
    if (!layer || event.target.closest("button")) return;
    const adds = event.shiftKey || event.ctrlKey || event.metaKey;
    const shape = !item && event.target.closest("path");
    // On the drawing a click goes as deep as a layer, the next one there to the shape, and one more back.
    const deeper = shape && !adds && this.ids.size === 1 && this.ids.has(layer.id);
    this.choose([deeper ? shape.id : layer.id], adds);
  }

  choose(ids, adds = false) {
    const chosen = new Set(adds ? this.ids : []);
    for (const id of ids) {
      if (adds && chosen.has(id) && ids.length === 1 && chosen.size > 1) chosen.delete(id);
      else chosen.add(id);
    }
    this.set(chosen);
  }

  clear() {
    this.set(new Set());
  }

  set(ids) {
    this.ids = ids;
    this.mark();
    this.dispatchEvent(new Event("change"));
    const row = this.tree?.host.querySelector("li.chosen");
    if (row?.offsetParent) this.tree.bring(row); // the panel above has grown or shrunk
  }

  /** Show what is selected, in the tree and around the drawing's parts. */
  mark() {
    if (!this.drawing) return;
    this.outline.replaceChildren(...this.elements.flatMap((element) => halo(element)));
    for (const [layer, item] of this.tree.rows) {
      const chosen = this.ids.has(layer.id);
      item.classList.toggle("chosen", chosen);
      item.setAttribute("aria-selected", String(chosen));
    }
  }
}
