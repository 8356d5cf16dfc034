// Figures over seeds: a ranking with intervals, what may be concluded from it, and the table of all figures.

import { h, scrolling } from "./dom.js";
import { number } from "./format.js";

/** @typedef {{case: string, mean: number | null, deviation: number | null, interval: [number, number] | null, n: number, best: boolean}} Cell */
/** @typedef {{name: string, title: string, better: "low" | "high" | null, provenance: any, provenance_text: string, citation: string, cases: Cell[]}} Figure */
/** @typedef {(name: string) => any} Naming what stands for a case: a text or a node */

const ARROWS = { low: " ↓", high: " ↑" };

/** The key of a provenance: equal keys were measured in the same way. @param {any} value @returns {string} */
const keyOf = (value) => JSON.stringify(value, (_, part) => (part && typeof part === "object" && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort()) : part));

/** Give each provenance a letter, if there are several. @param {{provenance: any, provenance_text: string}[]} figures */
export function provenances(figures) {
  const texts = new Map(figures.map((figure) => [keyOf(figure.provenance), figure.provenance_text]));
  const letters = new Map([...texts.keys()].map((key, index) => [key, texts.size > 1 ? String.fromCharCode(97 + (index % 26)) : ""]));
  return {
    /** @param {{provenance: any}} figure */
    mark: (figure) => (letters.get(keyOf(figure.provenance)) ? ` [${letters.get(keyOf(figure.provenance))}]` : ""),
    lines: [...texts].map(([key, text]) => (letters.get(key) ? `[${letters.get(key)}] ${text}` : `Measured ${text}.`)),
  };
}

/** An arrow to the better side. @param {any} figure */
export const arrow = ({ better }) => ARROWS[/** @type {"low" | "high"} */ (better)] ?? "";

/** A figure's name, the mark of its provenance, and an arrow to the better side. @param {any} figure @param {ReturnType<typeof provenances>} known */
export const heading = (figure, known) => `${figure.name.replaceAll("_", " ")}${known.mark(figure)}${arrow(figure)}`;

/** Cells with a mean, best first; in their order where no side is better. @param {Figure} figure */
export function ranked({ cases, better }) {
  const finite = cases.filter((cell) => cell.mean !== null);
  const sign = better === "high" ? -1 : better === "low" ? 1 : 0;
  return finite.sort((a, b) => sign * (/** @type {number} */ (a.mean) - /** @type {number} */ (b.mean)));
}

/** Whether two intervals have a value in common. @param {[number, number]} one @param {[number, number]} other */
const overlap = (one, other) => one[0] <= other[1] && other[0] <= one[1];

/** @param {[number, number]} interval */
const range = ([low, high]) => `[${number(low)}, ${number(high)}]`;

