// "Is this my failure?": one's own job beside the lecture's run whose signs its figures show.

import { get } from "./api.js";
import { plainChart } from "./chart_view.js";
import { empty, fill, h, refill, scrolling, stateWord } from "./dom.js";
import { count } from "./format.js";
import { lossChart, lossTable, picture } from "./lecture_runs.js";
import { follow } from "./log.js";
import { keep } from "./main.js";
import { inOneLine, readRun } from "./own_runs.js";
import { linked } from "./rooms/jobs.js";
import { courseCurves, factsOf, isNonSaturating } from "./run_facts.js";
import { nearest, ranked, reason } from "./signature.js";
import { throttled } from "./soon.js";

/** @typedef {import("./lecture_runs.js").Lecture} Lecture */
/** @typedef {import("./run_facts.js").Run} Run */

const NEWEST = 100;
const REFRESH_MS = 2000;

/** @param {HTMLElement} place @param {Lecture[]} lectures @param {{query: URLSearchParams, signal: AbortSignal}} options */
export async function failure(place, lectures, { query, signal }) {
  const { data: jobs } = await get("/jobs", { kind: "train", limit: NEWEST }, signal);
  const known = query.get("job");
  if (known && !jobs.some((/** @type {any} */ job) => job.id === known)) jobs.unshift(await get(`/jobs/${encodeURIComponent(known)}`, {}, signal));
  if (!jobs.length) return void fill(place, empty("There is no training yet. Start one of the six runs, then come back.", "", h("a", { class: "button", href: "lectures" }, "The six runs")));
  let id = known ?? jobs[0].id;
  const chosen = h("select", { onchange: () => { id = chosen.value; keep({ job: id }); void read(); } },
    jobs.map((/** @type {any} */ job) => h("option", { value: job.id, selected: job.id === id }, inOneLine(job))));
  const verdict = h("div", { role: "status" });
  const mine = h("div");
  const theirs = h("div");
  const signs = h("div");
  const detail = h("section", { class: "card", hidden: true }, h("details", {}, h("summary", {}, "How near each of the six runs is"), signs));
  /** @type {ReturnType<typeof ownCard> | null} */
  let own = null;
  /** @type {ReturnType<typeof lectureCard> | null} */
  let beside = null;
  fill(place, h("p", {}, "Choose a training. The page puts the lecture's run beside it whose signs its figures show."),
    h("label", { class: "field whole" }, "Your training", chosen), verdict, h("div", { class: "charts" }, mine, theirs), detail);
  signal.addEventListener("abort", () => { own?.destroy(); beside?.destroy(); });

  async function read() {
    const run = await readRun(id, signal);
    if (run.job.id === id && !signal.aborted) draw(run);
  }

  /** Show a run. What has not changed stays, so that a report moves nothing that a person looks at. @param {Run} run */
  function draw(run) {
    const facts = factsOf(run);
    const match = run.curves.names.length ? nearest(facts) : null;
    const lecture = lectures.find((one) => one.name === match?.name) ?? null;
    refill(verdict, [match, run.curves.names.length > 0], () => verdictOn(match, lecture, run));
    if (own?.id !== run.job.id) {
      own?.destroy();
      own = ownCard(run);
      fill(mine, own.element);
    }
    own?.update(run);
    if (beside?.lecture !== lecture) {
      beside?.destroy();
      beside = lecture && lectureCard(lecture);
      fill(theirs, beside?.element);
    }
    refill(signs, facts, () => signTable(facts, lectures));
    detail.hidden = false;
    document.title = `${run.job.model} beside the lectures · Forger`;
  }

  const readSoon = throttled(read, REFRESH_MS, signal);
  follow(({ job, type }) => { if (job === id && ["metrics", "state", "health"].includes(type)) readSoon(); }, signal);
  await read();
}

