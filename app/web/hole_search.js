// Fill a hole by a search: a generator's latent whose picture fits around the hole.

import { address, Problem, root } from "./api.js";
import { bar, copyButton, empty, fill, h, setText } from "./dom.js";
import { searchResult } from "./event_stream.js";
import { sourceOf } from "./latents.js";
import { fileUrls, pngOf } from "./pixels.js";
import { refusalsOf } from "./plan.js";
import { quoted } from "./request_text.js";
import { diceButton } from "./seed_dice.js";
import { beforeAfter } from "./slider.js";

/** the service's default, and its most */
const STEPS = 200;
const MOST_STEPS = 1000;
const LARGE = 192;

/** @typedef {{class: string | null, seed: string, steps: string}} SearchSettings */
/** @typedef {{picture: Blob, mask: Blob}} Parts */

/**
 * @param {{settings: SearchSettings, onSettings: () => void, parts: () => Promise<Parts | null>, name: () => string, signal: AbortSignal}} options
 *   `onSettings` is called when a person changed one; `name` is that of the picture's file
 */
export function holeSearch({ settings, onSettings, parts, name, signal }) {
  /** @type {any} */
  let version;
  /** @type {AbortController | undefined} */
  let running;
  /** what the shown result was asked for @type {{model: string, name: string, fields: Record<string, string>}} */
  let shown;
  const urls = fileUrls(signal);
  const classes = h("select", { id: "search-class", onchange: () => set({ class: classes.value || null }) });
  const classField = h("label", { class: "field", for: "search-class" }, "Class", classes);
  const seed = h("input", { id: "search-seed", inputMode: "numeric", pattern: "[0-9]{1,19}", title: "A whole number of at most 19 digits", required: true, size: 16, onchange: () => seed.reportValidity() && set({ seed: seed.value }) });
  const steps = h("input", { id: "search-steps", type: "number", min: 1, max: MOST_STEPS, required: true, onchange: () => steps.reportValidity() && set({ steps: steps.value }) });
  const button = h("button", { class: "main" }, "Fill the hole");
  const stopping = h("button", { type: "button", hidden: true, onclick: () => running?.abort() }, "Stop");
  const progress = h("div");
  const status = h("p", { role: "status" });
  const refusal = h("p", { class: "refusal", role: "alert" });
  const slider = beforeAfter({ label: "Before and after", signal });
  const sample = h("img", { class: "pixels", alt: "The whole sample" });
  const download = h("a", { class: "button" }, "Download PNG");
  const downloadMask = h("a", { class: "button", download: "mask.png" }, "Download the mask");
  const nothing = empty("Nothing is filled yet. Drop a picture or choose one, paint the hole, and start the search.");
  const found = h("div", { class: "stack", hidden: true }, slider.element,
    h("figure", { class: "stack" }, h("figcaption", {}, "The whole sample from which the hole is filled"), sample),
    h("div", { class: "row" }, download, downloadMask, copyButton(asCurl, "curl"), copyButton(asCommand, "CLI"), copyButton(asPython, "Python")));
  const element = h("section", { class: "card", "aria-label": "Search", hidden: true }, h("h2", {}, "Fill the hole"),
    h("form", { class: "row bottom", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); void search().catch((error) => signal.aborted || console.error(error)); } },
      classField, h("label", { class: "field", for: "search-seed" }, "Seed", seed), diceButton("Another seed", (value) => set({ seed: value })),
      h("label", { class: "field", for: "search-steps" }, "Steps", steps), button, stopping),
    refusal, nothing, status, progress, found);

  /** @param {Partial<SearchSettings>} values */
  function set(values) {
    Object.assign(settings, values);
    show();
    onSettings();
  }

  function show() {
    classes.value = settings.class ?? "";
    seed.value = settings.seed;
    steps.value = settings.steps;
  }

  async function search() {
    const { model } = version;
    const given = await parts();
    if (!given) return setText(refusal, "There is no hole yet: choose a picture that this browser can show, and paint over the part that the model should fill.");
    running?.abort();
    const own = (running = new AbortController());
    const stop = AbortSignal.any([signal, own.signal]);
    const { class: of, seed: from, steps: many } = settings;
    const asked = { model, name: name(), fields: { model, ...(of !== null && { class: of }), seed: from, steps: many } };
    const form = new FormData();
    for (const [key, value] of Object.entries(asked.fields)) form.set(key, value);
    form.set("file", given.picture, "picture.png");
    form.set("mask", given.mask, "mask.png");
    setText(refusal, "");
    setText(status, "The search begins.");
    begin(true);
    try {
      present(await searchResult("/inpaint", form, { onProgress: report, signal: stop }), asked, given.mask);
    } catch (error) {
      if (signal.aborted) return;
      setText(status, "");
      if (stop.aborted) return running === own && setText(status, "The search was stopped.");
      if (!(error instanceof Problem)) throw error;
      setText(refusal, refusalsOf(error).map(({ message }) => message).join(" "));
    } finally {
      if (running === own) begin(false);
    }
  }

  /** @param {boolean} busy */
  function begin(busy) {
    element.setAttribute("aria-busy", String(busy));
    const focused = [button, stopping].includes(document.activeElement);
    button.disabled = busy;
    nothing.hidden = busy || !found.hidden;
    stopping.hidden = !busy;
    if (focused) (busy ? stopping : button).focus();
    if (!busy) fill(progress);
  }

  /** @param {{step: number, steps: number, psnr: number | null}} data */
  function report({ step, steps: all, psnr }) {
    fill(progress, bar(step / all));
    setText(status, `Step ${step} of ${all}. ${closeness(psnr)}`);
  }

  /** @param {any} data the reply @param {typeof shown} asked @param {Blob} mask */
  function present(data, asked, mask) {
    shown = asked;
    const [target, image] = [data.target, data.image].map(pngOf);
    const { side } = version.recipe.data;
    slider.show({ before: target, after: image, width: side, height: side, words: ["before", "filled"] });
    sample.src = sourceOf(data.sample);
    sample.style.width = `${side * Math.max(1, Math.floor(LARGE / side))}px`;
    [download.href, downloadMask.href] = urls([image, mask]);
    download.download = `${asked.name.replace(/\.[^.]*$/, "")}-${data.model}.png`;
    setText(status, `${data.model} filled the hole in ${data.steps} steps${data.class === null ? "" : `, class ${className(data.class)}`}. ${closeness(data.psnr)}`);
    found.hidden = false;
  }

  /** Forget the result, and stop the search for it. */
  function clear() {
    running?.abort();
    running = undefined;
    found.hidden = true;
    setText(status, "");
    setText(refusal, "");
    slider.set(50);
    begin(false);
  }

  /** @type {string[]} */
  let names = [];
  const className = (/** @type {number} */ of) => names[of] ?? of;

  function asCurl() {
    return ["curl", "-o filled.png", `-F ${quoted(`file=@${shown.name}`)}`, "-F mask=@mask.png", ...Object.entries(shown.fields).map(([key, value]) => `-F ${quoted(`${key}=${value}`)}`), address("/inpaint")].join(" ");
  }
  function asCommand() {
    return [`forger inpaint ${quoted(shown.name)} mask.png -o filled.png`, ...Object.entries(shown.fields).map(([key, value]) => `--${key} ${quoted(value)}`)].join(" ");
  }
  function asPython() {
    const { model, ...numbers } = shown.fields;
    const more = Object.entries(numbers).map(([key, value]) => (key === "class" ? `class_=${JSON.stringify(value)}` : `${key}=${value}`));
    return `from forger import Forger\n\nForger(${JSON.stringify(root.href)}).inpaint(${[JSON.stringify(shown.name), '"mask.png"', `model=${JSON.stringify(model)}`, ...more].join(", ")}).save("filled.png")`;
  }

  return {
    element,
    clear,
    /** Follow the chosen generator; null hides the search. @param {any} chosen a version @param {string[]} classNames of its dataset */
    follow(chosen, classNames) {
      if (chosen?.model !== version?.model) clear();
      version = chosen;
      element.hidden = !chosen;
      if (!chosen) return;
      names = classNames;
      const conditional = chosen.classes > 0 && chosen.recipe.game.conditional;
      if (!conditional || Number(settings.class) >= chosen.classes) settings.class = null;
      classField.hidden = !conditional;
      fill(classes, h("option", { value: "" }, "the nearest"), conditional && Array.from({ length: chosen.classes }, (_, of) => h("option", { value: of }, className(of))));
      show();
    },
  };
}

/** @param {URLSearchParams} query @returns {SearchSettings} */
export const searchSettings = (query) => ({ class: query.get("class"), seed: query.get("seed") ?? "0", steps: query.get("steps") ?? String(STEPS) });

/** The settings of a search for the address: those that differ from the service's defaults. @param {SearchSettings | null} settings null: none */
export const keptSearch = (settings) => ({
  class: settings?.class ?? null, seed: settings && settings.seed !== "0" ? settings.seed : null, steps: settings && settings.steps !== String(STEPS) ? settings.steps : null,
});

/** How near the sample is to the known part. @param {number | null} psnr in dB; null if both are equal */
const closeness = (psnr) => (psnr === null ? "The sample equals the known part." : `PSNR of the known part: ${psnr.toFixed(1)} dB; higher is nearer.`);
