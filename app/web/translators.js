// What each translator reads and returns, in facts and in words.

import { number } from "./format.js";

/**
 * `reads`: a picture, lines (dark on white), a small picture that is enlarged, or a picture with a hole. `learned`: pixels
 * of the shorter side that it learned from; `side`: the same, but no less than the service translates. `both`: it translates in both directions.
 * @typedef {{reads: "picture" | "lines" | "small" | "hole", learned: number, side: number, grey: boolean, both: boolean, factor: number,
 *   needsHole: boolean, dataset: string, twoDomains: boolean}} Translator
 */

const READS = /** @type {const} */ ({ given: "picture", edges: "lines", downscaling: "small", masks: "hole" });
/** the least side of a picture that the service translates */
const LEAST_SIDE = 16;

/** @param {any} version of a model */
export const translates = (version) => ["unpaired", "paired"].includes(version.game);

/** @param {any} version of a model @returns {Translator} */
export function translatorOf({ game: kind, recipe, dataset }) {
  const { game, data } = recipe;
  const reads = kind === "unpaired" ? "picture" : READS[/** @type {keyof typeof READS} */ (game.task)];
  const factor = reads === "small" ? game.factor : 1;
  const learned = Math.floor((data.load ?? data.side) / factor);
  return {
    reads, factor, learned, side: Math.max(LEAST_SIDE, learned), dataset, grey: data.channels === 1, both: kind === "unpaired", twoDomains: data.kind !== "images",
    needsHole: reads === "hole" && game.mask === "random",
  };
}

/** What to give this translator, in a sentence. @param {Translator} translator */
export function request({ reads, learned, factor }) {
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
