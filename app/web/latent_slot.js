// A slot of the sum: up to three pictures of a model, of which it is the mean.

import { Problem } from "./api.js";
import { fill, h, setText } from "./dom.js";
import { pointOf, refuse } from "./latent_file.js";
import { classOf, isName, readPoints, sourceOf } from "./latents.js";
import { DRAGGED } from "./sample_tray.js";

/** as many as the paper averages for a concept */
export const MOST_PICTURES = 3;

/** @typedef {import("./latents.js").Point} Point */
/** @typedef {import("./latents.js").Chosen} Chosen */

/**
 * @param {{letter: string, sign: string, chosen: () => Chosen, onChange: () => void, onAim: () => void, signal: AbortSignal}} options
 *   `onAim` is called when a person wants the next clicked sample here
 */
export function latentSlot({ letter, sign, chosen, onChange, onAim, signal }) {
  /** @type {Point[]} */
  let points = [];
  const pictures = h("div", { class: "row" });
  const refusal = h("p", { class: "refusal", role: "alert" });
  const aim = h("button", { type: "button", "aria-pressed": "false", onclick: onAim }, "Clicks go here");
  const seed = h("input", { size: 8, "aria-label": `Seed for ${letter}`, placeholder: "seed", title: "SEED, SEED.INDEX or SEED.INDEX:CLASS" });
  const file = h("input", {
    type: "file", accept: "image/png", class: "unseen", "aria-label": `Picture for ${letter}`,
    onchange: () => {
      attempt(() => addFile(file.files[0]));
      file.value = "";
    },
  });
  const element = h("section", { class: "card slot-of-sum", "aria-label": `Slot ${letter}` },
    h("div", { class: "spread" }, h("h2", {}, `${sign} ${letter}`.trim()), aim), pictures,
    h("form", { class: "row", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); attempt(addTyped); } }, seed, h("button", {}, "Add"),
      h("label", { class: "button" }, "Open a PNG", file)),
    refusal);

  for (const type of ["dragover", "dragleave", "drop"]) {
    element.addEventListener(type, (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      event.stopPropagation();
      element.classList.toggle("over", type === "dragover");
      if (type !== "drop") return;
      const dragged = event.dataTransfer?.getData(DRAGGED);
      const dropped = event.dataTransfer?.files[0];
      if (dragged) attempt(async () => takeDragged(JSON.parse(dragged)));
      else if (dropped) attempt(() => addFile(dropped));
    });
  }

  /** @param {any} dragged a point, or a sample's name */
  const takeDragged = (dragged) => (dragged.latent ? add(dragged) : addNames([dragged.name]));

  /** @param {() => Promise<void>} work */
  function attempt(work) {
    setText(refusal, "");
    work().catch((error) => {
      if (error instanceof Problem) setText(refusal, error.message);
      else if (!signal.aborted) console.error(error);
    });
  }

  /** @param {Point} point */
  async function add(point) {
    if (points.length >= MOST_PICTURES) refuse(`A slot takes ${MOST_PICTURES} pictures. Remove one first.`);
    points = [...points, point];
    show();
    onChange();
  }

  /** @param {string[]} names */
  async function addNames(names) {
    for (const point of await readPoints(chosen(), names, signal)) await add(point);
  }

  async function addTyped() {
    const name = seed.value.trim();
    if (!isName(name)) refuse("Type a seed, such as 3, or SEED.INDEX:CLASS, such as 3.0:7.");
    await addNames([name]);
    seed.value = "";
  }

  /** Take a picture by what Forger wrote into it. @param {File | undefined} picture */
  async function addFile(picture) {
    if (picture) await add(await pointOf(picture, chosen(), signal));
  }

  function show() {
    fill(pictures, points.map((point, at) => h("figure", { class: "waypoint" },
      h("img", { class: "pixels", src: sourceOf(point.image), alt: `${letter} ${at + 1}: ${point.name ?? "a result"}` }),
      h("figcaption", { class: "small" }, h("span", { class: "mono" }, point.name ?? (point.weights ? `class ${classOf(point)}` : "result")),
        h("button", {
          type: "button", class: "plain", "aria-label": `Remove picture ${at + 1} of ${letter}`,
          onclick: () => { points = points.filter((one) => one !== point); setText(refusal, ""); show(); onChange(); },
        }, "Remove")))), !points.length && h("span", { class: "hint" }, "Drop a PNG or a sample here, click a sample above, or type a seed."));
  }

  show();
  return {
    element,
    points: () => points,
    /** The names that the address keeps. */
    names: () => points.filter(({ name }) => name).map(({ name }) => name).join(","),
    /** @param {boolean} aimed */
    aimed: (aimed) => aim.setAttribute("aria-pressed", String(aimed)),
    /** @param {string} name */
    take: (name) => attempt(() => addNames([name])),
    /** @param {Point} point */
    takePoint: (point) => attempt(() => add(point)),
    /** Put samples in place of what stands here; a refusal is shown here. @param {string[]} names */
    async restore(names) {
      points = [];
      show();
      try {
        points = await readPoints(chosen(), names.slice(0, MOST_PICTURES), signal);
        setText(refusal, "");
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        setText(refusal, error.message);
      }
      show();
    },
  };
}

/** The slot as terms of the sum: one if its latents are of one class, else one for each picture. @param {Point[]} points @param {number} sign */
export function termsOf(points, sign) {
  const results = points.filter(({ name }) => name === null);
  const classes = new Set(results.map(classOf));
  if (classes.size > 1) return points.map((point) => term([point], sign / points.length));
  return points.length ? [term(points, sign)] : [];
}

/** @param {Point[]} points @param {number} weight */
function term(points, weight) {
  const results = points.filter(({ name }) => name === null);
  const of = results.length ? classOf(results[0]) : null;
  return {
    weight, samples: points.flatMap(({ name }) => name ?? []), ...(results.length ? { latents: results.map(({ latent }) => latent) } : {}),
    ...(of === null ? {} : { class: String(of) }),
  };
}
