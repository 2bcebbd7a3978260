// The report's page: finds its elements, by class and never by id (ids belong to the drawing), and ties them together.

import { Detail, theme, views, wipe } from "./controls.js";
import { Drawing } from "./drawing.js";
import { between, Plot } from "./plot.js";
import { LayerTree } from "./tree.js";

const page = document.querySelector(".report");
const find = (selector) => page.querySelector(selector);
const facts = JSON.parse(document.querySelector("script.facts").textContent);

const sheet = find(".sheet");
const drawing = new Drawing(sheet.querySelector("svg"));
sheet.style.setProperty("--ratio", String(facts.width / facts.height));
drawing.svg.setAttribute("role", "img");
drawing.svg.setAttribute("aria-label", `Drawing of ${facts.title}`);

const measured = facts.series[0].points;
const fidelity = (shapes) => {
  const psnr = between(measured, shapes);
  return psnr === null ? "" : `${measured.some((point) => point.paths === shapes) ? "" : "about "}${psnr.toFixed(1)} dB`;
};
new Detail(drawing, { slider: find(".detail input"), output: find(".detail output"), play: find(".play") }, fidelity);
views(sheet, [...page.querySelectorAll(".views input")]);
wipe(sheet, find(".wipe"));
new LayerTree(drawing, find(".layers ul"));

const reset = find(".reset");
reset.addEventListener("click", () => drawing.reset());
drawing.addEventListener("change", () => {
  reset.disabled = !drawing.hidden.size && !drawing.solo;
});

const plot = new Plot(find(".plot"), facts.series, (shapes) => drawing.detail(shapes));
plot.mark(drawing.shown);
drawing.addEventListener("change", () => plot.mark(drawing.shown));

// Every small picture opens large; Escape or a click closes it, as dialogues do.
const dialog = find("dialog");
for (const button of page.querySelectorAll("button.enlarge")) {
  button.addEventListener("click", () => {
    dialog.querySelector("img").src = button.querySelector("img").src;
    dialog.querySelector("img").alt = button.querySelector("img").alt;
    dialog.querySelector("p").textContent = button.closest("figure").querySelector("figcaption").textContent;
    dialog.showModal();
  });
}
dialog.addEventListener("click", () => dialog.close());

theme(find(".theme"));

page.dataset.ready = "";
