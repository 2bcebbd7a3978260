// A plot of fidelity against shapes, drawn anew at every width, so that its text keeps its size.
// Knows points { paths, psnr } in named series; nothing of drawings.

import { vector } from "./drawing.js";

const HEIGHT = 280; // px
const EDGE = { left: 46, right: 18, top: 30, bottom: 44 }; // px around the axes
const STEPS = [1, 2, 5, 10, 20, 50]; // dB between lines
const LINES = 6; // across, at most

/** The plot in `host`. onPick gets a number of shapes when somebody clicks. */
export class Plot {
  constructor(host, series, onPick) {
    this.host = host;
    this.series = series.filter((each) => each.points.length);
    this.at = null;
    const points = this.series.flatMap((each) => each.points);
    this.most = Math.max(2, ...points.map((point) => point.paths));
    const values = points.map((point) => point.psnr);
    [this.low, this.high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
    this.step = STEPS.find((step) => (this.high - this.low) / step <= LINES - 1) ?? STEPS.at(-1);
    this.low = Math.floor(this.low / this.step) * this.step;
    this.high = Math.max(this.low + this.step, Math.ceil(this.high / this.step) * this.step);
    host.addEventListener("click", (event) => onPick(this.shapesAt(event)));
    new ResizeObserver(() => this.draw()).observe(host);
  }

  /** Put the marker at a number of shapes. */
  mark(paths) {
    this.at = paths;
    this.draw();
  }

  x(paths) {
    return EDGE.left + (Math.log2(paths) / Math.log2(this.most)) * (this.width - EDGE.left - EDGE.right);
  }

  y(psnr) {
    const share = (psnr - this.low) / (this.high - this.low);
    return HEIGHT - EDGE.bottom - share * (HEIGHT - EDGE.top - EDGE.bottom);
  }

  shapesAt(event) {
    const box = this.host.getBoundingClientRect();
    const share = (event.clientX - box.left - EDGE.left) / (this.width - EDGE.left - EDGE.right);
    return Math.round(this.most ** Math.max(0, Math.min(1, share)));
  }

  draw() {
    this.width = this.host.clientWidth;
    if (this.width <= EDGE.left + EDGE.right) return;
    const size = { viewBox: `0 0 ${this.width} ${HEIGHT}`, width: this.width, height: HEIGHT, "aria-hidden": "true" };
    const parts = [...this.axes(), ...this.series.flatMap((each, index) => this.line(each, index)), ...this.marker()];
    this.host.replaceChildren(vector("svg", size, ...parts));
  }

  axes() {
    const parts = [];
    const [left, right, bottom] = [EDGE.left, this.width - EDGE.right, HEIGHT - EDGE.bottom];
    for (let value = this.low; value <= this.high; value += this.step) {
      const y = this.y(value);
      parts.push(vector("path", { d: `M${left} ${y}H${right}`, class: "grid" }));
      parts.push(vector("text", { x: left - 8, y: y + 4, class: "end" }, String(value)));
    }
    const every = (right - left) / Math.log2(this.most) < 34 ? 4 : 2;
    for (let paths = 1; paths <= this.most; paths *= every) {
      parts.push(vector("path", { d: `M${this.x(paths)} ${bottom}v5`, class: "grid" }));
      parts.push(vector("text", { x: this.x(paths), y: bottom + 19, class: "middle" }, String(paths)));
    }
    parts.push(vector("text", { x: right, y: HEIGHT - 6, class: "end" }, "shapes"));
    parts.push(vector("text", { x: 0, y: 14 }, "PSNR in dB"));
    return parts;
  }

  line(each, index) {
    const points = each.points.map((point) => [this.x(point.paths), this.y(point.psnr)]);
    const parts = [vector("path", { d: `M${points.map((point) => point.join(" ")).join("L")}`, class: `series-${index}` })];
    for (const [cx, cy] of points) parts.push(vector("circle", { cx, cy, r: 3, class: `series-${index}` }));
    return parts;
  }

  marker() {
    if (this.at === null) return [];
    const x = this.x(this.at);
    return [vector("path", { d: `M${x} ${EDGE.top}V${HEIGHT - EDGE.bottom}`, class: "marker" })];
  }
}

/** Return the PSNR at a number of shapes, between the nearest points that were measured; null without any. */
export function between(points, paths) {
  const after = points.findIndex((point) => point.paths >= paths);
  if (after <= 0) return after ? (points.at(-1)?.psnr ?? null) : points[0].psnr;
  const [a, b] = [points[after - 1], points[after]];
  const share = Math.log(paths / a.paths) / Math.log(b.paths / a.paths);
  return a.psnr + share * (b.psnr - a.psnr);
}
