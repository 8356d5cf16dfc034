// A job that augments a dataset: how far each of its stages is, and at the end whether the generated pictures help.

import { get, Problem } from "./api.js";
import { bar, factBoxes, fill, h, refill, scrolling } from "./dom.js";
import { whisker } from "./figures.js";
import { count, counted } from "./format.js";
import { ENDED } from "./job_states.js";

/** @typedef {{mean: number, deviation: number, values: number[]}} Spread */
/** @typedef {{mean: number, low: number, high: number}} Gain */

/** what a classifier is trained with, in the order of the report: key, name, explanation */
const ARMS = /** @type {const} */ ([["real", "real pictures", ""], ["generated", "generated pictures", ""],
  ["both", "both", "half of each batch generated, half real"], ["classical", "classical", "real, moved, turned and scaled"]]);
/** reasons why the filter leaves a picture out */
const REASONS = /** @type {const} */ ([["disagreed", "taken for another class"], ["near_training", "near copies of training pictures"], ["near_generated", "near copies of kept ones"]]);

/** The part of a job's page. @param {string} id @param {(link: string) => string} linked makes an address of a link of the API @param {AbortSignal} signal */
export function augmentationPart(id, linked, signal) {
  const progress = h("div", { class: "stack" });
  const result = h("div", { class: "stack" });
  const element = h("div", { class: "stack" }, progress, result);
  let read = "";

  /** @param {any} job */
  function show(job) {
    const done = job.state === "succeeded";
    progress.hidden = done;
    if (!done) refill(progress, [job.state, job.progress], () => stages(job));
    if (!ENDED.includes(job.state) || read === job.state) return;
    read = job.state;
    void readReport().catch((error) => {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      fill(result, h("p", { class: "notice bad" }, error.message));
    });
  }

  async function readReport() {
    const { report, links } = await get(`/augmentations/${encodeURIComponent(id)}`, {}, signal);
    const files = [["pictures", "Pictures (ZIP)"], ["report", "Report (JSON)"]].filter(([name]) => links[name])
      .map(([name, title]) => h("a", { class: "button", href: linked(links[name]), download: "" }, title));
    fill(result, report ? whole(report, files) : h("section", { class: "card", "aria-label": "Report" }, h("h2", {}, "Report"),
      h("p", {}, `It ended before its report, so nothing is known of the generated pictures' use.${files.length ? " The pictures that it kept are here." : ""}`), h("div", { class: "row" }, files)));
  }
  return { element, show };
}

/** How far each stage is. @param {any} job */
function stages({ state, spec, recipe, progress: { step, total } }) {
  const training = spec.weights ? 0 : recipe.budget.steps;
  const pictures = spec.per_class * recipe.data.classes;
  const parts = /** @type {[string, number, (done: number) => string][]} */ ([
    ["Train the generator", training, (done) => `${count(done)} of ${counted(training, "step")}`],
    ["Draw and filter", pictures, (done) => `${count(done)} of ${counted(pictures, "picture")}`],
    ["Train classifiers", total - training - pictures, (done) => `${count(Math.floor(done / spec.classifier_steps))} of ${count(ARMS.length * spec.seeds)} classifiers`],
  ]);
  let start = 0;
  const rows = parts.filter(([, size]) => size > 0).map(([title, size, words]) => {
    const done = Math.max(0, Math.min(size, step - start));
    start += size;
    return h("tr", {}, h("th", { scope: "row" }, title), h("td", {}, h("div", { style: { width: "clamp(60px, 20vw, 320px)" } }, bar(done / size))), h("td", { class: "number" }, words(done)));
  });
  return h("section", { class: "card", "aria-label": "Stages" }, h("h2", {}, "Stages"), h("div", {}, h("table", { class: "table ranking" }, h("tbody", {}, rows))),
    !ENDED.includes(state) && h("p", { class: "hint" }, "A finished part is never computed again: a job that was paused goes on with the first missing one."));
}

