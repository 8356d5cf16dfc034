// Which pictures are alike: the cosines between their features, as a table and in a sentence.

import { h, scrolling } from "./dom.js";

/** most of the accent colour behind a number, in percent, so that the number stays readable */
const DARKEST = 45;

/**
 * The cosine of the angle between each two vectors: 1 for the same direction, 0 at a right angle or where a vector is 0.
 * @param {number[][]} vectors of one length @returns {number[][]}
 */
export function cosines(vectors) {
  const lengths = vectors.map((vector) => Math.hypot(...vector));
  return vectors.map((one, row) => vectors.map((other, column) => {
    const scale = lengths[row] * lengths[column];
    return scale ? one.reduce((sum, value, at) => sum + value * other[at], 0) / scale : 0;
  }));
}

/** Each two pictures, the most alike first. @param {number[][]} similarity */
const pairs = (similarity) => similarity.flatMap((row, one) => row.slice(one + 1).map((value, more) => ({ value, one, other: one + 1 + more })))
  .sort((a, b) => b.value - a.value);

/** @param {{value: number, one: number, other: number}} pair */
const inWords = ({ value, one, other }) => `${one + 1} and ${other + 1} (${value.toFixed(2)})`;

/** Which two pictures are the most alike, and which the least. @param {number[][]} similarity of at least two */
export function extremes(similarity) {
  const sorted = pairs(similarity);
  const most = `Most alike: pictures ${inWords(sorted[0])}.`;
  return sorted.length > 1 ? `${most} Least alike: ${inWords(sorted[sorted.length - 1])}.` : most;
}

/**
 * A table of all cosines; the darker a number's ground, the more alike are two different pictures.
 * @param {number[][]} similarity @param {{sources: string[], onRemove: (picture: number) => void}} options `sources` are addresses of the pictures
 */
export function similarityTable(similarity, { sources, onRemove }) {
  const values = pairs(similarity).map(({ value }) => value);
  const [largest, smallest] = [values[0], values[values.length - 1]];
  const heading = (/** @type {number} */ at, /** @type {string} */ scope) => h("th", { scope }, h("img", { class: "pixels", src: sources[at], alt: "" }), at + 1);
  const cell = (/** @type {number} */ value, /** @type {boolean} */ same) => {
    const element = h("td", { class: same ? "number muted" : "number" }, value.toFixed(2));
    const share = same ? 0 : largest > smallest ? (value - smallest) / (largest - smallest) : 0.5;
    element.style.background = `color-mix(in srgb, var(--accent) ${Math.round(DARKEST * share)}%, transparent)`;
    return element;
  };
  return scrolling("Cosine similarity of the pictures", h("table", { class: "similarity" },
    h("thead", {}, h("tr", {}, h("td"), sources.map((_, at) => heading(at, "col")), h("td"))),
    h("tbody", {}, similarity.map((row, one) => h("tr", {}, heading(one, "row"), row.map((value, other) => cell(value, one === other)),
      h("td", {}, h("button", { type: "button", class: "plain", "aria-label": `Remove picture ${one + 1}`, onclick: () => onRemove(one) }, "Remove")))))));
}
