// The list of layers: a tree for pointer and keyboard, the front layer on top.
// Talks to a Drawing alone. Rows are made when their parent is opened, for a drawing may have thousands of layers.

import { html, layersIn, layerOf, thumbnail, vector } from "./drawing.js";

const EYE = "M1.5 8C3.5 4.6 5.6 3 8 3s4.5 1.6 6.5 5c-2 3.4-4.1 5-6.5 5S3.5 11.4 1.5 8Z";
const SLASH = "M2.5 13.5 13.5 2.5";
const TARGET = "M8 1v3M8 12v3M1 8h3M12 8h3";
const ROWS_AT_FIRST = 18;
const TWISTY = "m6 4 4 4-4 4";

/** The tree of one drawing's layers, put into `host`, a list. */
export class LayerTree {
  constructor(drawing, host) {
    this.drawing = drawing;
    this.host = host;
    this.rows = new Map(); // layer -> its list item
    host.setAttribute("role", "tree");
    this.fill(host, drawing.svg, 1);
    this.openFirst();
    host.querySelector("li")?.setAttribute("tabindex", "0");
    host.addEventListener("keydown", (event) => this.onKey(event));
    host.addEventListener("pointerleave", () => drawing.light(null));
    drawing.addEventListener("change", () => this.mark());
    drawing.addEventListener("light", () => this.markLit());
    drawing.svg.addEventListener("click", (event) => this.reveal(layerOf(event.target)));
    this.mark();
  }

  fill(list, parent, level) {
    for (const layer of layersIn(parent).reverse()) list.append(this.row(layer, level));
  }

  row(layer, level) {
    const name = layer.dataset.name;
    const places = [...layer.querySelectorAll("path")].map((shape) => this.drawing.places.get(shape));
    const shapes = places.length;
    const parts = layersIn(layer).length;
    const line = html(
      "div",
      { className: "row" },
      html("span", { className: "twisty" }, ...(parts ? [icon(TWISTY)] : [])),
      thumbnail(layer),
      html("span", { className: "name", title: name }, name),
      html("span", { className: "count", title: shapes === 1 ? "1 shape" : `${shapes} shapes` }, String(shapes)),
      this.button("solo", () => this.toggleSolo(layer)),
      this.button("eye", () => this.toggleHidden(layer)),
    );
    const item = html("li", { role: "treeitem", tabIndex: -1 }, line);
    item.setAttribute("aria-level", level);
    if (parts) {
      item.setAttribute("aria-expanded", "false");
      item.append(html("ul", { role: "group", hidden: true }));
    }
    line.addEventListener("pointerenter", () => this.drawing.light(layer));
    line.addEventListener("click", (event) => this.onClick(item, layer, event));
    item.addEventListener("focus", () => this.drawing.light(layer));
    item.addEventListener("blur", () => this.drawing.light(null));
    item.layer = layer;
    item.shapes = shapes;
    item.first = places.reduce((a, b) => Math.min(a, b), Infinity); // place by rank of its most important shape
    this.rows.set(layer, item);
    return item;
  }

  button(name, onPress) {
    const pressed = html("button", { type: "button", className: name, tabIndex: -1 });
    pressed.append(name === "eye" ? icon(EYE, SLASH) : icon(TARGET));
    pressed.firstChild.append(vector("circle", { cx: 8, cy: 8, r: name === "eye" ? 2 : 4 }));
    pressed.addEventListener("click", (event) => {
      event.stopPropagation();
      onPress();
    });
    return pressed;
  }

  toggleHidden(layer) {
    this.drawing.hide(layer, !this.drawing.hidden.has(layer));
  }

  toggleSolo(layer) {
    this.drawing.isolate(this.drawing.solo === layer ? null : layer);
  }

  /** Open or close a row; rows below it are made when it is first opened. */
  open(item, opened) {
    const list = item.querySelector(":scope > ul");
    if (!list) return;
    if (opened && !list.children.length) {
      this.fill(list, item.layer, Number(item.getAttribute("aria-level")) + 1);
      this.mark();
    }
    list.hidden = !opened;
    item.setAttribute("aria-expanded", String(opened));
    this.host.dispatchEvent(new Event("opened"));
  }

