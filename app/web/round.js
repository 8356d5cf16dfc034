// A round of "Spot the fake": which pictures it shows, in which order, and what was answered.

import { get } from "./api.js";
import { pngOf } from "./pixels.js";

/** @typedef {"real" | "fake"} Word */
/** @typedef {{truth: Word, index: number}} Shown a picture: number `index` of those that the seed gives */
/** @typedef {Shown & {guess: Word, ms: number}} Answer */

export const LEAST_MS = 100;
const MOST_MS = 600_000;

/**
 * The order of a round: half real and half fakes, shuffled. Equal seeds give equal orders everywhere.
 * @param {string} seed a whole number below 2^63 @param {number} n an even number @returns {Shown[]}
 */
export function orderOf(seed, n) {
  const random = numbers(BigInt(seed));
  const order = Array.from({ length: n }, (_, place) => /** @type {Shown} */ ({ truth: place % 2 ? "fake" : "real", index: place >> 1 }));
  for (let last = n - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/** A linear congruential generator modulo 2^64 (Knuth's MMIX); its upper bits are used. @param {bigint} state @returns {() => number} */
function numbers(state) {
  const next = () => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
    return Number(state >> 40n) / 2 ** 24;
  };
  for (let skipped = 0; skipped < 4; skipped++) next(); // seeds that are close begin alike
  return next;
}

/**
 * Read the pictures of a round, decoded: real ones at the size that the model draws.
 * @param {any} version @param {string} seed @param {number} n @param {AbortSignal} signal
 * @returns {Promise<Record<Word, ImageBitmap[]>>}
 */
export async function picturesOf(version, seed, n, signal) {
  const { side, channels } = version.recipe.data;
  const asked = { n: n / 2, seed, format: "json" };
  const [real, fake] = await Promise.all([
    get(`/datasets/${encodeURIComponent(version.dataset)}/pictures`, { ...asked, side, channels }, signal),
    get("/sample", { ...asked, model: version.model }, signal),
  ]);
  const decoded = (/** @type {string[]} */ pngs) => Promise.all(pngs.map((png) => createImageBitmap(pngOf(png))));
  return { real: await decoded(real.images), fake: await decoded(fake.images) };
}

/** @param {Shown} shown @param {Word} guess @param {number} ms @returns {Answer} longer waits count as ten minutes */
export const answered = (shown, guess, ms) => ({ ...shown, guess, ms: Math.min(MOST_MS, Math.max(LEAST_MS, Math.round(ms))) });

/** The middle of some numbers. @param {number[]} values at least one */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
