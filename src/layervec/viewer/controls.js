// The controls beside a drawing: how much detail, which view, and the wipe between picture and drawing.
// Talks to a Drawing and to elements that it is given; knows nothing of the page around them.

const PLAY_SECONDS = 5; // from one shape to all of them

/** Tie a range input, its text and a button that plays through all ranks to a drawing. */
export class Detail {
  constructor(drawing, { slider, output, play }, fidelity) {
    this.drawing = drawing;
    this.slider = slider;
    this.output = output;
    this.play = play;
    this.fidelity = fidelity;
    this.frame = 0;
    slider.min = 1;
    slider.max = drawing.shapes.length;
    slider.value = drawing.shown;
    slider.addEventListener("input", () => {
      this.stop();
      drawing.detail(slider.valueAsNumber);
    });
    play.addEventListener("click", () => (this.frame ? this.stop() : this.start()));
    drawing.addEventListener("change", () => this.tell());
    this.tell();
  }

  tell() {
    const { shown, shapes } = this.drawing;
    this.slider.value = shown;
    const close = this.fidelity(shown);
    const text = `${shown} of ${shapes.length} shapes`;
    this.output.textContent = close ? `${text}, ${close}` : text;
    this.slider.setAttribute("aria-valuetext", this.output.textContent);
  }

  /** Go through all ranks, each doubling in the same time: the first shapes say most. */
  start() {
    const most = this.drawing.shapes.length;
    const begin = performance.now();
    const step = (now) => {
      const share = Math.max(0, Math.min(1, (now - begin) / (PLAY_SECONDS * 1000)));
      this.drawing.detail(Math.round(most ** share));
      if (share < 1) this.frame = requestAnimationFrame(step);
      else this.stop();
    };
    this.frame = requestAnimationFrame(step);
    this.play.setAttribute("aria-pressed", "true");
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.play.setAttribute("aria-pressed", "false");
  }
}

/** Tie radio inputs to a sheet: its `data-view` takes the value of the checked one. */
export function views(sheet, radios) {
  const choose = () => {
    sheet.dataset.view = radios.find((radio) => radio.checked)?.value ?? "drawing";
  };
  for (const radio of radios) radio.addEventListener("change", choose);
  choose();
}

/** Tie a range input over the sheet, 0 to 100, to where the picture ends and the drawing begins. */
export function wipe(sheet, slider) {
  const move = () => {
    sheet.style.setProperty("--wipe", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} % picture, the rest drawing`);
  };
  slider.addEventListener("input", move);
  move();
}

/** Tie a button to the page's colours: dark ones where they were light, and back. */
export function theme(button) {
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
}
