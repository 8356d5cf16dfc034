// The samples of the room's settings as tiles: a click or a drag takes one into a tool of the latent space.

import { fill, h } from "./dom.js";
import { readSamples, sourceOf } from "./latents.js";

/** the type under which a dragged sample travels */
export const DRAGGED = "application/x-forger-sample";

/** @param {{hint: string, onPick: (name: string) => void, signal: AbortSignal}} options */
export function sampleTray({ hint, onPick, signal }) {
  const tiles = h("div", { class: "tray", role: "group", "aria-label": "Samples to choose from" });
  const element = h("section", { class: "card", "aria-label": "Samples" }, h("p", { class: "hint" }, hint), tiles);
  let shown = "";

  return {
    element,
    /** Draw the samples of the settings, unless they are shown. Throws Problem. @param {import("./latents.js").Chosen} chosen */
    async update(chosen) {
      const key = JSON.stringify(chosen.asked);
      if (key === shown) return;
      const drawn = await readSamples(chosen, signal);
      shown = key;
      fill(tiles, drawn.map(({ name, image }) => h("button", {
        type: "button", class: "plain", title: name, "aria-label": `Sample ${name}`, draggable: true, onclick: () => onPick(name),
        ondragstart: (/** @type {DragEvent} */ event) => event.dataTransfer?.setData(DRAGGED, JSON.stringify({ name })),
      }, h("img", { class: "pixels", src: sourceOf(image), alt: "", draggable: false }))));
    },
  };
}
