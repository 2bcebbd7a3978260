// The drawing on the page: which of its shapes show, and which layer is lit.
// Knows the SVG's own elements (g[data-name], path[data-rank]) and nothing of the controls around it.

const SVG = "http://www.w3.org/2000/svg";
const PAINTED = ["d", "fill", "fill-opacity", "fill-rule"]; // all that a shape of ours looks like

/** Return an SVG element with these attributes and children. */
export function vector(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Return an HTML element with these properties and children; text never becomes markup. */
export function html(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** One layered SVG. Fires "change" when other shapes show, "light" when another layer is lit. */
export class Drawing extends EventTarget {
  constructor(svg) {
    super();
    this.svg = svg;
    this.layers = [...svg.querySelectorAll("g[data-name]")];
    this.shapes = [...svg.querySelectorAll("path[data-rank]")].sort((a, b) => rank(a) - rank(b));
    this.places = new Map(this.shapes.map((shape, index) => [shape, index]));
    this.shown = this.shapes.length;
    this.hidden = new Set();
    this.solo = null;
    this.lit = null;
    this.overlay = vector("svg", { viewBox: svg.getAttribute("viewBox"), class: "overlay", "aria-hidden": "true" });
    svg.after(this.overlay);
    svg.addEventListener("pointermove", (event) => this.light(layerOf(event.target)));
    svg.addEventListener("pointerleave", () => this.light(null));
  }

  /** Show the first `count` shapes by rank. */
  detail(count) {
    this.shown = Math.max(1, Math.min(count, this.shapes.length));
    this.refresh();
  }

  /** Hide a layer with all that it holds, or show it again. */
  hide(layer, hidden) {
    if (hidden) this.hidden.add(layer);
    else this.hidden.delete(layer);
    this.refresh();
  }

  /** Show one layer alone; null shows the rest again. */
  isolate(layer) {
    this.solo = layer;
    this.refresh();
  }

  /** Show every layer again. */
  reset() {
    this.hidden.clear();
    this.isolate(null);
  }

  /** Draw a line around a layer; null around none. */
  light(layer) {
    if (layer === this.lit) return;
    this.lit = layer;
    this.overlay.replaceChildren(...(layer ? halo(layer) : []));
    this.dispatchEvent(new Event("light"));
  }

  /** Give every shape its visibility. Hidden ones keep their place, so that boxes can still be measured. */
  refresh() {
    for (const [index, shape] of this.shapes.entries()) {
      shape.classList.toggle("unseen", index >= this.shown || !this.allows(shape));
    }
    this.dispatchEvent(new Event("change"));
  }

  allows(shape) {
    let alone = this.solo === null;
    for (let layer = layerOf(shape); layer; layer = layerOf(layer.parentNode)) {
      if (this.hidden.has(layer)) return false;
      alone ||= layer === this.solo;
    }
    return alone;
  }
}

/** Return the innermost layer around an element, itself included, or null. */
export function layerOf(element) {
  return element instanceof Element ? element.closest("g[data-name]") : null;
}

/** Return the layers right inside a layer or the whole SVG, back to front. */
export function layersIn(element) {
  return [...element.children].filter((child) => child.matches("g[data-name]"));
}

/** Return a small picture of one layer, framed by its own box. */
export function thumbnail(layer) {
  const box = layer.getBBox();
  const side = Math.max(box.width, box.height, 1);
  const view = [box.x + (box.width - side) / 2, box.y + (box.height - side) / 2, side, side];
  const copies = [...layer.querySelectorAll("path")].map((path) => {
    const seen = PAINTED.filter((key) => path.hasAttribute(key)); // without the id, the rank and what hides it
    return vector("path", Object.fromEntries(seen.map((key) => [key, path.getAttribute(key)])));
  });
  return vector("svg", { viewBox: view.join(" "), class: "thumbnail", "aria-hidden": "true" }, ...copies);
}

/** Return outlines of a shape, or of a layer's own shapes (all in it where it has none): a dark line on a light one. */
export function halo(element) {
  const own = element.matches("path") ? [element] : [...element.children].filter((child) => child.matches("path"));
  const paths = own.length ? own : [...element.querySelectorAll("path")];
  const data = paths.map((path) => path.getAttribute("d")).join("");
  return ["halo", "line"].map((name) => vector("path", { d: data, class: name }));
}

function rank(shape) {
  return Number(shape.dataset.rank);
}
