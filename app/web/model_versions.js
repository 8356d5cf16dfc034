// Versions of models: the options of a picker, a version by its name, and what it can do.

import { get, Problem } from "./api.js";
import { h } from "./dom.js";

/** The versions of all models as options, the newest of each first. @param {any[]} models */
export const versionOptions = (models) => models.map(({ name, versions }) => h("optgroup", { label: name },
  versions.map((/** @type {number} */ number) => h("option", { value: `${name}@${number}` }, `${name}@${number}`)).reverse()));

/** Read `name@version`, or the newest version of `name`; or take `newest`, and say why, if there is none or it is unfit.
 * @param {string} reference @param {any} newest @param {(version: any) => string | false} unfit what it cannot do
 * @param {AbortSignal} signal */
export async function readFitting(reference, newest, unfit, signal) {
  const instead = (/** @type {string} */ why) => ({ version: newest, why: `${why} ${newest.model} is chosen.` });
  try {
    const found = await get(`/models/${reference}`, {}, signal);
    const version = reference.includes("@") ? found : found.versions[0];
    const why = unfit(version);
    return why ? instead(why) : { version, why: "" };
  } catch (error) {
    if (error instanceof Problem) return instead(error.message);
    throw error;
  }
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

/** Whether it is known which data a version learned from; the file of a foreign model does not say it. @param {any} version */
export const dataKnown = (version) => !version.dataset.startsWith("(");

/** Whether the pictures of a version can be compared with those it learned from. @param {any} version */
export const comparable = (version) => drawsPictures(version) && dataKnown(version);
