// One experiment: its progress, who is best and how sure that is, the fan over the seeds, and its cells.

import { address, get, post, remove } from "./api.js";
import { readView } from "./chart_view.js";
import { bar, confirmed, empty, fill, h, refill, scrolling, setText, stateWord, toast } from "./dom.js";
import { fanChart } from "./fan_chart.js";
import { chosenFigure, rankingPanel, table } from "./figures.js";
import { ago, count, number } from "./format.js";
import { ENDED } from "./job_states.js";
import { follow } from "./log.js";
import { go, keep } from "./main.js";
import { stateWords } from "./rooms/experiments.js";
import { shareButton } from "./share.js";
import { inNextFrame, throttled } from "./soon.js";

const PAUSE_MS = 400;
const MOST_COMPARED = 16;

/** @param {HTMLElement} main @param {{id: string, query: URLSearchParams, signal: AbortSignal}} place */
export async function page(main, { id, query, signal }) {
  const path = `/experiments/${encodeURIComponent(id)}`;
  const readAll = () => Promise.all([get(path, {}, signal), get(`${path}/jobs`, {}, signal)]);
  let [experiment, { data: measured }] = await readAll();
  const { recipe } = experiment.jobs.length ? await get(`/jobs/${experiment.jobs[0].id}`, {}, signal).catch(() => ({ recipe: {} })) : { recipe: {} };
  let figure = query.get("figure") ?? recipe.watch?.metric ?? "";
  document.title = `${experiment.name ?? "Experiment"} · Forger`;

  const head = h("section", { class: "stack" });
  const verdicts = h("div", { class: "stack" });
  const all = h("div", { class: "stack" });
  const cells = scrolling("Cells");
  const fan = fanChart({ jobs: experiment.jobs, cases: experiment.cases, wanted: query.get("curve"), view: readView(query), signal });
  fill(main, head,
    h("section", { class: "card" }, h("h2", {}, "Ranking"), verdicts), fan.element,
    h("section", { class: "card" }, h("h2", {}, "Cells"), h("p", { class: "hint" }, "Each cell is a job. Its figure is the one that is ranked above."), cells),
    h("section", { class: "card" }, h("div", { class: "spread" }, h("h2", {}, "All figures"), downloads(experiment)), all),
    h("section", { class: "card" }, h("details", {}, h("summary", {}, "Request"), h("pre", { tabIndex: 0, "aria-label": "Request as JSON" }, JSON.stringify(experiment.request, null, 2)))));

  const title = h("div", { class: "spread" });
  const progress = bar(0);
  const facts = h("div", { class: "row" });
  fill(head, title, progress, facts);

  function drawHead() {
    const { jobs, states } = experiment;
    const open = jobs.some((/** @type {any} */ job) => !ENDED.includes(job.state));
    refill(title, [open, jobs.length], () => [h("h1", {}, experiment.name ?? id), h("div", { class: "row writes" }, shareButton("experiment", () => experiment.id),
      jobs.length > 1 && h("a", { class: "button", href: compareFirst() }, "Compare the first seeds"),
      open && h("button", { type: "button", onclick: () => void attempt(cancel) }, "Cancel"),
      !open && h("button", { type: "button", class: "danger", onclick: () => void attempt(erase) }, "Delete"))]);
    const sum = (/** @type {"step" | "total"} */ of) => jobs.reduce((/** @type {number} */ total, /** @type {any} */ job) => total + (job[of] ?? 0), 0);
    progress.firstChild.style.width = `${sum("total") ? (100 * sum("step")) / sum("total") : 0}%`;
    const words = `${count(sum("step"))} of ${count(sum("total"))} steps · ${count(experiment.cases.length)} cases · ${count(jobs.length)} jobs · created ${ago(experiment.created_at)}`;
    refill(facts, [states, words], () => [stateWords(states), h("span", { class: "muted small" }, words)]);
  }

  /** The comparison of the first seed of each case; of one case, of all its seeds. */
  function compareFirst() {
    const { jobs, cases } = experiment;
    const first = cases.length > 1 ? cases.map((/** @type {string} */ of) => jobs.find((/** @type {any} */ job) => job.case === of)) : jobs;
    return `compare?jobs=${first.slice(0, MOST_COMPARED).map((/** @type {any} */ job) => job.id).join(",")}`;
  }

  function drawFigures() {
    const { figures, cases, jobs } = experiment;
    const waiting = jobs.some((/** @type {any} */ job) => !ENDED.includes(job.state));
    const none = () => empty(waiting ? "The first job that succeeds brings the first figures." : "Nothing was measured: none of its jobs both succeeded and was watched.");
    refill(verdicts, [figures, figure, waiting], () => (figures.length
      ? [waiting && h("p", { class: "hint" }, "Over the jobs that have succeeded so far; others still train."),
        rankingPanel(figures, { chosen: figure, name: (of) => of, onChoose: (key) => { figure = key; keep({ figure }); drawFigures(); drawCells(); } })]
      : none()));
    refill(all, figures, () => (figures.length ? table(figures, cases, (of) => of) : none()));
  }

  function drawCells() {
    const { jobs, cases, figures } = experiment;
    const seeds = [...new Set(jobs.map((/** @type {any} */ job) => job.seed))].sort((a, b) => a - b);
    const shown = chosenFigure(figures, figure);
    refill(cells, [jobs.map((/** @type {any} */ { step, ...others }) => others), measured, figure], () => h("table", { class: "table cells" },
      h("thead", {}, h("tr", {}, h("th", {}, "case"), seeds.map((seed) => h("th", { class: "number" }, `seed ${seed}`)))),
      h("tbody", {}, cases.map((/** @type {string} */ of) => h("tr", {}, h("th", { scope: "row" }, of), seeds.map((seed) => {
        const job = jobs.find((/** @type {any} */ one) => one.case === of && one.seed === seed);
        return h("td", { class: "number" }, job ? cell(job, shown) : "–");
      }))))));
    drawSteps();
  }

  /** Write the steps of the cells that show no figure yet; no link is built anew. */
  function drawSteps() {
    for (const { id: of, step, total } of experiment.jobs) {
      const place = cells.querySelector(`[data-cell="${of}"] [data-step]`);
      if (place) setText(place, `${count(step)} of ${count(total)}`);
    }
  }

  /** @param {any} job @param {any} shown the ranked figure */
  function cell(job, shown) {
    const figures = measured.find((/** @type {any} */ one) => one.id === job.id)?.figures ?? [];
    const found = shown && figures.find((/** @type {any} */ one) => one.name === shown.name && one.provenance_text === shown.provenance_text);
    const trouble = job.health?.state === "troubled" ? job.health : null;
    return h("a", { href: `jobs/${job.id}`, data: { cell: job.id }, title: trouble?.message ?? job.state },
      found ? h("b", {}, number(found.value)) : h("b", { data: { step: "" } }), h("br"),
      trouble && job.state === "succeeded" ? h("span", { class: "state troubled small" }, trouble.kind?.replaceAll("_", " ") ?? "troubled") : stateWord(job.state));
  }

  function draw() {
    drawHead();
    drawFigures();
    drawCells();
  }

  /** @param {() => Promise<void>} work */
  async function attempt(work) {
    try {
      await work();
    } catch (error) {
      toast(/** @type {Error} */ (error).message);
    }
  }

  async function cancel() {
    if (!(await confirmed("Cancel this experiment?", "Its jobs that have not ended are cancelled. Cancelled jobs do not go on.", "Cancel its jobs"))) return;
    experiment = await post(`${path}/cancel`);
    draw();
  }

  async function erase() {
    if (!(await confirmed("Delete this experiment?", "Its jobs and their models stay.", "Delete the experiment"))) return;
    await remove(path);
    go("experiments");
  }

  const drawStepsSoon = inNextFrame(() => {
    drawHead();
    drawSteps();
  }, signal);
  const readSoon = throttled(async () => {
    [experiment, { data: measured }] = await readAll();
    draw();
  }, PAUSE_MS, signal);
  follow(({ job: of, type, data }) => {
    const job = experiment.jobs.find((/** @type {any} */ one) => one.id === of);
    if (!job) return;
    if (type === "metrics") {
      job.step = Math.max(job.step, data.step);
      drawStepsSoon();
    } else if (["state", "health"].includes(type)) readSoon();
  }, signal);

  draw();
  await fan.begin(recipe.watch?.metric ?? null);
}

/** Links to the tables and the picture. @param {any} experiment */
function downloads({ id, name }) {
  const stem = name ?? id;
  const file = (/** @type {string} */ path, /** @type {string} */ ending, /** @type {string} */ format, /** @type {string} */ title) =>
    h("a", { class: "button", href: address(path, { format }), download: `${stem}${ending}.${format}` }, title);
  const path = `/experiments/${encodeURIComponent(id)}`;
  return h("div", { class: "row" }, file(path, "", "csv", "CSV of the cases"), file(`${path}/jobs`, "-jobs", "csv", "CSV of the jobs"), file(path, "", "png", "Picture"));
}
