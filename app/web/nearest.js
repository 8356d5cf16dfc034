// The nearest training picture beside a sample, so that a person sees whether a model has memorised it.

import { get, Problem, send } from "./api.js";
import { fill, h, skeleton } from "./dom.js";
import { count, number } from "./format.js";
import { fileUrls, pngOf } from "./pixels.js";

const SHOWN = 4;
const NEAR_COPY = 0.4; // of the typical distance, as in the figure `copies`

/** @param {string} png in base64 */
const source = (png) => `data:image/png;base64,${png}`;

/**
 * Show the samples of a request; the chosen one stands beside the training pictures that are nearest to it.
 * @param {HTMLElement} place
 * @param {{version: any, asked: Record<string, any>, picked: number, onPick: (picked: number) => void, signal: AbortSignal}} view
 */
export async function showNearest(place, { version, asked, picked, onPick, signal }) {
  const { images } = await get("/sample", { ...asked, format: "json" }, signal);
  const shown = h("aside", { class: "card", "aria-label": "Nearest training picture", "aria-live": "polite" });
  const tiles = images.map((/** @type {string} */ png, /** @type {number} */ index) => h("button", {
    type: "button", class: "tile", "aria-label": `Sample ${index + 1}`, onclick: () => pick(index, true),
  }, h("img", { class: "pixels", src: source(png), alt: "" })));
  const urls = fileUrls(signal);
  let newest = 0;
  /** @param {unknown} error */
  const failed = (error) => signal.aborted || console.error(error);

  /** @param {number} index @param {boolean} [bySomebody] whether a person chose it */
  function pick(index, bySomebody = false) {
    tiles.forEach((/** @type {HTMLElement} */ tile, /** @type {number} */ other) => tile.setAttribute("aria-pressed", String(other === index)));
    onPick(index);
    void compare(pngOf(images[index]), `sample ${index + 1}`, source(images[index]), bySomebody).catch(failed);
  }

  /** @param {Blob} file @param {string} name @param {string} picture @param {boolean} bySomebody */
  async function compare(file, name, picture, bySomebody) {
    const own = ++newest;
    fill(shown, h("h2", {}, "Nearest training picture"), skeleton(true));
    const form = new FormData();
    form.append("file", file, "picture.png");
    form.append("n", String(SHOWN));
    form.append("channels", String(version.recipe.data.channels));
    try {
      const found = await (await send("POST", `/datasets/${encodeURIComponent(version.dataset)}/nearest`, { body: form, signal })).json();
      if (own !== newest) return;
      fill(shown, comparison(found, name, picture));
      if (bySomebody) shown.scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (own === newest) fill(shown, h("h2", {}, "Nearest training picture"), h("p", { class: "refusal", role: "alert" }, error.message));
    }
  }

  const file = h("label", { class: "button" }, "Compare a file", h("input", {
    type: "file", accept: "image/*", "aria-label": "Compare a file", class: "unseen",
    onchange: (/** @type {any} */ event) => {
      const [chosen] = event.target.files;
      if (!chosen) return;
      tiles.forEach((/** @type {HTMLElement} */ tile) => tile.setAttribute("aria-pressed", "false"));
      const [picture] = urls([chosen]);
      void compare(chosen, chosen.name, picture, true).catch(failed);
    },
  }));
  fill(place, h("div", { class: "training" },
    h("div", { class: "stack" }, h("div", { class: "tiles" }, tiles), h("div", { class: "row" }, file)), shown));
  pick(Math.min(images.length - 1, Math.max(0, picked || 0)));
}

/** @param {any} found the reply @param {string} name @param {string} picture */
function comparison({ data, typical, searched, dataset, side }, name, picture) {
  const [first, ...others] = data;
  return [
    h("h2", {}, "Nearest training picture"),
    h("div", { class: "pair" }, figure(picture, name), figure(source(first.image), `training picture ${count(first.row)}`)),
    h("dl", {},
      h("dt", {}, "distance"), h("dd", {}, h("b", {}, number(first.distance))),
      typical && [h("dt", {}, "between real ones"), h("dd", {}, `${number(typical.median)} (median of ${typical.n})`)]),
    h("p", { class: "muted" }, verdict(first.distance, typical)),
    others.length > 0 && h("div", { class: "pair small" }, others.map((/** @type {any} */ one) => figure(source(one.image), number(one.distance)))),
    h("p", { class: "hint" }, `Distance: root mean square difference of pixels in [0, 1]. All ${count(searched)} training pictures of ${dataset} were compared at ${side} × ${side} pixels. “Between real ones” is the distance of a real picture to the nearest other one.`),
  ];
}

/** @param {string} picture @param {string} text */
const figure = (picture, text) => h("figure", { class: "tile" }, h("img", { class: "pixels", src: picture, alt: text }), h("figcaption", { class: "small" }, text));

/** @param {number} distance @param {{median: number} | null} typical */
function verdict(distance, typical) {
  if (distance === 0) return "This is a training picture, equal to the pixel.";
  if (!typical) return "";
  const share = distance / typical.median;
  if (share < NEAR_COPY) return "Much nearer than real pictures are to each other. Look at both: this may be a copy.";
  if (share < 1) return "Somewhat nearer than real pictures usually are to each other. Look at both.";
  return "At least as far from the training pictures as real pictures are from each other: no sign of a copy.";
}
