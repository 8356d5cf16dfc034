// The way back: a picture translated and translated back, and the difference from where it began.

import { drawing, token } from "./canvas.js";
import { fill, h, setText } from "./dom.js";
import { number } from "./format.js";
import { difference, draw, makeGrey, pixelsOf, sheet } from "./pixels.js";

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

export function wayBack() {
  const pictures = h("div", { class: "journey" });
  const words = h("p", { role: "status" });
  const scale = drawing(LARGE, 34, paintLegend);
  const element = h("section", { class: "card", "aria-label": "The way back", hidden: true },
    h("h2", {}, "The way back"), words, pictures);
  let largest = LEVELS;
  /** @type {string[]} */
  let urls = [];

  /** @param {CanvasRenderingContext2D} context */
  function paintLegend(context) {
    for (let x = 0; x < LARGE; x += 1) {
      context.fillStyle = `rgb(${heat(x / (LARGE - 1)).join(" ")})`;
      context.fillRect(x, 0, 1, 12);
    }
    context.fillStyle = token("--muted");
    context.textBaseline = "bottom";
    context.fillText("0", 0, 30);
    context.textAlign = "right";
    context.fillText(`${number(Math.round(10 * largest) / 10)} levels of ${LEVELS}`, LARGE, 30);
  }

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
      largest = most;
      urls.forEach(URL.revokeObjectURL);
      urls = [first, there, back].map((blob) => URL.createObjectURL(blob));
      const small = Math.max(original.width, original.height) < LARGE;
      const image = (/** @type {string} */ source, /** @type {string} */ alt) => h("img", { src: source, alt, class: small ? "pixels" : "" });
      const map = mapOf(levels, original.width, original.height);
      map.className = small ? "pixels" : "";
      map.setAttribute("role", "img");
      map.setAttribute("aria-label", `Difference map: mean ${number(mean)}, largest ${number(most)} of ${LEVELS}`);
      fill(pictures, [first, there, back].map((_, index) => figure(titles[index], image(urls[index], titles[index]))),
        figure("difference of the first and the third", map, scale.element));
      scale.draw(`Colours of the difference map: dark is 0, light is ${number(most)} of ${LEVELS}`);
      element.dataset.mean = String(mean);
      setText(words, `After the way back, a pixel differs from the original by ${mean.toFixed(2)} of ${LEVELS} levels on average (${number((100 * mean) / LEVELS)} %), at most by ${number(most)}.`);
      element.hidden = false;
    },
  };

  /** @param {Float32Array} levels @param {number} width @param {number} height */
  function mapOf(levels, width, height) {
    const { canvas, context } = sheet(width, height);
    const image = context.createImageData(width, height);
    levels.forEach((level, index) => image.data.set([...heat(largest ? level / largest : 0), 255], 4 * index));
    context.putImageData(image, 0, 0);
    return canvas;
  }
}
