// One translation: its request, the picture before and after, the way back, and the file to keep.

import { address, Problem, send } from "./api.js";
import { copyButton, empty, h, setText } from "./dom.js";
import { number } from "./format.js";
import { decode, enlargedPlainly, fileUrls } from "./pixels.js";
import { quoted } from "./request_text.js";
import { beforeAfter } from "./slider.js";
import { wayBack } from "./way_back.js";

/**
 * `names` are those of the domain that is sent and of the one that is returned, such as a and b. `factor` is that of the sides, 1 unless the model enlarges.
 * @typedef {{model: string, direction: "a2b" | "b2a", back: boolean, grey: boolean, names: [string, string], factor: number}} Asked
 */
/** from here on the page says that it waits */
const SLOW_MS = 700;
/** how a picture is enlarged without a model, to compare with @typedef {"pixels" | "bilinear"} Plain */

export const PLAIN = /** @type {[Plain, string][]} */ ([["pixels", "repeated pixels"], ["bilinear", "bilinear interpolation"]]);

/** Translate or enlarge a picture. Throws Problem. @param {Blob} picture @param {{model: string, direction: string, factor: number}} asked @param {AbortSignal} signal */
async function translate(picture, { model, direction, factor }, signal) {
  const form = new FormData();
  form.set("model", model);
  if (factor === 1) form.set("direction", direction);
  form.set("file", picture, "picture");
  const response = await send("POST", factor === 1 ? "/translate" : "/upscale", { body: form, signal });
  return { picture: await response.blob(), note: response.headers.get("Forger-Note") ?? "" };
}

/** @param {{plain: () => Plain, signal: AbortSignal}} options */
export function translationResult({ plain, signal }) {
  const slider = beforeAfter({ label: "Before and after", signal });
  const journey = wayBack({ signal });
  const refusal = h("p", { class: "refusal", role: "alert" });
  const note = h("p", { class: "hint", role: "status" });
  const download = h("a", { class: "button" }, "Download PNG");
  const nothing = empty("Nothing is translated yet. Drop a picture, or choose one.");
  /** @type {Asked & {name: string}} */
  let shown;
  /** the pictures of the slider @type {{picture: Blob, first: ImageBitmap | null, there: Blob, second: ImageBitmap} | undefined} */
  let compared;
  const tools = h("div", { class: "row", hidden: true }, download, copyButton(asCurl, "curl"), copyButton(asCommand, "CLI"), copyButton(asPython, "Python"));
  const element = h("section", { class: "card", "aria-label": "Result" }, h("h2", {}, "Before and after"), refusal, nothing, slider.element, note, tools);
  /** @type {AbortController | undefined} */
  let running;
  const urls = fileUrls(signal);

  /** Translate a picture and show it. @param {Blob} picture @param {string} name of its file @param {Asked} asked */
  async function run(picture, name, asked) {
    running?.abort();
    const own = (running = new AbortController());
    const stop = AbortSignal.any([signal, own.signal]);
    element.setAttribute("aria-busy", "true");
    const slow = setTimeout(() => setText(note, "The model is at work."), SLOW_MS);
    try {
      const started = performance.now();
      const there = await translate(picture, asked, stop);
      const seconds = (performance.now() - started) / 1000;
      const [first, second] = await Promise.all([decode(picture), decode(there.picture)]);
      if (stop.aborted || !second) return;
      shown = { ...asked, name };
      compared = { picture, first, there: there.picture, second };
      await compare();
      const from = first && asked.factor > 1 ? `From ${first.width} × ${first.height} to ` : "";
      setText(note, [`${from}${second.width} × ${second.height} px by ${asked.model} in ${number(Math.round(100 * seconds) / 100)} s.`, there.note, first ? "" : "This browser cannot show the original, so there is no slider."].join(" "));
      setText(refusal, "");
      keepFile(there.picture);
      nothing.hidden = true;
      tools.hidden = false;
      if (asked.back && first) await returnFrom(picture, first, there.picture, asked, stop);
      else journey.clear();
    } catch (error) {
      if (signal.aborted || /** @type {Error} */ (error).name === "AbortError") return;
      if (!(error instanceof Problem)) throw error;
      setText(refusal, error.message);
    } finally {
      clearTimeout(slow);
      if (running === own) element.setAttribute("aria-busy", "false");
    }
  }

  /** Show before and after at one size. */
  async function compare() {
    if (!compared) return;
    const { picture, first, there, second: { width, height } } = compared;
    const enlarges = first && shown.factor > 1;
    const before = enlarges ? await enlargedPlainly(first, width, height, plain() === "bilinear") : first && picture;
    slider.show({ before, after: there, width, height, words: enlarges ? [/** @type {string} */ (new Map(PLAIN).get(plain())), "by the model"] : ["before", "after"] });
  }

  /** @param {Blob} picture @param {ImageBitmap} first @param {Blob} there @param {Asked} asked @param {AbortSignal} stop */
  async function returnFrom(picture, first, there, asked, stop) {
    const { picture: back } = await translate(there, { ...asked, direction: asked.direction === "a2b" ? "b2a" : "a2b" }, stop);
    const last = await decode(back);
    if (stop.aborted || !last) return;
    const [a, b] = asked.names;
    journey.show({ first: picture, there, back, bitmaps: [first, last], grey: asked.grey, titles: [`${a}, the original`, `${a} → ${b}`, `${a} → ${b} → ${a}`] });
  }

  /** @param {Blob} picture */
  function keepFile(picture) {
    [download.href] = urls([picture]);
    download.download = `${shown.name.replace(/\.[^.]*$/, "")}-${shown.model}.png`;
  }

  function asCurl() {
    if (shown.factor > 1) return `curl -o enlarged.png -F ${quoted(`file=@${shown.name}`)} -F model=${shown.model} ${address("/upscale")}`;
    return `curl -o translated.png -F file=@${quoted(shown.name)} -F model=${shown.model} -F direction=${shown.direction} ${address("/translate")}`;
  }
  function asCommand() {
    if (shown.factor > 1) return `forger upscale ${quoted(shown.name)} -o enlarged.png --model ${shown.model}`;
    return `forger translate ${quoted(shown.name)} -o translated.png --model ${shown.model}${shown.direction === "b2a" ? " --direction b2a" : ""}`;
  }
  function asPython() {
    if (shown.factor > 1) return `from forger import Forger\n\nForger(${JSON.stringify(address("/"))}).upscale(${JSON.stringify(shown.name)}, model=${JSON.stringify(shown.model)}).save("enlarged.png")`;
    const direction = shown.direction === "b2a" ? ', direction="b2a"' : "";
    return `from forger import Forger\n\nForger(${JSON.stringify(address("/"))}).translate(${JSON.stringify(shown.name)}, model=${JSON.stringify(shown.model)}${direction}).save("translated.png")`;
  }

  return {
    element, journey, run, compare,
    /** Show the result whole where the pad beside it already shows the picture, else half of each. @param {boolean} whole */
    begin: (whole) => slider.set(whole ? 0 : 50),
    /** Stop what is under way: another translation comes soon. */
    wait() {
      running?.abort();
      element.setAttribute("aria-busy", "true");
    },
    /** Stop what is under way, and say why nothing is translated. @param {string} [words] */
    stop(words = "") {
      running?.abort();
      element.setAttribute("aria-busy", "false");
      if (words) setText(note, words);
    },
  };
}
