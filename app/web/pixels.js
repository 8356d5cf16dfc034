// Pixels of pictures: decode, resize, encode, trace edges, compare. Nothing here shows anything.

import { h } from "./dom.js";

/** gradient of the brightness, in levels of 255 per pixel, from which a traced edge is black: as in training */
const FULL_EDGE = 0.25 * 255;

/** @typedef {HTMLCanvasElement} Canvas */

/** Return a canvas and its context, white where `white` is true. @param {number} width @param {number} height */
export function sheet(width, height, white = false) {
  /** @type {Canvas} */
  const canvas = h("canvas", { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  if (white) {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
  }
  return { canvas, context };
}

/**
 * Make addresses of files for `<img>` and downloads; each call frees those of the call before, and the signal the last ones.
 * @param {AbortSignal} signal @returns {(files: Blob[]) => string[]}
 */
export function fileUrls(signal) {
  /** @type {string[]} */
  let urls = [];
  const free = () => urls.forEach((url) => URL.revokeObjectURL(url));
  signal.addEventListener("abort", free);
  return (files) => {
    free();
    urls = files.map((file) => URL.createObjectURL(file));
    return urls;
  };
}

/** A PNG that a reply of the API holds as text. @param {string} text in base64 */
export const pngOf = (text) => new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], { type: "image/png" });

/** Decode a picture, upright and in sRGB, as the service reads it; null if this browser cannot. @param {Blob} file */
export const decode = (file) => createImageBitmap(file).catch(() => null);

/** Draw a picture on a canvas, on white unless its transparency is kept. @param {ImageBitmap | Canvas} picture */
export function draw(picture, keepTransparency = false) {
  const { canvas, context } = sheet(picture.width, picture.height, !keepTransparency);
  context.drawImage(picture, 0, 0);
  return canvas;
}

/** Return the picture with its shorter side at `side` pixels. @param {ImageBitmap | Canvas} picture @param {number} side */
export async function resized(picture, side) {
  const scale = side / Math.min(picture.width, picture.height);
  const [width, height] = [picture.width, picture.height].map((edge) => Math.max(side, Math.round(edge * scale)));
  return createImageBitmap(picture, { resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
}

/** The centred square of a picture, as the service cuts it. @param {{width: number, height: number}} picture */
function centred({ width, height }) {
  const side = Math.min(width, height);
  return { left: Math.floor((width - side) / 2), top: Math.floor((height - side) / 2), side };
}

/** @param {ImageBitmap} picture */
export function squared(picture) {
  const { left, top, side } = centred(picture);
  return createImageBitmap(picture, left, top, side, side);
}

/** Put a mask of the centred square into black of the picture's size. @param {Canvas} mask @param {ImageBitmap} picture */
export function framed(mask, picture) {
  const { canvas, context } = sheet(picture.width, picture.height);
  const { left, top } = centred(picture);
  context.fillRect(0, 0, picture.width, picture.height);
  context.drawImage(mask, left, top);
  return canvas;
}

/**
 * Enlarge a picture without any model: repeat its pixels, or blend them. @param {ImageBitmap} picture
 * @param {number} width @param {number} height in pixels @param {boolean} blended bilinear, else each pixel is repeated
 */
export const enlargedPlainly = async (picture, width, height, blended) =>
  encode(draw(await createImageBitmap(picture, { resizeWidth: width, resizeHeight: height, resizeQuality: blended ? "low" : "pixelated" }), true));

/** @param {Canvas} canvas @returns {Promise<Blob>} a PNG */
export const encode = (canvas) => new Promise((resolve) => canvas.toBlob((blob) => resolve(/** @type {Blob} */ (blob)), "image/png"));

/** @param {Canvas} canvas */
export const pixelsOf = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).getImageData(0, 0, canvas.width, canvas.height);

/** The brightness by the weights of ITU-R 601, rounded as the service rounds it. @param {ArrayLike<number>} data @param {number} at */
const brightness = (data, at) => (data[at] * 19595 + data[at + 1] * 38470 + data[at + 2] * 7471 + 0x8000) >> 16;

/** Make pixels grey in place, as a model of grey pictures sees them. @param {ImageData} image */
export function makeGrey({ data }) {
  for (let at = 0; at < data.length; at += 4) data.fill(brightness(data, at), at, at + 3);
}

/**
 * Trace a picture's edges as dark lines on white, as the training of a model that reads drawings does: the darkness is
 * the Sobel gradient of the brightness. @param {Canvas} picture
 */
export function traced(picture) {
  const { width, height } = picture;
  const { data } = pixelsOf(picture);
  const level = (/** @type {number} */ x, /** @type {number} */ y) => {
    const at = 4 * (Math.min(height - 1, Math.max(0, y)) * width + Math.min(width - 1, Math.max(0, x)));
    return (data[at] + data[at + 1] + data[at + 2]) / 3;
  };
  const { canvas, context } = sheet(width, height, true);
  const lines = context.getImageData(0, 0, width, height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const across = (/** @type {number} */ side) => level(x + side, y - 1) + 2 * level(x + side, y) + level(x + side, y + 1);
      const down = (/** @type {number} */ side) => level(x - 1, y + side) + 2 * level(x, y + side) + level(x + 1, y + side);
      const strength = Math.hypot(across(1) - across(-1), down(1) - down(-1)) / 8 / FULL_EDGE;
      const at = 4 * (y * width + x);
      lines.data.fill(Math.round(255 * (1 - Math.min(1, strength))), at, at + 3);
    }
  }
  context.putImageData(lines, 0, 0);
  return canvas;
}

/**
 * Compare two pictures of one size: the absolute difference of each pixel, the mean of its three colours, from 0 to 255.
 * @param {ImageData} one @param {ImageData} other @returns {{levels: Float32Array, mean: number, largest: number}}
 */
export function difference({ data: one, width, height }, { data: other }) {
  const levels = new Float32Array(width * height);
  let [sum, largest] = [0, 0];
  for (let index = 0; index < levels.length; index += 1) {
    const at = 4 * index;
    const level = (Math.abs(one[at] - other[at]) + Math.abs(one[at + 1] - other[at + 1]) + Math.abs(one[at + 2] - other[at + 2])) / 3;
    levels[index] = level;
    sum += level;
    if (level > largest) largest = level;
  }
  return { levels, mean: sum / levels.length, largest };
}
