// Samples by their names, their latents, and mixtures of latents.

import { address, get } from "./api.js";
import { pictureSettings } from "./png.js";
import { pngOf } from "./pixels.js";

/**
 * A point of the latent space and its picture.
 * @typedef {{name: string | null, latent: number[], weights: number[] | null, image: string}} Point
 *   `name` is SEED.INDEX:CLASS, null for a point that no seed draws; `weights` are those of the classes, null without classes; `image` a PNG in base64
 */
/** @typedef {{version: any, asked: Record<string, any>}} Chosen a model's version and the parameters of GET /sample */

/** seeds, indices and classes that the service reads; it says what is wrong with others */
const NAME = /^\d{1,19}(\.\d+)?(:.+)?$/;
const LARGE = 384;
const MOST_SAMPLES = 64;

/** Whether a text looks like the name of a sample. @param {string} text */
export const isName = (text) => NAME.test(text);

/** The names in a part of the address. @param {string | null} text */
export const namesIn = (text) => (text ?? "").split(",").map((one) => one.trim()).filter(Boolean);

/** What the names of samples leave open. @param {Chosen} chosen */
export const drawnBy = ({ asked: { model, temperature, truncation } }) => ({ model, temperature, truncation });

/** How often a pixel is repeated, so that a picture is about 384 pixels wide. @param {any} version */
export const enlarged = ({ recipe }) => Math.max(1, Math.min(16, Math.floor(LARGE / recipe.data.side)));

/** The address of an image element for a PNG in base64. @param {string} png */
export const sourceOf = (png) => `data:image/png;base64,${png}`;

/**
 * Read samples with their latents, in the order of their names. Throws Problem.
 * @param {Chosen} chosen @param {string[]} names at most 16 @param {AbortSignal} signal @returns {Promise<Point[]>}
 */
export async function readPoints(chosen, names, signal) {
  if (!names.length) return [];
  const way = names.length > 1 ? names : [names[0], names[0]];
  const asked = { ...drawnBy(chosen), ...legs(way), frames: way.length, format: "json" };
  const { waypoints, latents, class_weights: weights, images } = await get("/interpolate", asked, signal);
  return names.map((_, at) => ({ name: waypoints[at], latent: latents[at], weights: weights?.[at] ?? null, image: images[at] }));
}

/** A way as parameters of GET /interpolate. @param {string[]} names */
export const legs = (names) => ({ from: names[0], via: names.slice(1, -1), to: names[names.length - 1] });

/**
 * Draw samples; each is named so that it is drawn again alone. Throws Problem.
 * @param {Chosen} chosen @param {AbortSignal} signal @returns {Promise<{name: string, image: string}[]>}
 */
export async function readSamples({ version, asked }, signal) {
  const ofEach = asked.class === "each" && Math.floor(MOST_SAMPLES / version.classes);
  const n = ofEach || Math.min(MOST_SAMPLES, Number(asked.n));
  const { images } = await get("/sample", { ...asked, class: ofEach === 0 ? null : asked.class, n: ofEach ? Math.min(n, 4) : n, format: "json" }, signal);
  return Promise.all(images.map(async (/** @type {string} */ image, /** @type {number} */ at) => {
    const found = await pictureSettings(pngOf(image));
    return { name: nameOf(found) ?? `${asked.seed}.${at}`, image };
  }));
}

/** The name of the sample that a PNG of Forger shows; null if it shows several, or none of a seed. @param {any} settings */
export function nameOf(settings) {
  if (settings?.seed === undefined) return null;
  const index = settings.index ?? (settings.n === 1 ? 0 : null);
  if (index === null || settings.class === "each") return null;
  return `${settings.seed}.${index}${settings.class === null || settings.class === undefined ? "" : `:${settings.class}`}`;
}

/** The name of a sample of the room's settings. @param {Chosen["asked"]} asked @param {number} index */
export const sampleName = (asked, index) => `${asked.seed}.${index}${/^\d+$/.test(asked.class ?? "") ? `:${asked.class}` : ""}`;

/** The class with the largest weight; null without classes. @param {{weights: number[] | null}} point */
export const classOf = ({ weights }) => (weights ? weights.indexOf(Math.max(...weights)) : null);

/** @param {number[]} one @param {number[]} other */
const dot = (one, other) => one.reduce((sum, value, at) => sum + value * other[at], 0);

/** Weighted sum. @param {number[][]} vectors @param {number[]} factors */
export const sum = (vectors, factors) => vectors[0].map((_, at) => vectors.reduce((total, vector, which) => total + factors[which] * vector[at], 0));

/**
 * The latent at a share of the way, on a great circle as GET /interpolate goes; straight where there is none.
 * @param {number[]} from @param {number[]} to @param {number} share from 0 to 1
 */
export function slerp(from, to, share) {
  const lengths = Math.sqrt(dot(from, from) * dot(to, to));
  const cosine = lengths ? dot(from, to) / lengths : 1;
  const angle = Math.acos(Math.max(-1, Math.min(1, cosine)));
  if (Math.sin(angle) < 1e-6) return sum([from, to], [1 - share, share]);
  return sum([from, to], [Math.sin((1 - share) * angle) / Math.sin(angle), Math.sin(share * angle) / Math.sin(angle)]);
}

/** Weights of classes that are not negative and sum to 1. @param {number[]} weights */
export function normalised(weights) {
  const positive = weights.map((weight) => Math.max(0, weight));
  const total = positive.reduce((one, other) => one + other, 0);
  return total ? positive.map((weight) => weight / total) : weights.map(() => 1 / weights.length);
}

/** The address of a way. @param {Chosen} chosen @param {string[]} names @param {Record<string, any>} [more] */
export const wayAddress = (chosen, names, more) => address("/interpolate", { ...drawnBy(chosen), ...legs(names), ...more });
