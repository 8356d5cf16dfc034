// One translation: its request, the picture before and after, the way back, and the file to keep.

import { address, Problem, send } from "./api.js";
import { copyButton, empty, h, setText } from "./dom.js";
import { number } from "./format.js";
import { decode, fileUrls } from "./pixels.js";
import { quoted } from "./request_text.js";
import { beforeAfter } from "./slider.js";
import { wayBack } from "./way_back.js";

/**
 * `names` are those of the domain that is sent and of the one that is returned, such as a and b.
 * @typedef {{model: string, direction: "a2b" | "b2a", back: boolean, grey: boolean, names: [string, string]}} Asked
 */

/** Translate a picture. Throws Problem. @param {Blob} picture @param {{model: string, direction: string}} asked @param {AbortSignal} signal */
async function translate(picture, { model, direction }, signal) {
  const form = new FormData();
  form.set("model", model);
  form.set("direction", direction);
  form.set("file", picture, "picture");
  const response = await send("POST", "/translate", { body: form, signal });
  return { picture: await response.blob(), note: response.headers.get("Forger-Note") ?? "" };
}

/** @param {{signal: AbortSignal}} options */
export function translationResult({ signal }) {
  const slider = beforeAfter({ label: "Before and after", signal });
  const journey = wayBack({ signal });
  const refusal = h("p", { class: "refusal", role: "alert" });
  const note = h("p", { class: "hint", role: "status" });
  const download = h("a", { class: "button" }, "Download PNG");
  const nothing = empty("Nothing is translated yet. Drop a picture, or click an example.");
  /** @type {Asked & {name: string}} */
  let shown;
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
    try {
      const started = performance.now();
      const there = await translate(picture, asked, stop);
      const seconds = (performance.now() - started) / 1000;
      const [first, second] = await Promise.all([decode(picture), decode(there.picture)]);
      if (stop.aborted || !second) return;
      shown = { ...asked, name };
      const { width, height } = second;
      slider.show({ before: first && picture, after: there.picture, width, height, words: ["before", "after"] });
      setText(note, [`${width} × ${height} px by ${asked.model} in ${number(Math.round(100 * seconds) / 100)} s.`, there.note, first ? "" : "This browser cannot show the original, so there is no slider."].join(" "));
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
      if (running === own) element.setAttribute("aria-busy", "false");
    }
  }

  /** @param {Blob} picture @param {ImageBitmap} first @param {Blob} there @param {Asked} asked @param {AbortSignal} stop */
  async function returnFrom(picture, first, there, asked, stop) {
    const { picture: back } = await translate(there, { model: asked.model, direction: asked.direction === "a2b" ? "b2a" : "a2b" }, stop);
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
    return `curl -o translated.png -F file=@${quoted(shown.name)} -F model=${shown.model} -F direction=${shown.direction} ${address("/translate")}`;
  }
  function asCommand() {
    return `forger translate ${quoted(shown.name)} -o translated.png --model ${shown.model}${shown.direction === "b2a" ? " --direction b2a" : ""}`;
  }
  function asPython() {
    const direction = shown.direction === "b2a" ? ', direction="b2a"' : "";
    return `from forger import Forger\n\nForger(${JSON.stringify(address("/"))}).translate(${JSON.stringify(shown.name)}, model=${JSON.stringify(shown.model)}${direction}).save("translated.png")`;
  }

  return {
    element, journey, run,
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
