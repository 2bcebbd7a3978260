// The studio's page: finds its elements, by class and never by id (ids belong to the drawing), and ties them together.
// The part of the address behind # is the work that is open; without one, a new work can be begun.

import { theme, views, wipe } from "../viewer/controls.js";
import { ask, upload } from "./ask.js";
import { Brush } from "./brush.js";
import { Inspector } from "./inspector.js";
import { Selection } from "./selection.js";
import { chosen, rules, show } from "./settings.js";
import { listWorks, takeFiles } from "./start.js";
import { telling, Work } from "./work.js";
import { Zoom } from "./zoom.js";

const root = document.querySelector(".studio");
const find = (selector) => root.querySelector(selector);
const sheet = find(".sheet");
const form = find(".wishes form");
const page = { sheet, onMove: (place) => change((on) => on.edit({ do: "move", ...place })),
  slider: find(".slider"), list: find(".layers .list"), how: find(".how"),
  detail: document.querySelector("template.detail-parts") };
const selection = new Selection();
let work = null;

// What went wrong, or what holds.

const notice = find(".notice");
function say(sentence) {
  notice.firstElementChild.textContent = sentence;
  notice.hidden = !sentence;
}
notice.lastElementChild.addEventListener("click", () => say(""));

/** Do something that may fail, and tell of it where it does. */
async function attempt(act) {
  try {
    await act();
  } catch (error) {
    say(error.message);
  }
}

// Editing.

const change = (act) => attempt(async () => {
  say("");
  if (work && !work.busy) await act(work);
});
const inspector = new Inspector(find(".inspector"), selection, {
  edit: (wish, next) => change((on) => {
    on.next = next ?? null;
    return on.edit(wish);
  }),
  refit: (ids, paths) => change((on) => on.refit(ids, paths)),
});
const brush = new Brush(find(".mask"), { toggle: find(".paint"), panel: find(".brush") }, (mask, paths) =>
  change(async (on) => {
    await on.detail(mask, paths);
    brush.clear();
  }));
for (const which of ["undo", "redo"]) find(`.${which}`).addEventListener("click", () => change((on) => on.step(which)));
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input[type=text], input[type=number]");
  if (!work || typing || event.altKey) return;
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  const button = !command && key === "b" ? ".paint"
    : command && key === "z" ? (event.shiftKey ? ".redo" : ".undo")
      : command && key === "y" ? ".redo" : null;
  if (!button || find(button).disabled) return;
  event.preventDefault();
  find(button).click();
});

// Looking.

views(sheet, [...root.querySelectorAll(".views input")]);
wipe(sheet, find(".wipe"));
theme(find(".theme"));
new Zoom(find(".frame"), sheet, { smaller: find(".zooms .out"), fit: find(".zooms .fit"), larger: find(".zooms .in") });
find(".reset").addEventListener("click", () => work?.drawing?.reset());

// Drawing.

rules(form);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  change((on) => on.draw(chosen(form)));
});
find(".cancel").addEventListener("click", () => attempt(() => work.cancel()));

/** Upload a file, go to the work that it has become, and draw it where it is a picture. */
function take(file) {
  return attempt(async () => {
    say("");
    root.classList.add("uploading");
    try {
      const { id } = await upload("works", file);
      const fresh = !/\.svg$/i.test(file.name) && file.type !== "image/svg+xml";
      if (fresh) await ask(`works/${id}/draw`, { json: chosen(form) });
      location.hash = id;
    } finally {
      root.classList.remove("uploading");
    }
  });
}
takeFiles(root, find(".drop input"), take);
find(".lacking input").addEventListener("change", (event) => attempt(async () => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) await upload(work.at("picture"), file);
}));

// Showing a work's state.

/** Ask for the picture once it was drawn: while its first drawing is made, decoding it as well would only delay that. */
function showPicture() {
  const img = find(".before img");
  const there = Boolean(work?.state?.revision && work.state.picture);
  if (there && !img.getAttribute("src")) img.src = work.at("picture");
  const compare = find('.views [value="compare"]');
  compare.disabled = !there;
  if (!there && compare.checked) find('.views [value="drawing"]').click();
}

