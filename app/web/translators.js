// What each translator reads and returns, in facts and in words.

import { h } from "./dom.js";
import { number } from "./format.js";
import { dataKnown, drawsPictures } from "./model_versions.js";

/**
 * `reads`: a picture, lines (dark on white), a small picture that is enlarged, or a picture with a hole. `learned`: pixels
 * of the shorter side that it learned from; `side`: the same, but no less than the service translates. `dataKnown`:
 * whether `learned` is known. `both`: it translates in both directions. `searches`: it is a generator of pictures, whose
 * latents are searched for one that fills the hole.
 * @typedef {{reads: "picture" | "lines" | "small" | "hole", learned: number, side: number, dataKnown: boolean, grey: boolean, both: boolean, factor: number,
 *   needsHole: boolean, twoDomains: boolean, searches: boolean}} Translator
 */

const READS = /** @type {const} */ ({ given: "picture", edges: "lines", downscaling: "small", masks: "hole" });
/** the least side of a picture that the service translates */
const LEAST_SIDE = 16;

/** Whether a version turns pictures of one kind into another. @param {any} version */
export const translates = (version) => ["unpaired", "paired"].includes(version.game);

/** Whether a version turns pictures into pictures: it translates them, or fills holes by search. @param {any} version */
export const takesPictures = (version) => translates(version) || drawsPictures(version);

/** @param {any} version of a model @returns {Translator} */
export function translatorOf(version) {
  const { recipe: { game, data } } = version;
  const searches = !translates(version);
  const kind = version.game;
  const reads = searches ? "hole" : kind === "unpaired" ? "picture" : READS[/** @type {keyof typeof READS} */ (game.task)];
  const factor = reads === "small" ? game.factor : 1;
  const learned = Math.floor((data.load ?? data.side) / factor);
  return {
    reads, factor, learned, side: Math.max(LEAST_SIDE, learned), dataKnown: dataKnown(version), grey: data.channels === 1, both: kind === "unpaired", twoDomains: data.kind !== "images",
    needsHole: searches || (reads === "hole" && game.mask === "random"), searches,
  };
}

/** The groups of the picker, by what the models do. */
const GROUPS = /** @type {[string, (translator: Translator) => boolean][]} */ ([
  ["Translate pictures", ({ reads }) => reads === "picture"],
  ["Paint drawings", ({ reads }) => reads === "lines"],
  ["Enlarge pictures", ({ reads }) => reads === "small"],
  ["Fill holes", ({ reads, searches }) => reads === "hole" && !searches],
  ["Fill holes by search", ({ searches }) => searches],
]);

/** Models by what they do. @param {any[]} models @returns {[string, any[]][]} groups that are not empty */
export const grouped = (models) => GROUPS.map(([title, belongs]) =>
  /** @type {[string, any[]]} */ ([title, models.filter(({ latest }) => belongs(translatorOf(latest)))])).filter(([, members]) => members.length);

/** Groups as options, the newest version of each model first. @param {[string, any[]][]} groups */
export const groupOptions = (groups) => groups.map(([title, models]) => h("optgroup", { label: title },
  models.flatMap(({ name, versions }) => [...versions].sort((a, b) => b - a).map((version) => h("option", { value: `${name}@${version}` }, `${name}@${version}`)))));

/** What to give this translator, in a sentence. @param {Translator} translator */
export function request({ reads, learned, dataKnown: known, factor, searches }) {
  if (searches) return `This model generates pictures of ${learned} px from latents. A hole is filled by a search for the latent whose picture fits around it: paint the hole, and start the search. It takes seconds.`;
  if (!known) return "This model was trained elsewhere. Its file does not name the pictures that it learned from.";
  if (reads === "lines") return `This model paints drawings: dark lines on white. It learned from pictures of ${learned} px.`;
  if (reads === "hole") return `This model fills holes: paint over what it should replace. It learned from pictures of ${learned} px.`;
  if (reads === "small") return `This model makes each side ${number(factor)} times larger. It learned to enlarge pictures of ${learned} px.`;
  return `This model learned from pictures of ${learned} px.`;
}

/** The names of both domains: the folders of an upload, else a and b. @param {any} dataset or null @returns {[string, string]} */
export const domainNames = (dataset) => {
  const { a = "a", b = "b" } = dataset?.report?.folders ?? {};
  return [a, b];
};
