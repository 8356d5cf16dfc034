// Small drawings that are no line charts: histograms, ribbons, and the plane of 2-D data.

import { h } from "./dom.js";
import { number } from "./format.js";

/** The value of a custom property of the design. @param {string} name */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Channels of a CSS colour, from 0 to 255. @param {string} colour @returns {[number, number, number]} */
export function channels(colour) {
  const context = /** @type {CanvasRenderingContext2D} */ (h("canvas", { width: 1, height: 1 }).getContext("2d"));
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return [red, green, blue];
}

/**
 * A canvas that is sharp on every screen. `paint` draws in CSS pixels; it is called again when asked to.
 * @param {number} width @param {number} height @param {(context: CanvasRenderingContext2D) => void} paint
 */
export function drawing(width, height, paint) {
  const canvas = h("canvas", { role: "img" });
  canvas.style.width = "100%";
  canvas.style.maxWidth = `${width}px`;
  canvas.style.aspectRatio = `${width} / ${height}`;
  return {
    /** @type {HTMLCanvasElement} */
    element: canvas,
    /** @param {string} words what the picture shows, for those who cannot see it */
    draw(words) {
      const ratio = devicePixelRatio;
      canvas.width = width * ratio;
      canvas.height = height * ratio;
      const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.scale(ratio, ratio);
      context.font = `11px ${token("--sans")}`;
      paint(context);
      canvas.setAttribute("aria-label", words);
    },
  };
}

/** A legend of colours and words. @param {[string, string][]} entries property and text */
export const legend = (entries) => h("div", { class: "legend" }, entries.map(([property, text]) => {
  const swatch = h("i");
  swatch.style.color = `var(${property})`;
  return h("span", { class: "state-free" }, swatch, ` ${text}`);
}));

/** An axis: what it shows, and its ends. @typedef {{title: string, low: number, high: number}} Axis */

const MARGIN = { left: 62, right: 12, top: 10, bottom: 34 };

/** The axes of a plane in a drawing: where a point stands, and their lines and words. @param {number} width @param {number} height @param {Axis} across @param {Axis} up */
export function axes(width, height, across, up) {
  const share = (/** @type {Axis} */ { low, high }, /** @type {number} */ value) => (value - low) / (high - low);
  const place = (/** @type {{x: number, y: number}} */ { x, y }) => ({
    x: MARGIN.left + share(across, x) * (width - MARGIN.left - MARGIN.right),
    y: height - MARGIN.bottom - share(up, y) * (height - MARGIN.top - MARGIN.bottom),
  });
  return {
    place,
    /** @param {CanvasRenderingContext2D} context */
    paint(context) {
      context.strokeStyle = token("--line");
      context.fillStyle = token("--muted");
      for (const part of [0, 0.5, 1]) {
        const value = { x: across.low + part * (across.high - across.low), y: up.low + part * (up.high - up.low) };
        const { x, y } = place(value);
        context.strokeRect(x, MARGIN.top, 0, height - MARGIN.top - MARGIN.bottom);
        context.textAlign = "center";
        context.fillText(number(value.x), x, height - 18);
        context.textAlign = "right";
        context.fillText(number(value.y), MARGIN.left - 6, y + 4);
      }
      context.textAlign = "center";
      context.fillText(across.title, width / 2, height - 4);
      context.save();
      context.translate(10, height / 2 - 10);
      context.rotate(-Math.PI / 2);
      context.fillText(up.title, 0, 0);
      context.restore();
    },
  };
}
