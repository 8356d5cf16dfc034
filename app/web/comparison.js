// Several trainings beside each other: curves on one axis, recipes, samples of the same noise, figures. Live.

import { get } from "./api.js";
import { Chart, label } from "./chart.js";
import { chartControls } from "./chart_view.js";
import { differenceTable, sampleCards, showJobs, valueTable } from "./comparison_parts.js";
import { Curves } from "./curves.js";
import { empty, fill, h, refill, scrolling, skeleton } from "./dom.js";
import { rankingPanel, table } from "./figures.js";
import { count, number } from "./format.js";
import { shortNames, variant } from "./job_names.js";
import { follow } from "./log.js";
import { keep } from "./main.js";
import { inNextFrame, throttled } from "./soon.js";
import { stepCursor } from "./step_cursor.js";

const MOST_POINTS = 2000;
/** points of all jobs in one chart */
const POINTS_TOGETHER = 8000;
const PAUSE_MS = 400;

/**
 * Fill a place with a comparison of two jobs or more.
 * @param {HTMLElement} place
 * @param {{ids: string[], view: import("./chart.js").View, query: URLSearchParams, onRemove: (id: string) => void, signal: AbortSignal}} options
 */
export async function comparison(place, { ids, view, query, onRemove, signal }) {
  const read = () => get("/compare", { jobs: ids.join(",") }, signal);
  let [compared, { data: datasets }] = await Promise.all([read(), get("/datasets", {}, signal)]);
  const ofPoints = new Set(datasets.filter((/** @type {any} */ one) => one.kind === "points").map((/** @type {any} */ one) => one.name));
  const points = Math.min(MOST_POINTS, Math.floor(POINTS_TOGETHER / ids.length));
  const names = shortNames(compared.jobs);
  const nameOf = (/** @type {string} */ id) => names.get(id) ?? id;
  /** What stands for several seeds: its first job's name without the seed. @param {string} id */
  const variantOf = (id) => variant(compared.jobs.find((/** @type {any} */ job) => job.id === id) ?? { id, family: null, seed: 0, case: null });
  /** @type {Map<string, Curves>} the jobs' curves of one name, each by its job's id */
  const curves = new Map();
  /** @type {Map<string, Chart>} */
  const charts = new Map();
  let figure = query.get("figure") ?? compared.jobs[0].metric ?? "";

  const jobs = scrolling("Compared trainings");
  const samples = sampleCards({ seed: query.get("seed") ?? "1", nameOf, ofPoints: new Set(compared.jobs.filter((/** @type {any} */ job) => ofPoints.has(job.dataset)).map((/** @type {any} */ job) => job.id)) });
  const holder = h("div", { class: "charts" }, skeleton(true));
  const thinned = h("span", { class: "muted small" });
  const recipes = h("div", { class: "stack" });
  const figures = h("div", { class: "stack" });
  const controls = chartControls(view, () => charts.values());
  const cursor = stepCursor(view, () => charts.forEach((chart) => chart.mark()));
  fill(place,
    h("section", { class: "card" }, jobs),
    h("section", { class: "stack" }, h("div", { class: "spread" }, h("h2", {}, "Curves"), h("div", { class: "row" }, thinned, controls.element)), holder),
    cursor.element,
    h("section", { class: "card" }, samples.element),
    h("section", { class: "card" }, h("h2", {}, "Differences of the recipes"), recipes),
    h("section", { class: "card" }, h("h2", {}, "Figures"), figures));
  signal.addEventListener("abort", () => charts.forEach((chart) => chart.destroy()));

  /** @param {string} name of a curve */
  function curvesOf(name) {
    let found = curves.get(name);
    if (!found) curves.set(name, (found = new Curves()));
    return found;
  }

  /** The value of a job at a step, or the last one before it with its step: nothing is interpolated. @param {Curves} of @param {string} id @param {number} step */
  function reading(of, id, step) {
    const curve = of.byName.get(id);
    if (curve?.has(step)) return { text: number(curve.get(step)), value: curve.get(step) };
    const before = of.stepBefore(id, step);
    return before === null ? { text: "–", value: undefined } : { text: `${number(curve?.get(before))} at ${count(before)}`, value: curve?.get(before) };
  }

  /** The names of curves: those that decide a best checkpoint first, then figures, losses and gauges. */
  function order() {
    const watched = new Set(compared.jobs.map((/** @type {any} */ job) => `figure/${job.metric}`));
    const rank = (/** @type {string} */ name) => (watched.has(name) ? 0 : ["figure", "critic", "generator"].indexOf(name.split("/")[0]) + 1 || 4);
    return [...curves.keys()].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  }

  function drawCharts() {
    if (!curves.size) return fill(holder, empty("The first report of a training brings its curves."));
    if (!charts.size) fill(holder);
    for (const name of order()) {
      let chart = charts.get(name);
      if (!chart) {
        const of = curvesOf(name);
        chart = new Chart(titleOf(name), of, {
          view, sync: "compare", onStep: cursor.set, onZoom: controls.zoom, text: nameOf,
          value: (id, step) => reading(of, id, step), onHide: hide,
        });
        charts.set(name, chart);
        holder.append(chart.element);
      }
      chart.show(ids);
    }
    cursor.setRange(Math.max(...[...curves.values()].map((of) => of.last)));
  }

  /** Hide a job's curves in every chart. @param {string} id @param {boolean} shown */
  function hide(id, shown) {
    charts.forEach((chart) => chart.setShown(id, shown));
    keep({ hidden: [...view.hidden].join(",") });
  }

  function drawFigures() {
    const repeated = compared.figures.filter((/** @type {any} */ one) => one.cases.length);
    const cases = [...new Set(repeated.flatMap((/** @type {any} */ one) => one.cases.map((/** @type {any} */ cell) => cell.case)))];
    refill(figures, [compared.figures, figure], () => [
      valueTable(compared.figures, ids, nameOf),
      repeated.length > 0 && h("section", { class: "stack" }, h("h3", {}, "Over the seeds"),
        h("p", { class: "hint" }, "Trainings whose recipes differ only in the seed count as one case."),
        rankingPanel(repeated, { chosen: figure, name: variantOf, onChoose: (key) => { figure = key; keep({ figure }); drawFigures(); } }),
        table(repeated, cases, variantOf))]);
  }

  const drawJobs = () => showJobs(jobs, compared.jobs, { nameOf, onRemove });

  function draw() {
    drawJobs();
    refill(recipes, compared.differences, () => differenceTable(compared.differences, ids, nameOf));
    samples.show(compared);
    drawFigures();
  }

  const readSoon = throttled(async () => {
    compared = await read();
    draw();
  }, PAUSE_MS, signal);
  const drawLiveSoon = inNextFrame(() => {
    drawJobs();
    drawCharts();
  }, signal);

  follow(({ job, type, data }) => {
    if (!ids.includes(job)) return;
    if (type === "metrics") {
      for (const [name, value] of Object.entries(data.values)) curvesOf(name).report(data.step, { [job]: /** @type {number | null} */ (value) });
      const known = compared.jobs.find((/** @type {any} */ one) => one.id === job);
      known.step = Math.max(known.step, data.step);
    } else {
      if (type === "rewound") curves.forEach((of) => of.rewind(data.to_step, job));
      readSoon();
    }
    drawLiveSoon();
  }, signal);

  draw();
  await Promise.all(ids.map(async (id) => {
    const { data } = await get(`/jobs/${id}/metrics`, { points }, signal);
    for (const curve of data) curvesOf(curve.name).read([{ ...curve, name: id }]);
  }));
  if ([...curves.values()].some((of) => of.thinned)) fill(thinned, `Long curves are thinned to ${count(points)} points; their extremes are kept.`);
  drawCharts();
}

/** @param {string} name of a curve */
function titleOf(name) {
  const [of, rest] = name.split("/");
  const word = label(rest ?? of);
  return { critic: `Loss of the critic: ${word}`, generator: `Loss of the generator: ${word}` }[of] ?? word[0].toUpperCase() + word.slice(1);
}
