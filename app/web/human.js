// Show how well people tell a model's pictures from real ones.

import { factBoxes, h } from "./dom.js";
import { count } from "./format.js";

/** @param {number} share */
const percent = (share) => `${Math.round(100 * share)} %`;

/**
 * The figure of a version, as its card holds it.
 * @param {any} figure @param {string} title
 */
export function humanFigure(figure, title) {
  const { interval: [low, high], provenance: from } = figure;
  const facts = /** @type {[string, string][]} */ ([
    ["right answers", `${count(figure.hits)} of ${count(figure.n)}`],
    ["accuracy", percent(figure.accuracy)],
    ["95 % interval", `${percent(low)} to ${percent(high)}`],
    ["fakes taken for real", `${count(figure.fakes_taken_for_real)} of ${count(figure.fakes)}`],
    ["median time", `${count(Math.round(figure.median_ms))} ms`],
    ["judges, rounds", `${count(figure.judges)}, ${count(figure.rounds)}`],
  ]);
  return h("section", { class: "stack", "aria-label": title },
    h("h3", {}, title),
    h("div", { class: "facts" }, factBoxes(facts)),
    h("p", { class: "hint" }, verdict(low, high), ` Real pictures: ${from.dataset}, ${from.split} split, ${from.side} × ${from.side} pixels; `,
      from.seeds.length === 1 ? `seed ${from.seeds[0]}.` : `${count(from.seeds.length)} seeds.`));
}

/** What the interval says. A person who guesses is right half of the time. @param {number} low @param {number} high */
function verdict(low, high) {
  if (low > 0.5) return "People tell the fakes from real pictures.";
  if (high < 0.5) return "People take the fakes for real more often than the real pictures.";
  return "The interval holds 50 %, so this may be guessing: more rounds make it narrower.";
}
