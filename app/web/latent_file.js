// A point of the latent space by what Forger wrote into a PNG.

import { Problem } from "./api.js";
import { drawnBy, nameOf, readPoints } from "./latents.js";
import { pictureSettings } from "./png.js";

/** @typedef {import("./latents.js").Point} Point */
/** @typedef {import("./latents.js").Chosen} Chosen */

/**
 * Read the point that a PNG of the chosen model shows. Throws Problem if it names none.
 * @param {Blob} picture @param {Chosen} chosen @param {AbortSignal} signal @returns {Promise<Point>}
 */
export async function pointOf(picture, chosen, signal) {
  const found = await pictureSettings(picture);
  if (!found?.model) refuse("This file carries no settings of Forger. For a picture of your own, find its latent under Edit; the PNG saved there fits here.");
  if (found.model !== chosen.asked.model) refuse(`${found.model} drew this picture. Choose that model above.`);
  if (found.latent) {
    const weights = found.class_weights ?? (found.class === null || found.class === undefined ? null : oneOf(chosen.version.classes, Number(found.class)));
    return { name: null, latent: found.latent, weights, image: await base64(picture) };
  }
  const name = nameOf(found) ?? refuse("This file shows several pictures, or none that a seed draws. Drop a single sample.");
  const drawn = { ...chosen, asked: { ...chosen.asked, temperature: found.temperature, truncation: found.truncation } };
  const [point] = await readPoints(drawn, [name], signal);
  // The name alone stands for the picture only at the settings of this page.
  return same(drawnBy(drawn), drawnBy(chosen)) ? point : { ...point, name: null };
}

/** @param {string} detail @returns {never} */
export function refuse(detail) {
  throw new Problem({ detail }, 422);
}

/** Weights of which one class has all. @param {number} classes @param {number} which */
export const oneOf = (classes, which) => (classes ? Array.from({ length: classes }, (_, at) => Number(at === which)) : null);

/** @param {Record<string, any>} one @param {Record<string, any>} other */
const same = (one, other) => ["model", "temperature", "truncation"].every((key) => Number(one[key] ?? -1) === Number(other[key] ?? -1) || one[key] === other[key]);

/** A file as text in base64. @param {Blob} file */
async function base64(file) {
  let text = "";
  for (const byte of new Uint8Array(await file.arrayBuffer())) text += String.fromCharCode(byte);
  return btoa(text);
}
