// Zoom of the sheet in its frame, which scrolls. Knows two elements and three buttons.

const STEPS = [1, 1.5, 2, 3, 4, 6, 8];

/** Buttons, and the wheel with Ctrl, change how large the sheet is; the place under the pointer stays where it is. */
export class Zoom {
  constructor(frame, sheet, { smaller, fit, larger }) {
    Object.assign(this, { frame, sheet, fit, smaller, larger, at: 1 });
    smaller.addEventListener("click", () => this.step(-1));
    larger.addEventListener("click", () => this.step(1));
    fit.addEventListener("click", () => this.to(1));
    frame.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.to(this.at * Math.exp(-event.deltaY / 300), event);
    }, { passive: false });
    this.to(1);
  }

  step(by) {
    const near = STEPS.findIndex((step) => step >= this.at - 0.01);
    this.to(STEPS[Math.max(0, Math.min(STEPS.length - 1, near + by))]);
  }

  to(scale, pointer) {
    const box = this.sheet.getBoundingClientRect();
    const frame = this.frame.getBoundingClientRect();
    const x = pointer?.clientX ?? frame.left + frame.width / 2;
    const y = pointer?.clientY ?? frame.top + frame.height / 2;
    const [across, down] = [(x - box.left) / (box.width || 1), (y - box.top) / (box.height || 1)];
    this.at = Math.max(1, Math.min(STEPS.at(-1), scale));
    this.sheet.style.setProperty("--zoom", String(this.at));
    const after = this.sheet.getBoundingClientRect();
    this.frame.scrollLeft += after.left + across * after.width - x;
    this.frame.scrollTop += after.top + down * after.height - y;
    const shown = `${Math.round(this.at * 100)} %`;
    this.fit.firstElementChild.textContent = shown;
    this.fit.setAttribute("aria-label", `${shown}, fit into the window`);
    this.smaller.disabled = this.at <= 1;
    this.larger.disabled = this.at >= STEPS.at(-1);
  }
}