/** @param {string[]} names */
const listed = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`);

/** What may be concluded from the ranking, in a sentence. @param {Figure} figure @param {(name: string) => string} name */
export function verdict(figure, name) {
  const cells = ranked(figure);
  if (!cells.length) return "No value is finite yet.";
  const [best, ...others] = cells;
  const equal = cells.filter((cell) => cell.mean === best.mean);
  const leader = name(best.case);
  if (!others.length) return best.interval ? `The true mean of ${leader} is in ${range(best.interval)} with 95 % confidence.` : "One value has nothing to be compared with.";
  if (figure.better === null) return "No side of this figure is better: the cases are listed, not ranked.";
  if (equal.length > 1) return `${listed(equal.map((cell) => name(cell.case)))} have the same best mean, ${number(best.mean)}: this figure ranks none of them first.`;
  if (!best.interval) return `${leader} has the best value, ${number(best.mean)}, of one seed. One seed has no interval: another seed may turn the order.`;
  const spoken = `${number(best.mean)} ${range(best.interval)}`;
  const single = others.filter((cell) => !cell.interval).map((cell) => name(cell.case));
  const tied = others.filter((cell) => cell.interval && overlap(best.interval ?? [0, 0], cell.interval)).map((cell) => name(cell.case));
  if (tied.length) return `${leader} has the best mean, ${spoken}, but its interval overlaps ${tied.length > 1 ? "those" : "that"} of ${listed(tied)}: these seeds do not show that it is better.`;
  if (single.length) return `${leader} has the best mean, ${spoken}; ${listed(single)} ${single.length > 1 ? "have" : "has"} one seed and no interval.`;
  return `${leader} is best: ${spoken} lies apart from every other interval.`;
}

/** The cases of a figure, best first, each with its interval drawn to one scale. @param {Figure} figure @param {Naming} name */
export function ranking(figure, name) {
  const cells = ranked(figure);
  const ends = cells.flatMap((cell) => cell.interval ?? [/** @type {number} */ (cell.mean)]);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const share = (/** @type {number} */ value) => (high > low ? (100 * (value - low)) / (high - low) : 50);
  return scrolling(`Ranking by ${figure.title}`, h("table", { class: "table ranking" },
    h("thead", {}, h("tr", {}, ["rank", "case"].map((title) => h("th", {}, title)), h("th", { class: "wide-only" }, `${number(low)} to ${number(high)}`),
      ["mean", "deviation", "95 % interval", "seeds"].map((title) => h("th", { class: "number" }, title)))),
    h("tbody", {}, cells.map((cell, index) => h("tr", { data: { rank: index + 1, case: cell.case } },
      h("td", { class: "number" }, figure.better ? 1 + cells.findIndex((one) => one.mean === cell.mean) : "–"), h("th", { scope: "row" }, name(cell.case)), h("td", { class: "wide-only" }, whisker(cell, share)),
      h("td", { class: "number" }, number(cell.mean)), h("td", { class: "number" }, number(cell.deviation)),
      h("td", { class: "number" }, cell.interval ? range(cell.interval) : "–"), h("td", { class: "number" }, cell.n))))));
}

/** @param {Pick<Cell, "mean" | "interval">} cell @param {(value: number) => number} share of the scale in per cent */
export function whisker({ mean, interval }, share) {
  const [low, high] = interval ?? [mean, mean];
  const [left, right] = [share(/** @type {number} */ (low)), share(/** @type {number} */ (high))];
  return h("div", { class: "whisker", "aria-hidden": "true" },
    h("i", { style: { left: `${left}%`, width: `${right - left}%` } }), h("b", { style: { left: `${share(/** @type {number} */ (mean))}%` } }));
}

/** The figures of all cases: mean ± deviation [interval] (seeds). @param {Figure[]} figures @param {string[]} cases @param {Naming} name */
export function table(figures, cases, name) {
  const known = provenances(figures);
  return h("div", { class: "stack" },
    scrolling("Figures of all cases", h("table", { class: "table" },
      h("thead", {}, h("tr", {}, h("th", {}, "case"), figures.map((figure) => h("th", { class: "number", title: figure.title }, heading(figure, known))))),
      h("tbody", {}, cases.map((one) => h("tr", {}, h("th", { scope: "row" }, name(one)),
        figures.map((figure) => tableCell(figure.cases.find((cell) => cell.case === one)))))))),
    h("p", { class: "hint" }, "Mean ± standard deviation, 95 % confidence interval of the mean, number of seeds. ★ is the best mean of a column."),
    h("ul", { class: "hint" }, known.lines.map((line) => h("li", {}, line))));
}

/** @param {Cell | undefined} cell */
function tableCell(cell) {
  if (!cell) return h("td", { class: "number muted" }, "–");
  if (cell.mean === null) return h("td", { class: "number muted" }, "not finite");
  return h("td", { class: "number" }, cell.best && h("span", { title: "the best mean" }, "★ "), number(cell.mean), cell.deviation !== null && ` ± ${Number(cell.deviation.toPrecision(2))}`,
    h("br"), h("span", { class: "muted small" }, `${cell.interval ? `${range(cell.interval)} ` : ""}(${cell.n})`));
}

/** What the address calls a figure. @param {Figure} figure */
const figureKey = ({ name, provenance_text: text }) => `${name}, ${text}`;

/** The figure of a key, else the first of that name, else the first. @param {Figure[]} figures @param {string} key */
export const chosenFigure = (figures, key) =>
  figures.find((figure) => figureKey(figure) === key) ?? figures.find(({ name }) => name === key.split(",")[0]) ?? figures[0];

/**
 * Choose a figure; see its ranking, what may be concluded, and its provenance.
 * @param {Figure[]} figures @param {{chosen: string, onChoose: (key: string) => void, name: (one: string) => string, link?: Naming}} options
 */
export function rankingPanel(figures, { chosen, onChoose, name, link = name }) {
  const known = provenances(figures);
  const figure = chosenFigure(figures, chosen);
  const select = h("select", { "aria-label": "Figure", onchange: () => onChoose(figureKey(figures[select.selectedIndex])) },
    figures.map((one) => h("option", { selected: one === figure }, `${one.title}${known.mark(one)}${ARROWS[/** @type {"low" | "high"} */ (one.better)] ?? ""}`)));
  return h("div", { class: "stack" }, h("div", { class: "row" }, select), h("p", { class: "notice", data: { verdict: figure.name } }, verdict(figure, name)),
    ranking(figure, link), h("p", { class: "hint" }, figure.citation, "."));
}
