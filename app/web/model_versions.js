// Versions of models: the options of a picker, a version by its name, and what it can do.

import { get, Problem } from "./api.js";
import { h } from "./dom.js";

/** The versions of all models as options, the newest of each first. @param {any[]} models */
export const versionOptions = (models) => models.map(({ name, versions }) => h("optgroup", { label: name },
  versions.map((/** @type {number} */ number) => h("option", { value: `${name}@${number}` }, `${name}@${number}`)).reverse()));

/** The version of a reference, `name@version` or `name`; `other` and the reason if there is none or `refusal` says why it does not serve.
 * @param {string} reference @param {any} other @param {(version: any) => string | false} refusal @param {AbortSignal} signal */
export async function readVersionOr(reference, other, refusal, signal) {
  /** @type {string | false} */
  let why;
  try {
    const found = await get(`/models/${reference}`, {}, signal);
    const version = reference.includes("@") ? found : found.versions[0];
    why = refusal(version);
    if (!why) return { version, why: "" };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    why = error.message;
  }
  return { version: other, why: `${why} ${other.model} is chosen.` };
}

/** The version that requests without a model mean: the newest, those of augmentations last. @param {any[]} models */
export const newestOf = (models) => models.map(({ latest }) => latest).sort((a, b) => augments(a) - augments(b) || newestFirst(a, b))[0];

/** 1 for the generator of an augmentation, else 0. @param {any} version */
const augments = ({ card }) => Number("augmentation" in card);

/** @param {{created_at: string}} a @param {{created_at: string}} b */
export const newestFirst = (a, b) => Date.parse(b.created_at) - Date.parse(a.created_at);

/** Whether a version draws from noise. @param {any} version */
export const samples = ({ game }) => ["synthesis", "reconstruction"].includes(game);

/** Whether a version draws pictures from noise. @param {any} version */
export const drawsPictures = (version) => samples(version) && version.recipe.data.kind === "images";

/** Whether the service knows which data a version learned from: the file of a foreign model does not name them. @param {any} version */
export const dataKnown = (version) => !version.dataset.startsWith("(");

/** Whether the pictures of a version can be compared with those that it learned from. @param {any} version */
export const comparableWithData = (version) => drawsPictures(version) && dataKnown(version);