/** @param {any} report @param {HTMLElement[]} files */
function whole(report, files) {
  const { gains, generator } = report;
  const facts = /** @type {[string, any][]} */ ([
    ["generator", `${generator.family ?? "own recipe"}, step ${count(generator.step)}`], ["real training pictures", count(report.training)], ["held-out pictures", count(report.held_out)],
    ["seeds", report.seeds], ["steps of a classifier", count(report.classifier_steps)], ["batch", report.batch_size],
  ]);
  return h("section", { class: "card", "aria-label": "Report" },
    h("div", { class: "spread" }, h("h2", {}, "Do the generated pictures help?"), h("div", { class: "row" }, files)),
    h("p", { class: `notice ${report.useful ? "good" : gains.both?.high < 0 ? "bad" : ""}`, data: { verdict: String(report.useful) } }, report.verdict),
    report.warnings.map((/** @type {string} */ warning) => h("p", { class: "notice warn" }, warning)),
    h("h3", {}, "Accuracy on held-out real pictures"), accuracyTable(report),
    h("p", { class: "hint" }, `Mean ± deviation over ${count(report.seeds)} seeds, in per cent; gains in points. Intervals: ${report.interval}`),
    h("h3", {}, "Each class"), h("p", {}, filtered(report.classes)), classTable(report.classes),
    h("p", { class: "hint" }, report.filter), h("div", { class: "facts" }, factBoxes(facts)));
}

/** @param {any} report */
function accuracyTable({ accuracy, gains }) {
  const arms = ARMS.filter(([arm]) => accuracy[arm]);
  const spans = arms.map(([arm]) => /** @type {[number, number]} */ ([accuracy[arm].mean - accuracy[arm].deviation, accuracy[arm].mean + accuracy[arm].deviation]));
  const [low, high] = [Math.min(...spans.map(([from]) => from)), Math.max(...spans.map(([, to]) => to))];
  const share = (/** @type {number} */ value) => (high > low ? (100 * (value - low)) / (high - low) : 50);
  const rows = arms.map(([arm, title, explanation], index) => h("tr", { data: { arm } }, h("th", { scope: "row" }, title, explanation && h("div", { class: "muted small" }, explanation)),
    numbers(percent(accuracy[arm].mean)), wide(`± ${percent(accuracy[arm].deviation)}`), numbers(...gainInWords(gains[arm])),
    h("td", { class: "wide-only" }, whisker({ mean: accuracy[arm].mean, interval: spans[index] }, share))));
  const direct = gains.both_over_classical;
  return scrolling("Accuracy by training pictures", h("table", { class: "table ranking" },
    h("thead", {}, h("tr", {}, h("th", {}, "trained with"), heading("accuracy"), h("th", { class: "number wide-only" }, "deviation"), ["gain over real", "95 % interval"].map(heading),
      h("th", { class: "wide-only" }, `dot: mean, line: ± deviation (${percent(low)} to ${percent(high)})`))),
    h("tbody", {}, rows, direct && h("tr", { data: { arm: "both_over_classical" } }, h("th", { scope: "row" }, "both, over classical"), numbers(""), wide(""), numbers(...gainInWords(direct)), h("td", { class: "wide-only" })))));
}

/** @param {any[]} classes */
function classTable(classes) {
  return scrolling("Each class", h("table", { class: "table" },
    h("thead", {}, h("tr", {}, h("th", {}, "class"), ["recall before", "after", "change", "held out", "real", "generated", "wrong class", "near training", "near kept", "kept"].map(heading))),
    h("tbody", {}, classes.map((one) => h("tr", { data: { class: one.name } }, h("th", { scope: "row" }, one.name),
      numbers(spread(one.recall_before), spread(one.recall_after), one.recall_before && one.recall_after ? points(one.recall_after.mean - one.recall_before.mean) : "–", count(one.held_out),
        count(one.training), count(one.generated), count(one.disagreed), count(one.near_training), count(one.near_generated), count(one.kept)))))));
}

/** What the filter kept and left out, in all. @param {any[]} classes */
function filtered(classes) {
  const sum = (/** @type {string} */ name) => classes.reduce((total, one) => total + one[name], 0);
  const reasons = REASONS.filter(([name]) => sum(name)).map(([name, words]) => `${count(sum(name))} ${words}`);
  return `The filter kept ${count(sum("kept"))} of ${count(sum("generated"))} generated pictures${reasons.length ? ` and refused ${reasons.join(", ")}` : ""}.`;
}

const heading = (/** @type {string} */ title) => h("th", { class: "number" }, title);
const numbers = (/** @type {string[]} */ ...texts) => texts.map((text) => h("td", { class: "number" }, text));
const wide = (/** @type {string} */ text) => h("td", { class: "number wide-only" }, text);
const percent = (/** @type {number} */ share) => (100 * share).toFixed(1);
const points = (/** @type {number} */ share) => `${share < 0 ? "" : "+"}${percent(share)}`;
const spread = (/** @type {Spread | null} */ found) => (found ? `${percent(found.mean)} ± ${percent(found.deviation)}` : "–");
const gainInWords = (/** @type {Gain | undefined} */ gain) => (gain ? [points(gain.mean), `${points(gain.low)} to ${points(gain.high)}`] : ["–", "–"]);
