// The chart of one curve over all cases of an experiment, live: a line and a band for each case.

import { get } from "./api.js";
import { Chart, label } from "./chart.js";
import { chartControls } from "./chart_view.js";
import { Curves } from "./curves.js";
import { empty, fill, h, setText } from "./dom.js";
import { fanOf } from "./fan.js";
import { count, number } from "./format.js";
import { follow } from "./log.js";
import { keep } from "./main.js";
import { inNextFrame } from "./soon.js";
import { stepCursor } from "./step_cursor.js";

const POINTS = 2000;
const AT_ONCE = 6;
const HEIGHT = 300;
/** edges of a band, as curves: no case has a name with a space */
const LOW = " low";
const HIGH = " high";

/**
 * @param {{jobs: any[], cases: string[], wanted: string | null, view: import("./chart.js").View, signal: AbortSignal}} options
 */
export function fanChart({ jobs, cases, wanted, view, signal }) {
  /** @type {Map<string, Map<number, number | null>>} of the chosen curve, by job */
  let byJob = new Map();
  /** @type {Map<string, import("./fan.js").Fan>} by case */
  const fans = new Map();
  const curves = new Curves();
  let chosen = "";
  /** @type {Chart | undefined} */
  let chart;
  const select = h("select", { "aria-label": "Curve", onchange: () => void choose(select.value) });
  const note = h("p", { class: "hint" });
  const place = h("div", { class: "charts" }, empty("The first report of a training brings its curves."));
  const controls = chartControls(view, () => (chart ? [chart] : []));
  const cursor = stepCursor(view, () => chart?.mark());
  const element = h("section", { class: "stack" },
    h("div", { class: "spread" }, h("div", { class: "row" }, h("h2", {}, "Over the seeds"), select), controls.element), place, cursor.element, note);

  const caseOf = new Map(jobs.map((job) => [job.id, job.case]));
  signal.addEventListener("abort", () => chart?.destroy());

  /** Read the names of the curves from the first jobs that have some. */
  async function readNames() {
    for (const job of jobs.slice(0, cases.length)) {
      const { data } = await get(`/jobs/${job.id}/metrics`, { points: 10 }, signal);
      if (data.length) return data.map((/** @type {any} */ curve) => curve.name);
    }
    return [];
  }

  let naming = false;
  /** Offer the curves, once there are some. @param {string | null} preferred */
  async function begin(preferred) {
    if (naming || chosen) return;
    naming = true;
    const names = await readNames().finally(() => { naming = false; });
    if (!names.length) return;
    const first = [wanted, preferred && `figure/${preferred}`].find((name) => name && names.includes(name)) ?? names[0];
    fill(select, names.map((/** @type {string} */ name) => h("option", { value: name, selected: name === first }, label(name).replace("/", ": "))));
    await choose(first);
  }

  /** @param {string} name of a curve */
  async function choose(name) {
    if (chosen) keep({ curve: name });
    chosen = name;
    /** @type {typeof byJob} */
    const read = new Map(jobs.map((job) => [job.id, new Map()]));
    byJob = read;
    let thinned = false;
    const waiting = [...jobs];
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let job = waiting.shift(); job && chosen === name; job = waiting.shift()) {
        const { data: [curve] } = await get(`/jobs/${job.id}/metrics`, { name, points: POINTS }, signal);
        for (const [step, value] of curve?.points ?? []) read.get(job.id)?.set(step, value);
        thinned ||= curve?.thinned ?? false;
      }
    }));
    if (chosen !== name) return;
    setText(note, `Line: mean over the seeds. Band: ± one sample standard deviation. Only steps at which every seed that has come so far was measured are drawn; the number in brackets says how many these are.${thinned ? ` Curves longer than ${count(POINTS)} points are thinned, which leaves fewer such steps.` : ""}`);
    chart?.destroy();
    chart = new Chart(label(name).replace("/", ": "), curves, {
      view, sync: "fan", height: HEIGHT, onStep: cursor.set, onZoom: controls.zoom,
      text: (of) => of, bands: (of) => [of + LOW, of + HIGH], value: reading,
    });
    chart.element.classList.add("whole");
    fill(place, chart.element);
    cases.forEach(join);
    cursor.setRange(curves.last);
    chart.show(cases);
  }

  /** Join the curves of a case anew. @param {string} of */
  function join(of) {
    const fan = fanOf(jobs.filter((job) => job.case === of).map((job) => byJob.get(job.id) ?? new Map()));
    fans.set(of, fan);
    for (const [name, points] of Object.entries({ [of]: fan.mean, [of + LOW]: fan.low, [of + HIGH]: fan.high })) curves.byName.set(name, points);
  }

  /** The mean of a case at a step, or at the last one before it. @param {string} of @param {number} step */
  function reading(of, step) {
    const at = curves.stepBefore(of, step);
    if (at === null) return { text: "–", value: undefined };
    const { n, deviation } = fans.get(of)?.seeds.get(at) ?? { n: 0, deviation: null };
    const value = curves.byName.get(of)?.get(at);
    return { value, text: `${number(value)}${deviation === null ? "" : ` ± ${Number(deviation.toPrecision(2))}`} (${n})${at === step ? "" : ` at ${count(at)}`}` };
  }

  /** @type {Set<string>} cases with news */
  const changed = new Set();
  const drawSoon = inNextFrame(() => {
    changed.forEach(join);
    changed.clear();
    cursor.setRange(curves.last);
    chart?.refresh();
  }, signal);
  follow(({ job, type, data }) => {
    const of = caseOf.get(job);
    if (!of || !["metrics", "rewound"].includes(type)) return;
    if (!chosen) return void begin(null).catch(() => undefined);
    const points = byJob.get(job);
    if (type === "metrics" && chosen in data.values) points?.set(data.step, data.values[chosen]);
    else if (type === "rewound") for (const step of [...points?.keys() ?? []]) if (step > data.to_step) points?.delete(step);
    changed.add(of);
    drawSoon();
  }, signal);

  return { element, begin };
}
