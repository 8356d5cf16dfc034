// Versions of models: the options of a picker, a version by its name, and what it can do.

import { get } from "./api.js";
import { h } from "./dom.js";

/** The versions of all models as options, the newest of each first. @param {any[]} models */
export const versionOptions = (models) => models.map(({ name, versions }) => h("optgroup", { label: name },
  versions.map((/** @type {number} */ number) => h("option", { value: `${name}@${number}` }, `${name}@${number}`)).reverse()));

/** Read `name@version`, or the newest version of `name`. Throws Problem. @param {string} reference @param {AbortSignal} signal */
export async function readVersion(reference, signal) {
  const found = await get(`/models/${reference}`, {}, signal);
  return reference.includes("@") ? found : found.versions[0];
}

/** The version that requests without a model mean: the newest, those of augmentations last. @param {any[]} models */
export const newestOf = (models) => models.map(({ latest }) => latest).sort((a, b) => augments(a) - augments(b) || newestFirst(a, b))[0];

/** 1 for the generator of an augmentation, else 0. @param {any} version */
const augments = ({ card }) => Number("augmentation" in card);

/** @param {{created_at: string}} a @param {{created_at: string}} b */
export const newestFirst = (a, b) => Date.parse(b.created_at) - Date.parse(a.created_at);

/** Whether a version draws from noise. @param {any} version */
export const samples = ({ game }) => ["synthesis", "reconstruction"].includes(game);

/** Whether people can judge a version: it draws pictures from noise. @param {any} version */
export const judged = (version) => samples(version) && version.recipe.data.kind === "images";
