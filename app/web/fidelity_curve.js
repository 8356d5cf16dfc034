// The trade between fidelity and diversity: precision over recall, at temperatures and at thresholds of truncation.

import { post, Problem } from "./api.js";
import { axes, drawing, legend, token } from "./canvas.js";
import { h, scrolling, setText } from "./dom.js";
import { count, number } from "./format.js";
import { go } from "./main.js";

const WIDTH = 420;
const HEIGHT = 280;
const RADIUS = 4;
const LETTER = 10;
/** the series, with their colours */
const SERIES = [["temperature", "--curve-1"], ["truncation", "--curve-2"]];
/** where a value may stand beside its point, in half widths of the text and in pixels: above, below, right, left */
const BESIDE = [[0, -8], [0, 17], [1, 4], [-1, 4], [1, -8], [-1, 17], [1, 17], [-1, -8]];

/** @typedef {Record<string, number>} Place the figures at a temperature or a truncation, which is one of them */

/** The ends of an axis: tenths around all values. @param {string} title @param {number[]} values @returns {import("./canvas.js").Axis} */
function axisOf(title, values) {
  const [low, high] = [Math.floor(10 * Math.min(...values)) / 10, Math.ceil(10 * Math.max(...values)) / 10];
  return { title, low, high: Math.max(high, low + 0.1) };
}

/** @typedef {{left: number, right: number, top: number, bottom: number}} Box */

/** @param {number} centre @param {number} bottom @param {number} half of the width @param {number} height @returns {Box} */
const box = (centre, bottom, half, height) => ({ left: centre - half, right: centre + half, top: bottom - height, bottom });

/** @param {Box} one @param {Box} other */
const overlap = (one, other) => one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;

/** The newest curve of a version's card. @param {any} curve */
export function fidelityCurve(curve) {
  const all = /** @type {Place[]} */ (SERIES.flatMap(([name]) => curve[name]));
  const grid = axes(WIDTH, HEIGHT, axisOf("recall (diversity)", all.map(({ recall }) => recall)), axisOf("precision (fidelity)", all.map(({ precision }) => precision)));
  const picture = drawing(WIDTH, HEIGHT, (context) => {
    grid.paint(context);
    const dots = SERIES.map(([name, colour]) => ({
      colour: token(colour), places: curve[name].map((/** @type {Place} */ one) => ({ ...grid.place({ x: one.recall, y: one.precision }), value: String(one[name]) })),
    }));
    const taken = dots.flatMap(({ places }) => places.map((/** @type {any} */ { x, y }) => box(x, y + RADIUS, RADIUS, 2 * RADIUS)));
    context.textAlign = "center";
    for (const { colour, places } of dots) {
      context.strokeStyle = context.fillStyle = colour;
      context.beginPath();
      for (const { x, y } of places) context.lineTo(x, y);
      context.stroke();
      for (const { x, y, value } of places) {
        context.beginPath();
        context.arc(x, y, RADIUS, 0, 2 * Math.PI);
        context.fill();
        const half = context.measureText(value).width / 2 + 1;
        const choices = BESIDE.map(([across, down]) => box(x + across * (half + RADIUS + 2), y + down, half, LETTER));
        const free = choices.find((one) => one.left > 0 && one.right < WIDTH && !taken.some((other) => overlap(one, other))) ?? choices[0];
        taken.push(free);
        context.fillText(value, free.left + half, free.bottom);
      }
    }
  });
  const title = "Fidelity against diversity";
  picture.draw(`Precision over recall at ${curve.temperature.length} temperatures and ${curve.truncation.length} truncations; the table below has the values.`);
  const { provenance } = curve;
  return h("section", { class: "stack", "aria-label": title }, h("h3", {}, title), picture.element,
    legend(SERIES.map(([name, colour]) => [colour, `${name}, its value at each point`])),
    h("p", { class: "hint" }, `Lower values give more typical and less varied pictures. ${count(curve.n)} examples at each point, ${provenance.split} split, features ${provenance.features}.`),
    h("details", {}, h("summary", {}, "As a table"), scrolling(title, h("table", { class: "table" },
      h("thead", {}, h("tr", {}, h("th", {}, ""), ["value", "precision", "recall", "Fréchet distance"].map((text) => h("th", { class: "number" }, text)))),
      h("tbody", {}, SERIES.flatMap(([name]) => curve[name].map((/** @type {Place} */ one) => h("tr", {}, h("th", { scope: "row" }, name),
        [one[name], one.precision, one.recall, one.frechet].map((value) => h("td", { class: "number" }, number(value)))))))))));
}

/** How the curve of a version is measured, by a click or by a command. @param {string} model name@version @param {AbortSignal} signal */
export function measureCurve(model, signal) {
  const refusal = h("p", { class: "refusal", role: "alert" });
  const button = h("button", { type: "button", onclick: () => void measure().catch((error) => signal.aborted || console.error(error)) }, "Measure it");

  async function measure() {
    button.disabled = true;
    try {
      const job = await post("/jobs", { kind: "evaluate", model, curve: true }, signal);
      go(`jobs/${job.id}`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setText(refusal, error.message);
      button.disabled = false;
    }
  }

  return h("section", { class: "stack", "aria-label": "Fidelity against diversity" },
    h("div", { class: "row" }, h("span", { class: "hint" }, "How temperature and truncation trade diversity for fidelity is not measured yet. Measuring takes minutes."), button, h("code", {}, `forger evaluate ${model} --curve`)), refusal);
}
