// One work: the news of it, its drawing on the sheet with tree and detail, and what is asked of the server about it.

import { Detail } from "../viewer/controls.js";
import { Drawing, html } from "../viewer/drawing.js";
import { LayerTree } from "../viewer/tree.js";
import { ask } from "./ask.js";
import { dragRows } from "./drag.js";

const ROUNDS = "round ";

/** Follows a work and shows it. Fires "state" with each state of it, "lost" where the server has gone. */
export class Work extends EventTarget {
  constructor(id, page, selection) {
    super();
    this.id = id;
    this.page = page;
    this.selection = selection;
    this.state = null;
    this.drawing = null;
    this.tree = null;
    this.next = null; // ids to be selected in the next drawing, "new" for the layers that only it has
    this.present = null; // number of the revision on the sheet, null for a draft
    this.look = () => this.follow(document.visibilityState === "visible");
    document.addEventListener("visibilitychange", this.look);
    this.look();
  }

  /** Listen to news, or not while nobody sees them: browsers keep few connections open to one server. */
  follow(yes) {
    this.news?.close();
    if (!yes) return;
    const news = new EventSource(this.at("events"));
    const on = (kind, act) => news.addEventListener(kind, (event) => news === this.news && act(JSON.parse(event.data)));
    on("state", (state) => this.onState(state));
    on("drawing", (drawing) => this.onDrawing(drawing));
    on("levels", ({ pictures }) => this.gallery(".levels", pictures, "simplified"));
    on("cuts", ({ pictures }) => this.gallery(".cuts", pictures, "regions"));
    news.addEventListener("error", () => {
      if (news === this.news && news.readyState === EventSource.CLOSED) this.dispatchEvent(new Event("lost"));
    });
    this.news = news;
  }

  at(what) {
    return `works/${this.id}/${what}`;
  }

  close() {
    document.removeEventListener("visibilitychange", this.look);
    this.news?.close();
    this.news = null;
  }

  get busy() {
    return Boolean(this.state?.running);
  }

  onState(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  /** Put another drawing on the sheet. What was hidden, open, selected and focused stays so where it still exists. */
  onDrawing({ svg, revision, draft }) {
    if (!draft && revision === this.present) return; // told once more after a lost connection
    this.present = draft ? null : revision;
    const before = this.memory();
    const sheet = this.page.sheet;
    const root = parsed(svg);
    for (const old of sheet.querySelectorAll(":scope > svg")) old.remove();
    sheet.prepend(root);
    const [, , width, height] = root.getAttribute("viewBox").split(" ").map(Number);
    sheet.style.setProperty("--ratio", String(width / height));
    sheet.dataset.revision = revision;
    sheet.dataset.draft = draft;
    root.setAttribute("role", "img");
    root.setAttribute("aria-label", `Drawing of ${this.state?.name ?? "a picture"}`);
    this.drawing = new Drawing(root);
    const parts = this.page.detail.content.cloneNode(true).firstElementChild;
    this.page.slider.replaceChildren(parts);
    const find = (selector) => parts.querySelector(selector);
    new Detail(this.drawing, { slider: find("input"), output: find("output"), play: find(".play") }, () => "");
    const list = html("ul", { "aria-label": "Layers, front to back" });
    this.page.list.replaceChildren(list);
    this.tree = new LayerTree(this.drawing, list);
    this.restore(before);
    this.selection.follow(this.drawing, this.tree);
    if (!draft && this.next) {
      const fresh = this.drawing.layers.map((layer) => layer.id).filter((id) => !before?.layers.has(id));
      this.selection.choose(this.next === "new" ? fresh : this.next);
      this.next = null;
    }
    dragRows(this.tree, () => !this.busy, (place) => this.page.onMove(place));
    this.size = [width, height];
    this.kib = svg.length / 1024;
    this.dispatchEvent(new Event("drawing"));
  }

  memory() {
    if (!this.tree) return null;
    const rows = [...this.tree.rows];
    return {
      layers: new Set(this.drawing.layers.map((layer) => layer.id)),
      hidden: [...this.drawing.hidden].map((layer) => layer.id),
      solo: this.drawing.solo?.id,
      shown: this.drawing.shown < this.drawing.shapes.length ? this.drawing.shown : Infinity,
      open: new Map(rows.map(([layer, item]) => [layer.id, item.getAttribute("aria-expanded") === "true"])),
      focus: this.tree.host.contains(document.activeElement) ? document.activeElement.closest("li")?.layer.id : null,
      scroll: this.tree.host.scrollTop,
    };
  }

  restore(before) {
    if (!before) return;
    const layers = new Map(this.drawing.layers.map((layer) => [layer.id, layer]));
    for (const id of before.hidden) if (layers.has(id)) this.drawing.hidden.add(layers.get(id));
    this.drawing.solo = layers.get(before.solo) ?? null;
    for (const [layer, item] of this.tree.rows) { // rows that are made on the way come up as well
      if (before.open.has(layer.id)) this.tree.open(item, before.open.get(layer.id));
    }
    this.drawing.detail(before.shown);
    this.tree.host.scrollTop = before.scroll;
    const row = before.focus && this.tree.rows.get(layers.get(before.focus));
    if (row) this.tree.select(row);
  }

  gallery(selector, pictures, what) {
    const shown = pictures.map((src, index) => html("img", { src, alt: `${what}, ${index + 1}` }));
    this.page.how.querySelector(selector).replaceChildren(...shown);
    this.page.how.hidden = false;
  }

  draw(settings) {
    return ask(this.at("draw"), { json: settings });
  }

  cancel() {
    return ask(this.at("cancel"));
  }

  edit(wish) {
    return ask(this.at("edit"), { json: { ...wish, base: this.state.revision } });
  }

  refit(ids, paths) {
    return ask(this.at("refit"), { json: { ids, paths, base: this.state.revision } });
  }

  detail(mask, paths) {
    const headers = { "Content-Type": "image/png" };
    return ask(this.at(`detail?base=${this.state.revision}&paths=${paths}`), { body: mask, headers });
  }

  step(which) {
    return ask(this.at(which));
  }
}

/** Return an SVG's root as an element of this page. What the server sends is a drawing it has written itself. */
function parsed(text) {
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (root.localName !== "svg" || root.querySelector("script, foreignObject")) throw new Error("That is no drawing.");
  return document.adoptNode(root);
}

/** Return what a run does, in two pieces: what is worth hearing, and figures. */
export function telling(running) {
  if (running.place) {
    if (!running.ready) return ["Getting ready; the first time, kernels are compiled", ""];
    return [running.place === 1 ? "Next in the queue" : `Number ${running.place} in the queue`, ""];
  }
  const facts = [];
  if (running.round) facts.push(`${ROUNDS}${running.round}`);
  if (running.paths) facts.push(`${running.paths} shapes`);
  if (running.psnr) facts.push(`${running.psnr.toFixed(1)} dB`);
  return [running.doing ?? "Starting", facts.join(", ")];
}