function onState() {
  const { name, picture, running, undo, redo, message, revision } = work.state;
  document.title = `${name} · layervec studio`;
  find("h1").textContent = name;
  root.classList.toggle("has-drawing", Boolean(work.drawing));
  root.classList.toggle("has-picture", Boolean(picture));
  root.dataset.running = running ? running.job : "";
  root.dataset.revision = revision;
  for (const [which, what] of [["undo", undo], ["redo", redo]]) {
    const button = find(`.${which}`);
    button.disabled = Boolean(running) || !what;
    const label = `${which === "undo" ? "Undo" : "Redo"}${what ? `: ${what}` : ""}`;
    button.setAttribute("aria-label", label);
    button.title = `${label} (${which === "undo" ? "Ctrl+Z" : "Ctrl+Shift+Z"})`;
  }
  for (const link of root.querySelectorAll(".saving a")) {
    if (revision) link.href = work.at(`drawing.${link.dataset.kind}`);
    else link.removeAttribute("href");
  }
  find(".lacking").hidden = Boolean(picture) || !revision;
  find(".draw").disabled = Boolean(running) || !picture;
  find(".draw").textContent = revision ? "Draw again" : "Draw";
  find(".paint").disabled = Boolean(running) || !picture || !revision;
  if (find(".paint").disabled) brush.on(false);
  showPicture();
  inspector.enable(!running && Boolean(revision), Boolean(picture));
  progress(running);
  if (message) say(message);
  if (picture && !work.drawing) blank(picture);
}

/** Before there is a drawing, the picture stands in its place. */
function blank({ width, height }) {
  sheet.style.setProperty("--ratio", String(width / height));
}

function progress(running) {
  const panel = find(".progress");
  panel.hidden = !running;
  if (!running) return;
  const bar = panel.querySelector("progress");
  if (running.done === undefined) bar.removeAttribute("value");
  else bar.value = running.done;
  const [doing, facts] = telling(running);
  const said = panel.querySelector(".doing");
  if (said.textContent !== doing) said.textContent = doing; // heard once a stage, not at every step
  panel.querySelector(".facts").textContent = facts;
}

function onDrawing() {
  root.classList.add("has-drawing");
  brush.fit(...work.size);
  const { drawing } = work;
  const layers = drawing.layers.length;
  find(".figures").textContent = `${layers} ${layers === 1 ? "layer" : "layers"}, ${work.kib.toFixed(work.kib < 10 ? 1 : 0)} KiB`;
  const reset = find(".reset");
  const mark = () => { reset.disabled = !drawing.hidden.size && !drawing.solo; };
  drawing.addEventListener("change", mark);
  mark();
}

// Going from work to work.

function open(id) {
  work?.close();
  work = null;
  selection.drawing = null;
  selection.clear();
  brush.on(false);
  say("");
  for (const old of sheet.querySelectorAll(":scope > svg")) old.remove();
  for (const part of [page.slider, page.list]) part.replaceChildren();
  for (const part of page.how.querySelectorAll("div")) part.replaceChildren();
  page.how.hidden = true;
  find(".before img").removeAttribute("src");
  root.classList.remove("has-drawing", "has-picture");
  root.dataset.at = id ? "work" : "start";
  root.dataset.running = "";
  if (!id) return start();
  work = new Work(id, page, selection);
  let [first, busy] = [true, false];
  work.addEventListener("state", () => {
    const { settings, revision } = work.state;
    if (first) show(form, settings);
    // Whoever has no drawing needs the settings, whoever has one needs the room.
    if (first || (busy && !work.busy)) find(".wishes").open = !revision && !work.busy;
    // A picture named when the studio was started comes undrawn.
    if (first && !revision && !work.busy && work.state.picture && !("quality" in settings)) change((on) => on.draw(chosen(form)));
    if (busy && !work.busy) document.querySelector(".said").textContent = revision ? "Done" : "Ended without a drawing";
    [first, busy] = [false, work.busy];
    onState();
  });
  work.addEventListener("drawing", onDrawing);
  work.addEventListener("lost", () => attempt(async () => {
    await ask("about", { method: "GET" }); // tells where the studio has stopped, or was started again
    location.hash = "";
    setTimeout(() => say("There is no such work; it may have been deleted."));
  }));
}

function start() {
  document.title = "layervec studio";
  find("h1").textContent = "New drawing";
  find(".wishes").open = true;
  find(".lacking").hidden = true;
  attempt(() => listWorks(find(".works"), (error) => say(error?.message ?? "")));
}

const opened = () => open(/^#[0-9a-f]{16}$/.test(location.hash) ? location.hash.slice(1) : "");
window.addEventListener("hashchange", opened);
find(".home").addEventListener("click", () => { location.hash = ""; });
attempt(async () => {
  const { offered } = await ask("about", { method: "GET" });
  for (const each of root.querySelectorAll(".offered-sam")) each.hidden = !offered.includes("sam");
});
opened();
root.dataset.ready = "";
