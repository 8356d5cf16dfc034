// The way back: a picture translated and translated back, and the difference from where it began.

import { fill, h, setText } from "./dom.js";
import { number } from "./format.js";
import { difference, draw, fileUrls, makeGrey, pixelsOf, sheet } from "./pixels.js";

const RAMP = [[10, 12, 40], [120, 30, 110], [235, 95, 55], [255, 235, 160]];
/** pixels of the screen that a small map is enlarged to */
const LARGE = 256;
const LEVELS = 255;

/** The colour of a share from 0 to 1, from dark to light. @param {number} share */
function heat(share) {
  const place = Math.min(1, Math.max(0, share)) * (RAMP.length - 1);
  const [index, rest] = [Math.min(RAMP.length - 2, Math.floor(place)), place - Math.min(RAMP.length - 2, Math.floor(place))];
  return RAMP[index].map((value, channel) => Math.round(value + rest * (RAMP[index + 1][channel] - value)));
}

/** @param {{signal: AbortSignal}} options */
export function wayBack({ signal }) {
  const pictures = h("div", { class: "journey" });
  const words = h("p", { role: "status" });
  const element = h("section", { class: "card", "aria-label": "The way back", hidden: true },
    h("h2", {}, "The way back"), words, pictures);
  const urls = fileUrls(signal);

  /** @param {string} title @param {Node} picture @param {...any} more */
  const figure = (title, picture, ...more) => h("figure", { class: "stack" }, picture, h("figcaption", { class: "muted small" }, title, more));

  return {
    element,
    /** Hide it until the next way back is there. */
    clear() {
      element.hidden = true;
      fill(pictures);
    },
    /**
     * Show the journey; nothing if this browser cannot read the first picture.
     * @param {{first: Blob, there: Blob, back: Blob, bitmaps: [ImageBitmap, ImageBitmap], grey: boolean, titles: [string, string, string]}} journey
     */
    show({ first, there, back, bitmaps, grey, titles }) {
      const [original, returned] = bitmaps.map((bitmap) => pixelsOf(draw(bitmap)));
      if (grey) makeGrey(original);
      const { levels, mean, largest: most } = difference(original, returned);
      const sources = urls([first, there, back]);
      const small = Math.max(original.width, original.height) < LARGE;
      const image = (/** @type {string} */ source, /** @type {string} */ alt) => h("img", { src: source, alt, class: small ? "pixels" : "" });
      const map = mapOf(levels, original.width, original.height, most);
      map.className = small ? "pixels" : "";
      map.setAttribute("role", "img");
      map.setAttribute("aria-label", `Difference map: mean ${number(mean)}, largest ${number(most)} of ${LEVELS}`);
      fill(pictures, sources.map((source, index) => figure(titles[index], image(source, titles[index]))),
        figure("difference of the first and the last", map, colours(), h("span", { class: "spread number" }, h("span", {}, "0"), h("span", {}, `${most.toFixed(0)} of ${LEVELS}`))));
      setText(words, `After the way back, a pixel differs from the original by ${mean.toFixed(2)} of ${LEVELS} levels on average (${((100 * mean) / LEVELS).toFixed(1)} %), at most by ${most.toFixed(0)}.`);
      element.hidden = false;
    },
  };
}

/** Draw the map: dark where both pictures agree, light at the largest difference. @param {Float32Array} levels @param {number} width @param {number} height @param {number} largest */
function mapOf(levels, width, height, largest) {
  const { canvas, context } = sheet(width, height);
  const image = context.createImageData(width, height);
  levels.forEach((level, index) => image.data.set([...heat(largest ? level / largest : 0), 255], 4 * index));
  context.putImageData(image, 0, 0);
  return canvas;
}

/** The colours of the map from left to right. */
function colours() {
  const { canvas, context } = sheet(LARGE, 1);
  for (let x = 0; x < LARGE; x += 1) {
    context.fillStyle = `rgb(${heat(x / (LARGE - 1)).join(" ")})`;
    context.fillRect(x, 0, 1, 1);
  }
  canvas.setAttribute("aria-hidden", "true");
  canvas.className = "colours";
  return canvas;
}
