// a - b + c: the means of pictures, subtracted and added as latents, and the picture of the result.

import { address, post, Problem, root } from "./api.js";
import { copyButton, fill, h, setText } from "./dom.js";
import { classOf, drawnBy, enlarged, namesIn, sourceOf, sum } from "./latents.js";
import { latentSlot, MOST_PICTURES, termsOf } from "./latent_slot.js";
import { keep } from "./main.js";
import { fileUrls, pngOf } from "./pixels.js";
import { literal, quoted } from "./request_text.js";
import { DRAGGED, sampleTray } from "./sample_tray.js";

const SLOTS = /** @type {[string, string, number][]} */ ([["a", "", 1], ["b", "−", -1], ["c", "+", 1]]);

/** @param {{signal: AbortSignal}} options @returns {import("./latent_tools.js").Tool} */
export function arithmetic({ signal }) {
  const query = new URLSearchParams(location.search);
  /** @type {import("./latents.js").Chosen} */
  let chosen;
  let newest = 0;
  let aimed = 0;
  /** @type {import("./latents.js").Point | null} */
  let result = null;
  const urls = fileUrls(signal);

  const slots = SLOTS.map(([name, sign], at) => latentSlot({
    letter: name.toUpperCase(), sign, chosen: () => chosen, signal, onAim: () => aim(at), onChange: changed,
  }));
  const normalise = h("input", { id: "normalise", type: "checkbox", checked: query.get("normalise") === "true", onchange: changed });
  const refusal = h("p", { class: "refusal", role: "alert" });
  const picture = h("img", {
    class: "pixels moving", alt: "The result", draggable: true,
    ondragstart: (/** @type {DragEvent} */ event) => event.dataTransfer?.setData(DRAGGED, JSON.stringify(result)),
  });
  const download = h("a", { class: "button", download: "sum.png" }, "Download");
  const words = h("p", { class: "muted small" });
  const drawn = h("div", { class: "stack", hidden: true }, picture, words, h("div", { class: "row" },
    SLOTS.map(([name], at) => h("button", { type: "button", onclick: () => result && slots[at].takePoint({ ...result, name: null }) }, `Use as ${name.toUpperCase()}`)), download),
    h("div", { class: "row" }, copyButton(asCurl, "curl"), copyButton(asCommand, "CLI"), copyButton(asPython, "Python")));
  const waiting = h("p", { class: "hint" }, "Put a picture into a slot. The lectures average three pictures for each: smiling woman − woman + man.");
  const tray = sampleTray({ hint: "Click a sample, or drag it onto a slot. Another seed or class above brings others.", onPick: pick, signal });
  const element = h("div", { class: "stack" }, tray.element,
    h("div", { class: "halves" }, h("div", { class: "stack" }, slots.map((slot) => slot.element)),
      h("section", { class: "card", "aria-label": "Result", "aria-live": "polite" }, h("h2", {}, "A − B + C"), waiting, refusal, drawn,
        h("label", { for: "normalise", title: "A sum of single pictures has a longer latent than any sample." }, normalise, "Give the result the length of a sample's latent"))));

  /** @param {number} at */
  function aim(at) {
    aimed = at;
    slots.forEach((slot, other) => slot.aimed(other === at));
  }

  /** Put a clicked sample into the slot, and go on to the next when it is full. @param {string} name */
  function pick(name) {
    const full = () => slots[aimed].points().length >= MOST_PICTURES;
    if (full() && aimed < slots.length - 1) aim(aimed + 1);
    slots[aimed].take(name);
  }

  const body = () => ({ ...drawnBy(chosen), terms: SLOTS.flatMap(([, , sign], at) => termsOf(slots[at].points(), sign)), normalise: normalise.checked || null });
  const asked = () => Object.fromEntries(Object.entries(body()).filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => [name, ["temperature", "truncation"].includes(name) ? Number(value) : value]));

  function changed() {
    keep({ ...Object.fromEntries(SLOTS.map(([name], at) => [name, slots[at].names()])), normalise: normalise.checked ? "true" : null });
    void draw().catch((error) => signal.aborted || console.error(error));
  }

  async function draw() {
    const own = ++newest;
    const filled = slots.some((slot) => slot.points().length);
    waiting.hidden = filled;
    drawn.hidden = !filled;
    setText(refusal, "");
    if (!filled) return;
    if (classesCancel()) {
      drawn.hidden = true;
      return setText(refusal, "The classes cancel out. Put a picture of the class that the result shall have into A or C.");
    }
    try {
      const reply = await post("/latent/arithmetic", { ...asked(), scale: Math.min(8, enlarged(chosen.version)) }, signal);
      if (own !== newest) return;
      const { latent, class_weights: weights, image } = reply.result;
      result = { name: null, latent, weights, image };
      picture.src = sourceOf(image);
      [download.href] = urls([pngOf(image)]);
      setText(words, weights ? classWords(result) : "");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (own !== newest) return;
      drawn.hidden = true;
      setText(refusal, error.message);
    }
  }

  /** Whether no class is left, so that the service could draw nothing. */
  function classesCancel() {
    const all = SLOTS.flatMap(([, , sign], at) => slots[at].points().map(({ weights }) => ({ weights, share: sign / slots[at].points().length })));
    if (!all[0].weights) return false;
    return Math.max(...sum(all.map(({ weights }) => /** @type {number[]} */ (weights)), all.map(({ share }) => share))) < 1e-9;
  }

  function asCurl() {
    return `curl -o sum.png -H 'Accept: image/png' -H 'Content-Type: application/json' ${quoted(address("/latent/arithmetic"))} \\\n  -d ${quoted(JSON.stringify(asked()))}`;
  }

  function asCommand() {
    const { terms, model, normalise: same, temperature, truncation } = asked();
    if (terms.some((/** @type {any} */ one) => one.latents)) return "# The command takes samples by their seeds. For a result in a slot, use curl or Python.";
    const words = terms.flatMap((/** @type {any} */ one, /** @type {number} */ at) => [one.weight < 0 ? "-" : at ? "+" : "", one.samples.join(",")]).filter(Boolean);
    return ["forger latent sum", words[0] === "-" ? "--" : "", ...words].filter(Boolean).join(" ").replace(/^forger latent sum/, ["forger latent sum", `--model ${model}`, same && "--normalise",
      temperature && `--temperature ${temperature}`, truncation && `--truncation ${truncation}`, "-o sum.png"].filter(Boolean).join(" "));
  }

  function asPython() {
    const { terms, ...named } = asked();
    return `from forger import Forger\n\nterms = ${literal(terms)}\nForger(${JSON.stringify(root.href)}).latent_figure(terms, ${Object.entries(named).map(([name, value]) => `${name}=${literal(value)}`).join(", ")}).save("sum.png")`;
  }

  aim(0);
  let drawnFor = "";
  return {
    element,
    async update(now) {
      chosen = now;
      const key = JSON.stringify(drawnBy(now));
      const named = slots.map((slot, at) => (drawnFor ? slot.names() : query.get(SLOTS[at][0]) ?? ""));
      const anew = key !== drawnFor;
      drawnFor = key;
      await Promise.all([tray.update(now), anew && Promise.all(slots.map((slot, at) => slot.restore(namesIn(named[at])))).then(draw)]);
    },
  };
}

/** The classes of a result. @param {import("./latents.js").Point} point */
function classWords(point) {
  const shares = /** @type {number[]} */ (point.weights).map((share, of) => ({ of, share })).filter(({ share }) => share >= 0.005).sort((a, b) => b.share - a.share);
  return shares.length === 1 ? `class ${shares[0].of}` : `a mixture of the classes ${shares.map(({ of, share }) => `${of} (${Math.round(100 * share)} %)`).join(", ")}`;
}