  /** Open rows from the top level down while the list stays short enough to take in. */
  openFirst() {
    for (const [layer, item] of this.rows) { // rows that are made on the way come up as well
      if (this.rows.size + layersIn(layer).length <= ROWS_AT_FIRST) this.open(item, true);
    }
  }

  /** Open all rows above a layer's and go there. */
  reveal(layer) {
    if (!layer) return;
    const above = layerOf(layer.parentNode);
    if (above) {
      this.reveal(above);
      this.open(this.rows.get(above), true);
    }
    this.select(this.rows.get(layer));
  }

  select(item) {
    for (const row of this.rows.values()) row.tabIndex = row === item ? 0 : -1;
    item.focus({ preventScroll: true });
    this.bring(item);
  }

  /** Scroll to a row: the list, not the page, as whoever clicked the drawing wants to go on seeing it. */
  bring(item) {
    const line = item.firstChild.getBoundingClientRect();
    const frame = this.host.getBoundingClientRect();
    if (line.top < frame.top) this.host.scrollTop -= frame.top - line.top;
    else if (line.bottom > frame.bottom) this.host.scrollTop += line.bottom - frame.bottom;
  }

  /** Go to a row; the arrow, or a second click, opens and closes it. */
  onClick(item, layer, event) {
    const again = item.tabIndex === 0 || event.target.closest(".twisty");
    this.select(item);
    this.drawing.light(layer);
    if (again) this.open(item, item.getAttribute("aria-expanded") === "false");
  }

  onKey(event) {
    const item = event.target.closest("li");
    if (!item || event.altKey || event.ctrlKey || event.metaKey) return;
    const seen = [...this.rows.values()].filter((row) => row.offsetParent);
    seen.sort((a, b) => (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
    const place = seen.indexOf(item);
    const expanded = item.getAttribute("aria-expanded");
    const moves = {
      ArrowDown: () => seen[place + 1],
      ArrowUp: () => seen[place - 1],
      Home: () => seen[0],
      End: () => seen.at(-1),
      ArrowRight: () => (expanded === "true" ? seen[place + 1] : void this.open(item, true)),
      ArrowLeft: () => (expanded === "true" ? void this.open(item, false) : item.parentNode.closest("li")),
      " ": () => void this.toggleHidden(item.layer),
      h: () => void this.toggleHidden(item.layer),
      s: () => void this.toggleSolo(item.layer),
    };
    if (!Object.hasOwn(moves, event.key)) return;
    event.preventDefault();
    const next = moves[event.key]();
    if (next) this.select(next);
  }

  /** Show in every row whether its layer is hidden, alone or not drawn yet. */
  mark() {
    const { hidden, solo, shown } = this.drawing;
    for (const [layer, item] of this.rows) {
      const off = hidden.has(layer);
      const alone = solo === layer;
      const empty = item.first >= shown;
      item.classList.toggle("off", off);
      item.classList.toggle("alone", alone);
      item.classList.toggle("empty", empty);
      const states = [item.shapes === 1 ? "1 shape" : `${item.shapes} shapes`];
      if (off) states.push("hidden");
      if (alone) states.push("alone");
      if (empty) states.push("not drawn at this detail");
      item.setAttribute("aria-label", [layer.dataset.name, ...states].join(", "));
      name(item.querySelector(".eye"), `${off ? "Show" : "Hide"} ${layer.dataset.name}`, off);
      name(item.querySelector(".solo"), `Show ${alone ? "all layers" : `${layer.dataset.name} alone`}`, alone);
    }
  }

  /** Mark the row of the lit layer, or of the nearest one around it that is on view. */
  markLit() {
    let layer = this.drawing.lit;
    while (layer && !this.rows.get(layer)?.offsetParent) layer = layerOf(layer.parentNode);
    for (const [each, item] of this.rows) item.classList.toggle("lit", each === layer);
  }
}

function name(button, label, pressed) {
  button.setAttribute("aria-label", label);
  button.setAttribute("aria-pressed", String(pressed));
  button.title = label;
}

function icon(...paths) {
  return vector(
    "svg",
    { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" },
    ...paths.map((data) => vector("path", { d: data })),
  );
}
