// The six runs of the lecture as cards: picture, losses, what to look for, what went wrong, and a start at a size that fits.

import { get, post, root } from "./api.js";
import { plainChart } from "./chart_view.js";
import { Curves } from "./curves.js";
import { fill, h, refill, setText, stateWord, toast } from "./dom.js";
import { count, duration, number } from "./format.js";
import { fittingSteps, LEAST, sized } from "./lecture_size.js";
import { follow } from "./log.js";
import { go, keep } from "./main.js";
import { dryRun } from "./plan.js";

/** @typedef {import("./lecture_size.js").Cost} Cost */
/** @typedef {{step: number | null, generator: number, critic: number}} Losses */
/** @typedef {{name: string, title: string, look_for: string, went_wrong: string | null, request: Record<string, any>, losses: Losses[], course: Losses[] | null, steps: number, seconds: number, picture: string}} Lecture */

const DATA = [["digits", "digits, built in"], ["mnist", "MNIST, as in the lecture"]];
const MINUTES = [["1", "1 minute"], ["3", "3 minutes"], ["10", "10 minutes"], ["", "the whole run"]];

/** The address of a lecture's picture. @param {Lecture} lecture */
export const picture = (lecture, alt = `What our run of "${lecture.title}" drew at its end`) =>
  h("img", { class: "sheet", src: new URL(lecture.picture, root).href, alt, loading: "lazy" });

/** @param {HTMLElement} place @param {Lecture[]} lectures @param {{query: URLSearchParams, signal: AbortSignal}} options */
export async function runs(place, lectures, { query, signal }) {
  const chosen = {
    data: DATA.some(([name]) => name === query.get("data")) ? /** @type {string} */ (query.get("data")) : "digits",
    minutes: MINUTES.some(([name]) => name === query.get("minutes")) ? /** @type {string} */ (query.get("minutes")) : "1",
  };
  const select = (/** @type {string} */ title, /** @type {"data" | "minutes"} */ name, /** @type {string[][]} */ values) => {
    const control = h("select", { onchange: () => { chosen[name] = control.value; keep(chosen); void askAll(); } },
      values.map(([value, text]) => h("option", { value, selected: value === chosen[name] }, text)));
    return h("label", { class: "field" }, title, control);
  };
  const cards = lectures.map((lecture) => card(lecture, signal));
  const refusal = h("p", { class: "refusal", role: "alert" });
  fill(place,
    h("p", {}, "A course trains six GANs one after the other. Look at the pictures before the losses: one of the failed runs has the losses of a good one."),
    h("div", { class: "row bottom" }, select("Train on", "data", DATA), select("For about", "minutes", MINUTES), refusal),
    h("p", { class: "hint" }, "A run that is too short looks like a failure: on digits our good run repeated itself until about step 400, and came near the data at about step 800. The critic's losses here are halved, as courses write them: a job's own page shows the sum, which rests at 2 ln 2."),
    h("div", { class: "grid lectures" }, cards.map(({ element }) => element)));
  signal.addEventListener("abort", () => cards.forEach((one) => one.destroy()));

  /** Ask what each run takes, one after the other. */
  async function askAll() {
    const { data, minutes } = chosen;
    setText(refusal, "");
    if (data === "mnist") void missing(data, signal).then((sentence) => { if (chosen.data === data) setText(refusal, sentence); });
    for (const one of cards) {
      if (signal.aborted || data !== chosen.data || minutes !== chosen.minutes) return;
      await one.ask(data, minutes === "" ? null : Number(minutes));
    }
  }

  follow(({ type, job }) => {
    if (type === "state") void get(`/jobs/${job}`, {}, signal).then((changed) => cards.forEach((one) => one.showIfNewest(changed)), () => undefined);
  }, signal);
  for (const one of cards) void one.readNewest().catch(() => undefined);
  await askAll();
}

/** Why a dataset cannot be read here; empty if it can. @param {string} dataset @param {AbortSignal} signal @returns {Promise<string>} */
const missing = (dataset, signal) => get(`/datasets/${dataset}/pictures`, { n: 1, seed: 0, format: "json" }, signal).then(() => "", (error) => error.message);

