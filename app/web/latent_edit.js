// A sample, or the latent of a person's own picture, moved along directions: one slider for each, all at once.

import { address, Problem, root } from "./api.js";
import { directionsPanel } from "./directions.js";
import { copyButton, h, setText } from "./dom.js";
import { inversionPanel } from "./inversion.js";
import { latentPicture } from "./latent_picture.js";
import { classOf, drawnBy, readPoints, sampleName, sourceOf, sum } from "./latents.js";
import { keep } from "./main.js";
import { literal, quoted } from "./request_text.js";
import { sampleTray } from "./sample_tray.js";
import { debounced } from "./soon.js";

const KEEP_MS = 200;
const START = -1;

/** @typedef {import("./latents.js").Point} Point */

/** @param {{signal: AbortSignal}} options @returns {import("./latent_tools.js").Tool} */
export function latentEdit({ signal }) {
  const query = new URLSearchParams(location.search);
  const amounts = amountsIn(query.get("moves"));
  /** the sample at which the edit starts; null: the first of the room's settings */
  let start = query.get("start");
  /** @type {Point | null} */
  let point = null;
  /** whether the point is a person's own picture, which stays until another one is chosen */
  let own = false;
  /** where the next clicked sample goes: the start, or a slot of the directions */
  let aimed = START;
  let newest = 0;
  /** @type {import("./latents.js").Chosen} */
  let chosen;

  const refusal = h("p", { class: "refusal", role: "alert" });
  const edited = latentPicture({ alt: "The edited picture", refusal, signal });
  const [target, original] = ["Your picture", "The original"].map((alt) => h("img", { class: "pixels moving", alt }));
  const yours = h("figure", { class: "stack", hidden: true }, target, h("figcaption", { class: "muted small" }, "yours, as the model sees it"));
  const name = h("figcaption", { class: "muted small mono" });
  const aim = h("button", { type: "button", "aria-pressed": "true", hidden: true, onclick: () => aimAt(START) }, "Clicks go here");
  const tray = sampleTray({ hint: "Click a sample to edit it. Another seed or class above brings others.", onPick: pick, signal });
  const directions = directionsPanel({ chosen: () => chosen, amounts, onMove: moved, onAim: aimAt, onSlots, signal });
  const inversion = inversionPanel({
    chosen: () => chosen, signal,
    onFound({ point: found, target: picture, words }) {
      newest += 1;
      own = true;
      start = found.name;
      keep({ start });
      directions.reset();
      keepSoon();
      yours.hidden = !picture;
      if (picture) target.src = sourceOf(picture);
      begin(found, words);
      pictures.scrollIntoView({ block: "nearest" });
    },
  });
  const pictures = h("div", { class: "pair" }, yours, h("figure", { class: "stack" }, original, name),
    h("figure", { class: "stack" }, edited.picture, h("figcaption", { class: "muted small" }, "edited")));
  const copies = h("div", { class: "row", hidden: true }, edited.download, copyButton(asCurl, "curl"), copyButton(asPython, "Python"));
  const element = h("div", { class: "stack" }, tray.element, h("div", { class: "halves" },
    h("div", { class: "stack" },
      h("section", { class: "card", "aria-label": "Edit" }, h("div", { class: "spread" }, h("h2", {}, "Original and edited"), aim), refusal, pictures,
        copies,
        h("p", { class: "hint" }, "The PNG carries its latent: drop it on a slot of Arithmetic, or below to go on with it.")),
      inversion.element),
    directions.element));

  /** @param {number} at */
  function aimAt(at) {
    aimed = at;
    aim.setAttribute("aria-pressed", String(at === START));
    directions.slots.forEach((slot, other) => slot.aimed(other === at));
  }

  /** Clicks have another target only while the slots are open. @param {boolean} open */
  function onSlots(open) {
    aim.hidden = !open;
    if (!open) aimAt(START);
  }

  /** @param {string} sample */
  function pick(sample) {
    if (aimed !== START) return directions.slots[aimed].take(sample);
    start = sample;
    keep({ start });
    void read().catch((error) => signal.aborted || console.error(error));
  }

  /** Start at the chosen sample. */
  async function read() {
    const turn = ++newest;
    own = false;
    try {
      const [found] = await readPoints(chosen, [start ?? sampleName(chosen.asked, 0)], signal);
      if (turn !== newest) return;
      yours.hidden = true;
      begin(found, /** @type {string} */ (found.name));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (turn === newest) setText(refusal, error.message);
    }
  }

  /** @param {Point} found @param {string} words */
  function begin(found, words) {
    point = found;
    copies.hidden = false;
    original.src = sourceOf(found.image);
    setText(name, words);
    edited.download.download = `${model}-${found.name?.replace(":", "-") ?? "yours"}-edited.png`;
    draw();
  }

  const keepSoon = debounced(() => keep({ moves: [...amounts].map(([of, amount]) => `${of}:${amount}`).join(",") }), KEEP_MS, signal);

  function moved() {
    keepSoon();
    draw();
  }

  function draw() {
    if (!point) return;
    const { vectors, shares } = directions.moves();
    void edited.draw(chosen, sum([point.latent, ...vectors], [1, ...shares]), point.weights).catch((error) => signal.aborted || console.error(error));
  }

  /** The body of POST /edit that draws the edited picture; a mixture of classes counts as its largest one. */
  function asked() {
    const { model, temperature, truncation } = drawnBy(chosen);
    const { name: sample, latent, weights } = /** @type {Point} */ (point);
    const from = sample && !temperature && !truncation ? { samples: [sample] } : { latents: [latent], ...(weights ? { class: String(classOf({ weights })) } : {}) };
    return { model, ...from, moves: [Object.fromEntries(amounts)] };
  }

  function asCurl() {
    return `curl -o edited.png -H 'Accept: image/png' -H 'Content-Type: application/json' ${quoted(address("/edit"))} \\\n  -d ${quoted(JSON.stringify(asked()))}`;
  }

  function asPython() {
    const { moves, class: of, ...named } = /** @type {any} */ (asked());
    const given = Object.entries({ ...named, ...(of === undefined ? {} : { class_: of }) }).map(([key, value]) => `${key}=${literal(value)}`);
    return `from forger import Forger\n\nForger(${literal(root.href)}).edited_sheet(${[literal(moves), ...given].join(", ")}).save("edited.png")`;
  }

  let model = "";
  let drawnFor = "";
  return {
    element,
    async update(now) {
      const other = now.asked.model !== model;
      if (other && model) keep({ start: (start = null) });
      chosen = now;
      model = now.asked.model;
      const key = JSON.stringify([drawnBy(now), start ?? sampleName(now.asked, 0)]);
      const anew = other || (key !== drawnFor && !own);
      drawnFor = key;
      if (other) inversion.stop();
      inversion.update(now);
      await Promise.all([tray.update(now), (async () => {
        if (other) await directions.read();
        if (anew) await read();
      })()]);
    },
  };
}

/** Amounts by the names of directions. @param {string | null} text as NAME:AMOUNT,NAME:AMOUNT @returns {Map<string, number>} */
function amountsIn(text) {
  const found = (text ?? "").split(",").map((one) => one.split(":")).filter(([name, amount]) => name && Number(amount));
  return new Map(found.map(([name, amount]) => [name, Number(amount)]));
}
