// The panel that changes what is selected: name, colour, order, and how many shapes it may have. Keys do the same.
// Knows the selection and what edits are called; sends them by `act`, which it is given.

import { layerOf } from "../viewer/drawing.js";
import { places } from "./drag.js";

const FIELDS = "input, select, textarea"; // which have their own keys

/** The inspector. act: { edit(wish, next), refit(ids, paths) }; both return promises.
 *  next: ids to be selected afterwards, "new" for the layers that the edit makes. */
export class Inspector {
  constructor(panel, selection, act) {
    this.panel = panel;
    this.selection = selection;
    this.act = act;
    this.enabled = false;
    const find = (selector) => panel.querySelector(selector);
    this.title = find("h2");
    this.hint = find(".hint");
    this.form = find("form");
    [this.name, this.colour, this.paths] = [".name input", ".colour input", ".budget input"].map(find);
    this.buttons = Object.fromEntries(
      ["forward", "backward", "up", "merge", "split", "delete", "refit"].map((name) => [name, find(`.${name}`)]),
    );
    selection.addEventListener("change", () => this.show());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.rename();
    });
    this.name.addEventListener("change", () => this.rename());
    this.name.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.name.value = this.selection.elements[0]?.dataset.name ?? ""; // before it is left, which would rename
      this.name.blur();
    });
    this.colour.addEventListener("input", () => this.preview());
    this.colour.addEventListener("change", () => this.recolour());
    const { forward, backward, up, merge, split, delete: remove, refit } = this.buttons;
    forward.addEventListener("click", () => this.shift(1));
    backward.addEventListener("click", () => this.shift(-1));
    up.addEventListener("click", () => this.leave());
    merge.addEventListener("click", () => this.merge());
    split.addEventListener("click", () => this.split());
    remove.addEventListener("click", () => this.delete());
    refit.addEventListener("click", () => this.refit());
    document.addEventListener("keydown", (event) => this.onKey(event));
    this.show();
  }

  /** Allow changes, or not while something is being drawn. canRefit: there is a picture to fit to. */
  enable(yes, canRefit) {
    this.enabled = yes;
    this.canRefit = canRefit;
    this.show();
  }

  show() {
    const chosen = this.selection.elements;
    const [first] = chosen;
    this.form.hidden = !chosen.length;
    this.hint.hidden = chosen.length > 0;
    const shapes = new Set(chosen.flatMap((element) => paths(element))).size;
    const single = chosen.length === 1;
    const isLayer = single && first.matches("g");
    this.title.textContent = !chosen.length ? "Nothing selected" : told(chosen, shapes);
    if (!chosen.length) return;
    this.name.closest("label").hidden = !isLayer && single;
    this.colour.closest("label").hidden = !single;
    if (document.activeElement !== this.name) this.name.value = isLayer ? first.dataset.name : chosen.map(nameOf).join(" and ").slice(0, 200);
    if (single) this.colour.value = colourOf(first);
    if (document.activeElement !== this.paths) this.paths.value = Math.max(1, shapes);
    for (const field of [this.name, this.colour, this.paths, ...Object.values(this.buttons)]) field.disabled = !this.enabled;
    const { forward, backward, up, merge, split, refit } = this.buttons;
    forward.disabled ||= !single || !first.nextElementSibling;
    backward.disabled ||= !single || !isItem(first.previousElementSibling);
    up.disabled ||= !single || !layerOf(first.parentNode);
    merge.disabled ||= single;
    split.disabled ||= !single;
    refit.disabled ||= !this.canRefit;
    refit.title = this.canRefit ? "Fit this part alone, with so many shapes" : "Needs the picture; add it below";
  }

  rename() {
    const [first] = this.selection.elements;
    const name = this.name.value.trim();
    if (this.selection.ids.size !== 1 || !first?.matches("g") || !name || name === first.dataset.name) return;
    this.act.edit({ do: "rename", id: first.id, name });
  }

  /** Show a shape's colour while it is being chosen. */
  preview() {
    const [first] = this.selection.elements;
    if (first?.matches("path")) first.setAttribute("fill", this.colour.value);
  }

  recolour() {
    const [id] = this.selection.ids;
    this.act.edit({ do: "recolour", id, colour: this.colour.value });
  }

  /** Move one step to the front (1) or to the back (-1) among its siblings. */
  shift(by) {
    const [first] = this.selection.elements;
    const index = places(first.parentNode).indexOf(first) + by;
    if (index < 0 || index >= places(first.parentNode).length) return;
    this.act.edit({ do: "move", id: first.id, parent: layerOf(first.parentNode)?.id ?? "", index });
  }

  /** Move out of the layer around it, right in front of that. */
  leave() {
    const [first] = this.selection.elements;
    const around = layerOf(first.parentNode);
    if (!around) return;
    const index = places(around.parentNode).indexOf(around) + 1;
    this.act.edit({ do: "move", id: first.id, parent: layerOf(around.parentNode)?.id ?? "", index });
  }

  merge() {
    const name = this.name.value.trim() || "merged";
    this.act.edit({ do: "merge", ids: [...this.selection.ids], name }, "new");
  }

  split() {
    const [first] = this.selection.elements;
    const parts = first.matches("g") ? places(first).map((part) => part.id) : [first.id];
    this.act.edit({ do: "split", id: first.id }, parts);
  }

  delete() {
    const next = neighbour(this.selection.elements);
    this.act.edit({ do: "delete", ids: [...this.selection.ids] }, next ? [next] : []);
  }

  refit() {
    this.act.refit([...this.selection.ids], this.paths.valueAsNumber || 1);
  }

  onKey(event) {
    if (!this.enabled || !this.selection.ids.size || event.target.closest?.(FIELDS)) return;
    const command = event.ctrlKey || event.metaKey;
    const { forward, backward, up, merge, split } = this.buttons;
    const press = (button) => button.disabled || button.click();
    const acts = {
      Delete: () => this.delete(),
      Backspace: () => this.delete(),
      F2: () => this.name.select(),
      Escape: () => this.selection.clear(),
      ...(event.altKey && { ArrowUp: () => press(forward), ArrowDown: () => press(backward), ArrowLeft: () => press(up) }),
      ...(command && { g: () => press(event.shiftKey ? split : merge), G: () => press(split) }),
    };
    if (!Object.hasOwn(acts, event.key)) return;
    event.preventDefault();
    acts[event.key]();
  }
}

