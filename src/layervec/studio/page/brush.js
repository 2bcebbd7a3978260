// The brush: paints, over the drawing, where detail is missing. Knows a canvas and its controls, no drawing.

const LONGEST = 1024; // px of the mask
const INK = "#4348c9";

/** Strokes on a canvas over the sheet. onAdd gets the mask, white on transparent, as a PNG, and a number of shapes. */
export class Brush {
  constructor(canvas, { toggle, panel }, onAdd) {
    this.canvas = canvas;
    this.toggle = toggle;
    this.panel = panel;
    this.pen = canvas.getContext("2d");
    this.empty = true;
    const find = (selector) => panel.querySelector(selector);
    [this.radius, this.paths, this.add, this.wipe] = [".radius", ".paths", ".add", ".clear"].map(find);
    toggle.addEventListener("click", () => this.on(toggle.getAttribute("aria-pressed") === "false"));
    this.wipe.addEventListener("click", () => this.clear());
    this.add.addEventListener("click", () => canvas.toBlob((mask) => onAdd(mask, this.paths.valueAsNumber || 16)));
    canvas.addEventListener("pointerdown", (event) => this.start(event));
    canvas.addEventListener("pointermove", (event) => canvas.hasPointerCapture(event.pointerId) && this.stroke(event));
  }

  /** Give the canvas the proportions of a drawing. */
  fit(width, height) {
    const scale = LONGEST / Math.max(width, height);
    const size = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
    if (size[0] === this.canvas.width && size[1] === this.canvas.height) return;
    [this.canvas.width, this.canvas.height] = size;
    this.clear();
  }

  /** Take up the brush, or lay it down. */
  on(yes) {
    this.toggle.setAttribute("aria-pressed", String(yes));
    this.canvas.hidden = this.panel.hidden = !yes;
    if (!yes) this.clear();
  }

  clear() {
    this.pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.say(true);
  }

  say(empty) {
    this.empty = empty;
    this.add.disabled = this.wipe.disabled = empty;
  }

  start(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.place(event);
    this.stroke(event);
  }

  stroke(event) {
    const place = this.place(event);
    Object.assign(this.pen, { lineCap: "round", lineJoin: "round", strokeStyle: INK, lineWidth: 2 * this.radius.valueAsNumber });
    this.pen.beginPath();
    this.pen.moveTo(...this.last);
    this.pen.lineTo(...place);
    this.pen.stroke();
    this.last = place;
    this.say(false);
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.canvas.width, ((event.clientY - box.top) / box.height) * this.canvas.height];
  }
}
