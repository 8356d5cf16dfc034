// The parts of a comparison that are not curves: its jobs, differences of recipes, samples, figures of single jobs.

import { paint } from "./chart.js";
import { h, refill, scrolling, setText, stateWord } from "./dom.js";
import { heading, provenances } from "./figures.js";
import { count, number } from "./format.js";
import { keep } from "./main.js";
import { inWords } from "./recipe.js";
import { linked } from "./rooms/jobs.js";
import { diceButton } from "./seed_dice.js";

/** points drawn of a model of points */
const POINTS = 400;

/** @typedef {(id: string) => string} Naming */

/** Show the jobs; while only their steps change, no link or button is built anew. @param {Element} place @param {any[]} jobs @param {{nameOf: Naming, onRemove: (id: string) => void}} options */
export function showJobs(place, jobs, options) {
  refill(place, jobs.map(({ step, ...others }) => others), () => jobTable(jobs, options));
  for (const { id, step } of jobs) setText(/** @type {Element} */ (place.querySelector(`[data-job="${id}"] [data-step]`)), count(step));
}

/** @param {any[]} jobs @param {{nameOf: Naming, onRemove: (id: string) => void}} options */
function jobTable(jobs, { nameOf, onRemove }) {
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["line", "training", "data", "state"].map((title) => h("th", {}, title)), h("th", { class: "number" }, "step"), h("th", {}, "best checkpoint"), h("th", {}, "model"), h("th", {}, h("span", { class: "unseen" }, "remove")))),
    h("tbody", {}, jobs.map((job, index) => {
      const swatch = h("i", { class: "swatch" });
      paint(swatch, index);
      return h("tr", { data: { job: job.id } }, h("td", {}, swatch), h("th", { scope: "row" }, h("a", { href: `jobs/${job.id}` }, nameOf(job.id))), h("td", {}, job.dataset),
        h("td", {}, stateWord(job.state)), h("td", { class: "number", data: { step: "" } }),
        h("td", {}, job.best ? `${job.best.metric.replaceAll("_", " ")} ${number(job.best.value)} at ${count(job.best.step)}` : "–"),
        h("td", {}, job.model ? h("a", { href: `sample?model=${encodeURIComponent(job.model)}` }, job.model) : "–"),
        h("td", { class: "number" }, h("button", { type: "button", "aria-label": `Remove ${nameOf(job.id)}`, onclick: () => onRemove(job.id) }, "Remove")));
    })));
}

/** What differs between the recipes, a row for each field. @param {{path: string, values: any[]}[]} differences @param {string[]} ids @param {Naming} nameOf */
export function differenceTable(differences, ids, nameOf) {
  if (!differences.length) return h("p", { class: "muted" }, "The recipes are equal.");
  return scrolling("Differences of the recipes", h("table", { class: "table" },
    h("thead", {}, h("tr", {}, h("th", {}, "field"), ids.map((id) => h("th", {}, nameOf(id))))),
    h("tbody", {}, differences.map(({ path, values }) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, path.slice(1).replaceAll("/", "."))),
      values.map((value) => h("td", {}, inWords(value))))))));
}

/** The figures of single jobs, a column for each figure of one provenance. @param {any[]} figures @param {string[]} ids @param {Naming} nameOf */
export function valueTable(figures, ids, nameOf) {
  if (!figures.length) return h("p", { class: "muted" }, "Nothing is measured yet.");
  const known = provenances(figures);
  return h("div", { class: "stack" },
    scrolling("Figures of each training", h("table", { class: "table" },
      h("thead", {}, h("tr", {}, h("th", {}, "training"), figures.map((figure) => h("th", { class: "number", title: figure.title }, heading(figure, known))))),
      h("tbody", {}, ids.map((id) => h("tr", {}, h("th", { scope: "row" }, h("a", { href: `jobs/${id}` }, nameOf(id))), figures.map((figure) => valueCell(figure, id))))))),
    h("p", { class: "hint" }, "Of each training's best checkpoint, or of an evaluation of its published one. ★ is the best value of a column; one training has no interval."),
    h("ul", { class: "hint" }, known.lines.map((line) => h("li", {}, line))));
}

/** @param {any} figure @param {string} id */
function valueCell(figure, id) {
  const found = figure.jobs.find((/** @type {any} */ one) => one.job === id);
  if (!found) return h("td", { class: "number muted" }, "–");
  const best = figure.better && found.value === figure.jobs[0].value && figure.jobs.some((/** @type {any} */ one) => one.value !== found.value);
  return h("td", { class: "number" }, best && h("span", { title: "the best value" }, "★ "), found.value === null ? "not finite" : number(found.value),
    h("br"), h("span", { class: "muted small" }, found.step !== null && `step ${count(found.step)}`));
}

/**
 * Samples of all jobs from one noise. `ofPoints` are the jobs that draw points of the plane.
 * @param {{seed: string, nameOf: Naming, ofPoints: Set<string>}} options
 */
export function sampleCards({ seed, nameOf, ofPoints }) {
  /** @type {any} */
  let shown = null;
  const input = h("input", { inputMode: "numeric", pattern: "[0-9]{1,19}", size: 12, value: seed, onchange: () => use(input.value) });
  const about = h("p", { class: "hint" });
  const cards = h("div", { class: "grid narrow" });
  const element = h("div", { class: "stack" }, h("div", { class: "spread" }, h("h2", {}, "Samples"),
    h("div", { class: "row" }, h("label", { class: "small" }, "Seed of the noise", input),
      diceButton("Another noise", use))), cards, about);

  /** @param {string} value */
  function use(value) {
    input.value = seed = /^[0-9]{1,19}$/.test(value) ? value : "1";
    keep({ seed: seed === "1" ? null : seed });
    draw();
  }

  function draw() {
    refill(cards, [shown.samples, seed], () => shown.samples.map((/** @type {any} */ one) => card(one)));
    setText(about, sameNoise(shown.differences)
      ? "Published models draw from the same latents: the examples at one place of each picture belong together."
      : "The latents of these trainings differ in shape: their noise is not the same. Only the seed is.");
  }

  /** @param {any} sample */
  function card({ job, href, report }) {
    const title = nameOf(job);
    const picture = (/** @type {string} */ source, /** @type {string} */ words) => h("figure", { class: "stack", data: { sample: job } },
      h("img", { class: ofPoints.has(job) ? "sheet" : "sheet pixels", src: source, alt: `${title}: ${words}`, loading: "lazy" }), h("figcaption", { class: "small" }, h("b", {}, title), h("br"), h("span", { class: "muted" }, words)));
    if (href) return picture(drawnFrom(href, job), `its model, seed ${seed}`);
    if (report) return picture(linked(report.href), `step ${count(report.step)} of the training, from its own noise`);
    return h("div", { class: "empty" }, `${title} has no picture yet.`);
  }

  /** @param {string} href of /sample @param {string} job */
  function drawnFrom(href, job) {
    const url = new URL(linked(href));
    url.searchParams.set("seed", seed);
    url.searchParams.set("format", "png");
    if (ofPoints.has(job)) url.searchParams.set("n", String(POINTS));
    return url.href;
  }

  return {
    element,
    /** @param {any} compared */
    show(compared) {
      shown = compared;
      draw();
    },
  };
}

/** Whether equal seeds give equal latents: no difference in the recipes' latents. @param {{path: string}[]} differences */
const sameNoise = (differences) => !differences.some(({ path }) => path === "/latent" || path.startsWith("/latent/"));
