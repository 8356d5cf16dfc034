// "Is this my failure?": one's own job beside the lecture's run whose signs its figures show.

import { get } from "./api.js";
import { Chart } from "./chart.js";
import { empty, fill, h, setText, skeleton, stateWord } from "./dom.js";
import { count } from "./format.js";
import { lossChart, lossTable, picture } from "./lecture_runs.js";
import { follow } from "./log.js";
import { keep } from "./main.js";
import { inOneLine, readRun } from "./own_runs.js";
import { linked } from "./rooms/jobs.js";
import { courseCurves, factsOf, isNonSaturating } from "./run_facts.js";
import { nearest, ranked, reason } from "./signature.js";

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
  const verdict = h("div", { class: "stack", role: "status" });
  const result = h("div", { class: "stack" });
  /** @type {Chart[]} */
  let charts = [];
  fill(place, h("p", {}, "Choose a training. The page puts the lecture's run beside it whose signs its figures show."),
    h("label", { class: "field whole" }, "Your training", chosen), verdict, result);
  const clear = () => { for (const chart of charts) chart.destroy(); charts = []; };
  signal.addEventListener("abort", clear);

  let shown = "";
  async function read() {
    if (shown !== id) fill(result, skeleton(true));
    const run = await readRun(id, signal);
    if (run.job.id !== id || signal.aborted) return;
    shown = id;
    draw(run);
  }

  /** @param {Run} run */
  function draw(run) {
    clear();
    const facts = factsOf(run);
    const match = run.curves.names.length ? nearest(facts) : null;
    const lecture = lectures.find((one) => one.name === match?.name);
    const { job } = run;
    if (!match || !lecture) {
      fill(verdict, h("p", { class: "notice" }, run.curves.names.length ? "None of the six runs is near: against each of them more signs speak than for it. The table below lists them." : "Nothing is measured yet. The first report brings the losses, the first evaluation the rest."));
    } else {
      fill(verdict, h("div", { class: "notice", data: { nearest: lecture.name } }, h("p", {}, reason(lecture.title, match)),
        h("p", { class: "hint" }, "Signs that agree are no proof of the same cause. One look at the pictures decides more than all losses.")));
    }
    const own = chart(run);
    charts = [own];
    const [mine, theirs] = [ownCard(run, own), lecture && lectureCard(lecture, match)];
    if (lecture) charts.push(theirs?.chart ?? own);
    fill(result, h("div", { class: "charts" }, mine, theirs?.element), h("section", { class: "card" }, h("details", {}, h("summary", {}, "How near each of the six runs is"), signTable(facts, lectures))));
    document.title = `${job.model} beside the lectures · Forger`;
  }

  let due = 0;
  follow((event) => {
    if (event.job !== id || due || !["metrics", "state", "health"].includes(event.type)) return;
    due = setTimeout(() => { due = 0; if (!signal.aborted) void read().catch(() => undefined); }, REFRESH_MS);
  }, signal);
  signal.addEventListener("abort", () => clearTimeout(due));
  await read();
}

/** The losses of one's own run, as a course writes them. @param {Run} run */
function chart(run) {
  const made = new Chart("Losses of your run, at each report", courseCurves(run), {
    view: { scale: "linear", smoothing: 0, step: null, from: null, to: null, hidden: new Set() },
    onStep: () => undefined, onZoom: () => undefined, guides: isNonSaturating(run) ? [{ value: Math.log(2), text: "ln 2" }] : [], sync: "own-run",
  });
  made.show(["critic", "generator"]);
  return made;
}

/** @param {Run} run @param {Chart} losses */
function ownCard({ job }, losses) {
  const { health } = job;
  return h("section", { class: "card lecture", "aria-label": "Your run" }, h("h2", {}, "Your training: ", h("a", { href: `jobs/${job.id}` }, `${job.family ?? "a recipe of its own"} on ${job.dataset}`)),
    h("div", { class: "row" }, stateWord(job.state), health && stateWord(health.state), h("span", { class: "muted small" }, `step ${count(job.progress.step)} of ${count(job.progress.total)}`)),
    job.links.sample ? h("img", { class: "sheet", src: linked(job.links.sample), alt: "What your training drew last" }) : h("p", { class: "muted" }, "No picture yet."),
    losses.element, health && h("p", {}, h("b", {}, health.kind ? `${health.kind.replaceAll("_", " ")}: ` : "Health: "), health.message));
}

/** @param {Lecture} lecture @param {import("./signature.js").Match | null} match */
function lectureCard(lecture, match) {
  const losses = lossChart(lecture);
  const element = h("section", { class: "card lecture", "aria-label": `The lecture's run: ${lecture.title}` }, h("h2", {}, `The lecture's run: ${lecture.title}`),
    h("div", { class: "row muted small" }, `${count(lecture.steps)} steps on ${lecture.request.dataset}`), picture(lecture), losses.element,
    h("p", {}, h("b", {}, "Look for: "), lecture.look_for), lecture.went_wrong && h("p", {}, h("b", {}, "What went wrong: "), lecture.went_wrong), lossTable(lecture),
    match && h("p", { class: "hint" }, "Losses are compared as a course writes them: the critic's is halved."));
  return { element, chart: losses };
}

/** Every run with its signs. @param {import("./run_facts.js").Facts} facts @param {Lecture[]} lectures */
function signTable(facts, lectures) {
  const word = (/** @type {boolean | null} */ holds) => (holds === null ? "not measured" : holds ? "holds" : "does not hold");
  return h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Signs of each run" }, h("table", { class: "table small" },
    h("thead", {}, h("tr", {}, h("th", {}, "run"), h("th", {}, "sign"), h("th", {}, "here"), h("th", { class: "number" }, "counts"))),
    h("tbody", {}, ranked(facts).flatMap(({ name, signs, score }) => [
      h("tr", {}, h("td", {}, h("b", {}, lectures.find((one) => one.name === name)?.title ?? name)), h("td", { colspan: "2" }), h("td", { class: "number" }, h("b", {}, String(score).replace("-", "−")))),
      ...signs.map(({ text, holds, counts }) => h("tr", {}, h("td", {}), h("td", {}, text), h("td", {}, word(holds)), h("td", { class: "number" }, counts > 0 ? `+${counts}` : String(counts).replace("-", "−"))))]))));
}
