// A picture of a person's own becomes a latent: the service searches for it, and the page shows how far it is.

import { Problem } from "./api.js";
import { bar, fill, h, setText } from "./dom.js";
import { searchResult } from "./event_stream.js";
import { number } from "./format.js";
import { oneOf, pointOf } from "./latent_file.js";
import { exampleStrip, pictureSource } from "./picture_source.js";
import { pictureSettings } from "./png.js";

const STEPS = 200;
const MOST_STEPS = 1000;

/** @typedef {{point: import("./latents.js").Point, target: string | null, words: string}} Found `target` is the sent picture, a PNG in base64; null where no search was needed */

/** @param {{chosen: () => import("./latents.js").Chosen, onFound: (found: Found) => void, signal: AbortSignal}} options */
export function inversionPanel({ chosen, onFound, signal }) {
  let stopping = new AbortController();
  /** @type {Blob | null} */
  let sent = null;
  const steps = h("input", { id: "steps", type: "number", min: 1, max: MOST_STEPS, value: STEPS, title: "More steps find a nearer latent" });
  const again = h("button", { type: "button", hidden: true, onclick: () => sent && start(sent) }, "Search again");
  const share = h("div");
  const words = h("span", { class: "muted number" });
  const progress = h("div", { class: "stack", hidden: true }, share,
    h("div", { class: "row" }, words, h("button", { type: "button", onclick: () => stopping.abort() }, "Cancel")));
  const refusal = h("p", { class: "refusal", role: "alert" });
  const status = h("p", { class: "muted", role: "status" });
  const ofClasses = h("p", { class: "hint" }, "The search keeps to the class that is chosen above; with “any” it finds the nearest class.");
  const strip = exampleStrip({ onPicture: start, signal });
  const element = h("section", { class: "card later", "aria-label": "From a picture" });
  fill(element, h("h2", {}, "From a picture of yours"),
    pictureSource(element, { onFiles: ([file]) => start(file), many: false, signal }), strip.element,
    h("div", { class: "row bottom" }, h("label", { class: "field", for: "steps" }, "Steps of the search", steps), again),
    ofClasses, progress, refusal, status);
  element.addEventListener("drop", (/** @type {Event} */ event) => event.stopPropagation());

  /** @param {Blob} picture */
  function start(picture) {
    if (!steps.reportValidity()) return;
    stopping.abort();
    stopping = new AbortController();
    const own = stopping;
    sent = picture;
    setText(refusal, "");
    setText(status, "");
    find(picture, own.signal).then(onFound).catch((error) => {
      if (signal.aborted || own !== stopping) return;
      if (own.signal.aborted) setText(status, "The search was cancelled.");
      else setText(refusal, error instanceof Problem ? error.message : "The search was cut off. Start it again.");
    }).finally(() => {
      if (own !== stopping) return;
      const focused = progress.contains(document.activeElement);
      progress.hidden = true;
      again.hidden = false;
      if (focused) again.focus();
    });
  }

  /** @param {Blob} picture @param {AbortSignal} stop @returns {Promise<Found>} */
  async function find(picture, stop) {
    const now = chosen();
    const either = AbortSignal.any([signal, stop]);
    const written = await pictureSettings(picture);
    if (written?.model === now.asked.model) return { point: await pointOf(picture, now, either), target: null, words: "read from its file" };
    const form = new FormData();
    for (const [name, value] of Object.entries({ file: picture, model: now.asked.model, steps: steps.value })) form.set(name, value);
    if (/^\d+$/.test(now.asked.class ?? "")) form.set("class", now.asked.class);
    show({ step: 0, steps: Number(steps.value), psnr: null });
    progress.scrollIntoView({ block: "nearest" });
    const { latents: [latent], class: of, image, target, psnr } = await searchResult("/invert", form, { onProgress: show, signal: either });
    const near = psnr === null ? "equal to yours" : `${number(psnr)} dB`;
    setText(status, `The nearest picture${of === null ? "" : ` is in class ${of}`}: ${near}. From 30 dB on eyes hardly see a difference. More steps may find a nearer picture, or the model never learned such ones.`);
    return { point: { name: null, latent, weights: of === null ? null : oneOf(now.version.classes, of), image }, target, words: `found, ${near}` };
  }

  /** @param {{step: number, steps: number, psnr: number | null}} news */
  function show({ step, steps: all, psnr }) {
    progress.hidden = false;
    fill(share, bar(step / all));
    setText(words, `step ${step} of ${all}${psnr === null ? "" : `, ${number(psnr)} dB`}`);
  }

  return {
    element,
    /** Show examples of the data that the model learned. @param {import("./latents.js").Chosen} now */
    update: ({ version }) => {
      ofClasses.hidden = !version.recipe.game.conditional;
      strip.show(version, null, "one click searches for its latent");
    },
    /** End a search for a model that is not chosen any more. */
    stop: () => stopping.abort(),
  };
}
