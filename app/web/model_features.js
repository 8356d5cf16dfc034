// The features that a version's critic or encoder computes from pictures: which pictures are alike, and how useful it is.

import { address, posterOnce, Problem, root, send } from "./api.js";
import { copyButton, factBoxes, fill, h, setText } from "./dom.js";
import { count } from "./format.js";
import { go } from "./main.js";
import { drawsPictures } from "./model_versions.js";
import { exampleStrip, pictureSource } from "./picture_source.js";
import { fileUrls } from "./pixels.js";
import { refusalsOf } from "./plan.js";
import { quoted } from "./request_text.js";
import { extremes, cosines, similarityTable } from "./similarity.js";

/** as many as the table has room for */
const MOST = 12;
const NONE = "Choose two pictures or more. Examples are below.";

/** The network whose features they are. @param {any} version @returns {"encoder" | "critic"} */
const sourceOf = ({ recipe }) => (recipe.generator.kind.endsWith("_autoencoder") ? "encoder" : "critic");

/**
 * The part of a version's card about features, built when it is opened; null for a model of no pictures, or of two at a time.
 * @param {any} version @param {AbortSignal} signal
 */
export function featuresPart(version, signal) {
  if (!drawsPictures(version)) return null;
  const element = h("details", {
    name: "features", // only one is open, so a pasted picture has one place
    ontoggle: () => element.open && !element.querySelector("section") && element.append(featuresOf(version, signal)),
  }, h("summary", {}, "Features"));
  return element;
}

/** @param {any} version @param {AbortSignal} signal */
function featuresOf(version, signal) {
  const source = sourceOf(version);
  const element = h("section", { class: "stack", "aria-label": `Features of ${version.model}` });
  const meaning = source === "encoder" ? "The encoder computes a few numbers from a picture, its code." : "The critic computes numbers from a picture before it scores it: its last hidden layer.";
  const known = version.job || source === "encoder";
  return fill(element, h("p", {}, `${meaning} A search or a small classifier can start from these features.`), version.card.probe && probe(version.card.probe), known
    ? [!version.card.probe && unmeasured(version, signal), comparison(element, version, signal)]
    : h("p", { class: "hint" }, `The critic of ${version.model} is not here: only the job that trained a version keeps it, and this version has none.`));
}

/** How useful the features are for another task, as the linear probe measured it. @param {any} probe of the card */
function probe({ accuracy, pixels, untrained, gain, majority, n_test: tested }) {
  const [low, high] = gain.interval;
  return h("section", { class: "stack", "aria-label": "Linear probe" },
    h("h3", {}, "Linear probe"),
    h("div", { class: "facts" }, factBoxes([
      ["these features", percent(accuracy.value)], ["95 % interval", accuracy.interval.map(percent).join(" to ")],
      ["raw pixels", percent(pixels.value)], ["untrained network", percent(untrained.value)], ["most frequent class", percent(majority)],
    ])),
    h("p", { class: "hint" }, `A linear classifier on these features names the class of ${percent(accuracy.value)} of ${count(tested)} pictures that it did not learn from. `,
      low > 0 ? "That is better than the same classifier on raw pixels." : high < 0 ? "That is worse than the same classifier on raw pixels."
        : "The 95 % interval of the difference from raw pixels holds 0: these features are no better than pixels.",
      untrained.value >= accuracy.value && " The network before its training does as well, so the training added nothing to it."));
}

/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** Offer the measurement, or say why there is none. @param {any} version @param {AbortSignal} signal */
function unmeasured({ model, dataset, recipe }, signal) {
  if (recipe.data.classes < 2) return h("p", {}, `How useful they are cannot be measured here: the linear probe names the classes of pictures, and ${dataset} has fewer than two.`);
  const refusal = h("p", { class: "refusal", role: "alert" });
  const evaluate = posterOnce("/jobs");
  const button = h("button", {
    type: "button",
    onclick: async () => {
      button.disabled = true;
      setText(refusal, "");
      try {
        go(`jobs/${(await evaluate({ kind: "evaluate", model, figures: ["probe"] }, signal)).id}`);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        setText(refusal, refusalsOf(error).map(({ message }) => message).join(" "));
        button.disabled = false;
      }
    },
  }, "Measure it");
  return h("div", { class: "stack" }, h("div", { class: "row" }, h("p", {}, "How useful they are has not been measured. Measuring may take minutes:"), h("code", {}, `forger evaluate ${model} --figure probe`), button), refusal);
}

/**
 * Pictures that a person chooses, and which of them are alike.
 * @param {HTMLElement} place that takes dropped pictures @param {any} version @param {AbortSignal} signal
 */