/** Which run is nearest and why, or why none is. @param {import("./signature.js").Match | null} match @param {Lecture | null} lecture @param {Run} run */
function verdictOn(match, lecture, { curves }) {
  if (match && lecture) {
    return h("div", { class: "notice", data: { nearest: lecture.name } }, h("p", {}, reason(lecture.title, match)),
      h("p", { class: "hint" }, "Signs that agree are no proof of the same cause. One look at the pictures decides more than all losses."));
  }
  return h("p", { class: "notice" }, curves.names.length
    ? "None of the six runs is near: against each of them more signs speak than for it. The table below lists them."
    : "Nothing is measured yet. The first report brings the losses, the first evaluation the rest.");
}

/** One's own training: its state, its newest picture, and its losses as a course writes them. @param {Run} run */
function ownCard(run) {
  const { job } = run;
  const chart = plainChart("Losses of your run, at each report", courseCurves(run), { guides: isNonSaturating(run) ? [{ value: Math.LN2, text: "ln 2" }] : [], sync: "own-run" });
  const state = h("div", { class: "row" });
  const drawn = h("div");
  const health = h("div");
  const element = h("section", { class: "card lecture", "aria-label": "Your run" },
    h("h2", {}, "Your training: ", h("a", { href: `jobs/${job.id}` }, `${job.family ?? "a recipe of its own"} on ${job.dataset}`)), state, drawn, chart.element, health);
  return {
    id: job.id,
    element,
    destroy: () => chart.destroy(),
    /** @param {Run} next */
    update({ job: now, curves }) {
      refill(state, [now.state, now.health?.state, now.progress], () => [stateWord(now.state), now.health && stateWord(now.health.state),
        h("span", { class: "muted small" }, `step ${count(now.progress.step)} of ${count(now.progress.total)}`)]);
      refill(drawn, now.links.sample, () => (now.links.sample ? h("img", { class: "sheet", src: linked(now.links.sample), alt: "What your training drew last" }) : h("p", { class: "muted" }, "No picture yet.")));
      refill(health, now.health, () => now.health && h("p", {}, h("b", {}, now.health.kind ? `${now.health.kind.replaceAll("_", " ")}: ` : "Health: "), now.health.message));
      chart.curves = courseCurves({ job: now, curves });
      chart.show(chart.curves.names);
    },
  };
}

/** @param {Lecture} lecture */
function lectureCard(lecture) {
  const losses = lossChart(lecture);
  const element = h("section", { class: "card lecture", "aria-label": `The lecture's run: ${lecture.title}` }, h("h2", {}, `The lecture's run: ${lecture.title}`),
    h("div", { class: "row muted small" }, `${count(lecture.steps)} steps on ${lecture.request.dataset}`), picture(lecture), losses.element,
    h("p", {}, h("b", {}, "Look for: "), lecture.look_for), lecture.went_wrong && h("p", {}, h("b", {}, "What went wrong: "), lecture.went_wrong), lossTable(lecture),
    h("p", { class: "hint" }, "Losses are compared as a course writes them: the critic's is halved."));
  return { lecture, element, destroy: () => losses.destroy() };
}

/** Every run with its signs. @param {import("./run_facts.js").Facts} facts @param {Lecture[]} lectures */
function signTable(facts, lectures) {
  const word = (/** @type {boolean | null} */ holds) => (holds === null ? "not measured" : holds ? "speaks for it" : "speaks against it");
  return scrolling("Signs of each run", h("table", { class: "table small" },
    h("thead", {}, h("tr", {}, h("th", {}, "run"), h("th", {}, "sign"), h("th", {}, "here"), h("th", { class: "number" }, "counts"))),
    h("tbody", {}, ranked(facts).flatMap(({ name, signs, score }) => [
      h("tr", {}, h("td", {}, h("b", {}, lectures.find((one) => one.name === name)?.title ?? name)), h("td", { colspan: "2" }), h("td", { class: "number" }, h("b", {}, String(score).replace("-", "−")))),
      ...signs.map(({ text, holds, counts }) => h("tr", {}, h("td", {}), h("td", {}, text), h("td", {}, word(holds)), h("td", { class: "number" }, counts > 0 ? `+${counts}` : String(counts).replace("-", "−"))))]))));
}
