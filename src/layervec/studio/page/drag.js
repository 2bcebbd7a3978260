// Rows of the tree that are dragged: in front of another layer, behind it, or into it.
// Knows the tree's rows and what a move is called; sends it by `onMove`, which it is given.

import { layerOf } from "../viewer/drawing.js";

const EDGE = 0.3; // of a row's height, at its top and bottom; between them a layer goes into the row's own

/** Let the rows of a tree be dragged. onMove gets { id, parent, index }; `allowed` tells whether anything may move. */
export function dragRows(tree, allowed, onMove) {
  let held = null;
  let over = null;
  const ready = () => {
    for (const item of tree.rows.values()) item.firstElementChild.draggable = true;
  };
  const clear = () => {
    over?.removeAttribute("data-drop");
    over = null;
  };
  ready();
  const { host } = tree;
  host.addEventListener("opened", ready);
  host.addEventListener("dragstart", (event) => {
    held = allowed() ? event.target.closest("li")?.layer : null;
    if (!held) return event.preventDefault();
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", held.dataset.name);
  });
  host.addEventListener("dragover", (event) => {
    clear();
    const row = event.target.closest(".row");
    if (!held || !row || held.contains(row.parentNode.layer)) return;
    event.preventDefault();
    const box = row.getBoundingClientRect();
    const share = (event.clientY - box.top) / box.height;
    over = row;
    row.dataset.drop = share < EDGE ? "front" : share > 1 - EDGE ? "behind" : "into";
  });
  host.addEventListener("dragleave", clear);
  host.addEventListener("dragend", () => {
    held = null;
    clear();
  });
  host.addEventListener("drop", (event) => {
    if (!held || !over) return;
    event.preventDefault();
    onMove({ id: held.id, ...goal(held, over.parentNode.layer, over.dataset.drop) });
    clear();
  });
}

/** Return parent and index of where an item goes; places count from the back, without the item. */
function goal(item, target, where) {
  const parent = where === "into" ? target : layerOf(target.parentNode);
  const others = places(where === "into" ? target : target.parentNode).filter((each) => each !== item);
  const index = where === "into" ? others.length : others.indexOf(target) + (where === "front" ? 1 : 0);
  return { parent: parent?.id ?? "", index };
}

/** Return layers and shapes right inside an element, back to front: what a place counts. */
export function places(parent) {
  return [...parent.children].filter((child) => child.matches("g[data-name], path[data-rank]"));
}