function comparison(place, version, signal) {
  /** @type {File[]} */
  let files = [];
  /** those that the table shows: what the service refuses is not added @type {File[]} */
  let compared = [];
  let result = NONE;
  /** @type {AbortController | undefined} */
  let running;
  const urls = fileUrls(signal);
  const replies = fileUrls(signal);
  const saved = fileUrls(signal);
  const table = h("div", { class: "stack" });
  const words = h("p", { role: "status" });
  const refusal = h("p", { class: "refusal", role: "alert" });
  const json = h("a", { class: "button", download: `${version.model}-features.json` }, "Download JSON");
  const npz = h("button", { type: "button", onclick: () => attempt(saveNpz) }, "Download for NumPy");
  const tools = h("div", { class: "row", hidden: true }, json, npz,
    h("button", { type: "button", onclick: () => show([]) }, "Remove all"), copyButton(asCurl, "curl"), copyButton(asCommand, "CLI"), copyButton(asPython, "Python"));
  const examples = exampleStrip({ onPicture: (file) => show([...files, file]), signal });
  examples.show(version, null, "one click adds it");

  /** @param {() => Promise<void>} work */
  function attempt(work) {
    setText(refusal, "");
    work().catch((error) => {
      if (error instanceof Problem) setText(refusal, error.message);
      else if (error.name !== "AbortError") console.error(error);
    });
  }

  /** @param {string} format @param {AbortSignal} stop */
  const request = (format, stop) => {
    const body = new FormData();
    body.set("model", version.model);
    body.set("format", format);
    for (const file of files) body.append("file", file, file.name);
    return send("POST", "/features", { body, signal: stop });
  };

  /** Compare other pictures. @param {File[]} chosen */
  function show(chosen) {
    running?.abort();
    running = new AbortController();
    files = chosen.slice(0, MOST);
    const stop = AbortSignal.any([signal, running.signal]);
    attempt(() => compare(stop, chosen.length > MOST));
  }

  /** @param {number} one */
  function remove(one) {
    show(files.filter((_, at) => at !== one));
  }

  /** @param {AbortSignal} stop @param {boolean} tooMany */
  async function compare(stop, tooMany) {
    if (!files.length) {
      compared = [];
      tools.hidden = true;
      fill(table);
      return setText(words, (result = NONE));
    }
    setText(words, "The service computes the features.");
    try {
      const response = await request("json", stop);
      const note = response.headers.get("Forger-Note") ?? "";
      const text = await response.text();
      const { features, size } = JSON.parse(text);
      const similarity = cosines(features);
      const focused = [...table.querySelectorAll("button")].indexOf(/** @type {any} */ (document.activeElement));
      fill(table, similarityTable(similarity, { sources: urls(files), onRemove: remove }));
      if (focused >= 0) (table.querySelectorAll("button")[Math.min(focused, files.length - 1)]).focus();
      result = [files.length > 1 ? extremes(similarity) : "Add another picture to compare it with.", `${count(size)} numbers per picture.`,
        tooMany ? `The table takes ${MOST} pictures; POST /features takes more.` : "", note].filter(Boolean).join(" ");
      setText(words, result);
      [json.href] = replies([new Blob([text], { type: "application/json" })]);
      tools.hidden = false;
      compared = files;
    } catch (error) {
      if (!stop.aborted) {
        files = compared;
        setText(words, result);
      }
      throw error;
    }
  }

  async function saveNpz() {
    const [href] = saved([await (await request("npz", signal)).blob()]);
    h("a", { href, download: `${version.model}-features.npz` }).click();
  }

  function asCurl() {
    return ["curl -o features.npz", ...files.map(({ name }) => `-F ${quoted(`file=@${name}`)}`), `-F model=${version.model} -F format=npz`, address("/features")].join(" ");
  }
  function asCommand() {
    return `forger features ${files.map(({ name }) => quoted(name)).join(" ")} -o features.npz --model ${version.model}`;
  }
  function asPython() {
    return `from forger import Forger\n\nForger(${JSON.stringify(root.href)}).features(${JSON.stringify(files.map(({ name }) => name))}, model=${JSON.stringify(version.model)}).features`;
  }

  show([]);
  return h("div", { class: "stack" }, h("h3", {}, "Which pictures are alike"),
    h("p", { class: "hint" }, "The cosine of two pictures' features is 1 where they point in the same direction, and 0 at a right angle. Compare the numbers with each other: how far they spread depends on the model."),
    words, refusal, table, tools, pictureSource(place, { onFiles: (chosen) => show([...files, ...chosen]), signal }), examples.element);
}
