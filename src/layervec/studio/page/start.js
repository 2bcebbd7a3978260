// Before there is a work: files that are dropped, pasted or chosen, and the list of works.

import { html } from "../viewer/drawing.js";
import { ask } from "./ask.js";

/** Call onFile for every file that is dropped anywhere, pasted, or chosen by the input. */
export function takeFiles(root, input, onFile) {
  let inside = 0;
  const over = (count) => {
    inside = Math.max(0, count);
    root.classList.toggle("over", inside > 0);
  };
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  root.addEventListener("dragenter", (event) => holdsFiles(event) && over(inside + 1));
  root.addEventListener("dragleave", (event) => holdsFiles(event) && over(inside - 1));
  root.addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  root.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    over(0);
    if (event.dataTransfer.files[0]) onFile(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (!file) return; // text, which belongs into a field
    event.preventDefault();
    onFile(file);
  });
  input.addEventListener("change", () => {
    if (input.files[0]) onFile(input.files[0]);
    input.value = "";
  });
}

/** Fill the list of works; onDelete is called with what went wrong, or null, after one was deleted. */
export async function listWorks(section, onDelete) {
  const works = await ask("works", { method: "GET" });
  section.hidden = !works.length;
  section.querySelector("ul").replaceChildren(...works.map((work) => entry(work, onDelete)));
}

function entry(work, onDelete) {
  const address = `works/${work.id}`;
  const shown = work.revision ? `${address}/thumbnail?${work.revision}` : "";
  const picture = html("img", { alt: "", loading: "lazy" });
  if (shown) picture.src = shown;
  const told = `${new Date(work.created * 1000).toLocaleDateString()}${work.revision ? "" : ", not drawn yet"}`;
  const link = html("a", { href: `#${work.id}` }, html("span", { className: "tile" }, picture),
    html("span", { className: "name", title: work.name }, work.name), html("span", { className: "quiet" }, told));
  const remove = html("button", { type: "button", title: "Delete", className: "remove" }, "×");
  remove.setAttribute("aria-label", `Delete ${work.name}`);
  const item = html("li", {}, link, remove);
  remove.addEventListener("click", async () => {
    // A second press confirms, as what is deleted here cannot be had back.
    if (!remove.classList.contains("sure")) {
      remove.classList.add("sure");
      remove.textContent = "Delete?";
      remove.addEventListener("blur", () => { remove.classList.remove("sure"); remove.textContent = "×"; }, { once: true });
      return;
    }
    try {
      await ask(address, { method: "DELETE" });
      item.remove();
      onDelete(null);
    } catch (error) {
      onDelete(error);
    }
  });
  return item;
}