function told(chosen, shapes) {
  const count = shapes === 1 ? "1 shape" : `${shapes} shapes`;
  if (chosen.length > 1) return `${chosen.length} selected, ${count}`;
  return chosen[0].matches("g") ? `Layer, ${count}` : `Shape of ${nameOf(layerOf(chosen[0]))}`;
}

function nameOf(element) {
  return element?.dataset.name ?? (element?.matches("path") ? "shape" : "the drawing");
}

function paths(element) {
  return element.matches("path") ? [element] : [...element.querySelectorAll("path")];
}

/** Return the colour of a shape, or of the layer's most important one, #rrggbb. */
function colourOf(element) {
  const [path] = paths(element).sort((a, b) => a.dataset.rank - b.dataset.rank);
  const fill = path?.getAttribute("fill") ?? "#000000";
  const link = /^url\(#(.+)\)$/.exec(fill);
  if (!link) return fill;
  const gradient = element.ownerSVGElement.querySelector(`#${CSS.escape(link[1])}`);
  return gradient?.querySelector("stop")?.getAttribute("stop-color") ?? "#000000";
}

function isItem(element) {
  return Boolean(element?.matches("g[data-name], path[data-rank]"));
}

/** Return the id of what should be selected once these are gone. */
function neighbour(elements) {
  const first = elements.at(-1);
  const beside = [first.nextElementSibling, elements[0].previousElementSibling, layerOf(first.parentNode)];
  return beside.find((element) => isItem(element) && element.matches("g"))?.id ?? null;
}