/** @param {Lecture} lecture @param {AbortSignal} signal */
function card(lecture, signal) {
  const chart = lossChart(lecture);
  const cost = h("span", { class: "muted small", role: "status" });
  const start = h("button", { type: "button", class: "main", disabled: true, onclick: () => void begin(), "aria-label": `Start ${lecture.title}` }, "Start");
  const change = h("a", { class: "button", href: "new" }, "Change it first");
  const own = h("div", { class: "small" });
  /** @type {Record<string, any> | null} */
  let body = null;
  /** @type {string | null} */
  let newest = null;
  /** @type {Map<string, [Cost, Cost]>} by dataset, once the service knows them */
  const costs = new Map();
  const { look_for: lookFor, went_wrong: wentWrong } = lecture;
  const element = h("section", { class: "card lecture", "aria-label": lecture.title, data: { lecture: lecture.name } },
    h("h2", {}, lecture.title), picture(lecture), lossTable(lecture), chart.element,
    h("p", {}, h("b", {}, "Look for: "), lookFor), wentWrong && h("p", {}, h("b", {}, "What went wrong: "), wentWrong),
    h("div", { class: "row" }, start, change, cost), own);

  /** What few steps cost and what all cost; asked for again only while the service cannot say. @param {string} dataset @returns {Promise<[Cost, Cost]>} */
  async function costsOn(dataset) {
    const costOf = async (/** @type {number} */ steps) => ({ steps, minutes: (await dryRun(sized(lecture.request, dataset, steps), signal)).estimate?.minutes ?? null });
    const found = costs.get(dataset) ?? await Promise.all([costOf(LEAST), costOf(lecture.steps)]);
    if (found.every(({ minutes }) => minutes !== null)) costs.set(dataset, found);
    return found;
  }

  /** Ask for the estimate of a size that fits. @param {string} dataset @param {number | null} minutes */
  async function ask(dataset, minutes) {
    const steps = minutes === null ? lecture.steps : fittingSteps(...await costsOn(dataset), minutes);
    body = sized(lecture.request, dataset, steps);
    const plan = await dryRun(body, signal);
    const known = plan.estimate?.minutes;
    const { recipe, seed, overrides, model } = body;
    change.href = `new?${new URLSearchParams({ family: recipe, dataset, seed, model, steps: String(steps), overrides: JSON.stringify(overrides) })}`;
    start.disabled = plan.refusals.length > 0;
    setText(cost, plan.refusals.length ? plan.refusals[0].message
      : `${count(steps)} steps on ${dataset}; ${typeof known === "number" ? `about ${duration(60 * known)} here` : "how long is not known before the first training here"}`);
  }

  async function begin() {
    start.disabled = true;
    try {
      const job = await post("/jobs", body);
      toast(`${lecture.title} is queued.`, ["Open the job", () => go(`jobs/${job.id}`)]);
      show(job);
    } catch (error) {
      toast(/** @type {Error} */ (error).message);
    } finally {
      start.disabled = false;
    }
  }

  async function readNewest() {
    const { data: [job] } = await get("/jobs", { model: lecture.request.model, kind: "train", limit: 1 }, signal);
    if (job) showIfNewest(job);
  }

  /** Show a job if it is a training of this run and no newer one is shown. @param {any} job */
  function showIfNewest(job) {
    if (job.model === lecture.request.model && job.kind === "train" && (newest === null || job.id >= newest)) show(job);
  }

  /** @param {any} job */
  function show(job) {
    newest = job.id;
    refill(own, [job.id, job.state, job.health], () => h("div", { class: "row" },
      "Newest here: ", h("a", { href: `jobs/${job.id}` }, `${count(job.progress.total)} steps on ${job.dataset}`), stateWord(job.state), job.health && stateWord(job.health.state),
      h("a", { href: `lectures?view=failure&job=${job.id}` }, "Is this the same?")));
  }

  return { element, ask, readNewest, showIfNewest, destroy: () => chart.destroy() };
}

/** The recorded losses by epoch. @param {Lecture} lecture */
export function lossChart(lecture) {
  const curves = new Curves();
  for (const { step, generator, critic } of lecture.losses) curves.report(/** @type {number} */ (step), { generator, critic });
  const chart = plainChart("Losses of our run, by epoch", curves, { guides: [{ value: Math.LN2, text: "ln 2" }], sync: `lecture-${lecture.name}` });
  chart.show(["critic", "generator"]);
  return chart;
}

/** Losses as a course writes them: generator / critic. @param {Lecture} lecture */
export function lossTable({ losses, course }) {
  const row = (/** @type {string} */ name, /** @type {Losses[]} */ pairs) => h("tr", {}, h("td", {}, name),
    [pairs[0], pairs[pairs.length - 1]].map((one) => h("td", { class: "number" }, `${number(Number(one.generator.toPrecision(3)))} / ${number(Number(one.critic.toPrecision(3)))}`)));
  return h("table", { class: "table small" },
    h("thead", {}, h("tr", {}, h("th", {}, "generator / critic"), h("th", { class: "number" }, "first epoch"), h("th", { class: "number" }, "last epoch"))),
    h("tbody", {}, row("our run", losses), course && row("the course", course)));
}
