// One training that an exercise asks for: start it with one click, or take one of one's own.

import { post } from "./api.js";
import { bar, copyButton, fill, h, setText, stateWord } from "./dom.js";
import { count, duration } from "./format.js";
import { inOneLine } from "./own_runs.js";
import { dryRun } from "./plan.js";
import { curl } from "./request_text.js";
import { linked } from "./rooms/jobs.js";

/** @typedef {import("./run_facts.js").Run} Run */

/**
 * @param {import("./syllabus.js").Training} training
 * @param {{jobs: any[], chosen: string | null, onChosen: (id: string | null) => void, signal: AbortSignal}} options
 */
export function slot({ title, request }, { jobs, chosen, onChosen, signal }) {
  let id = chosen;
  const cost = h("span", { class: "muted small" });
  const refusal = h("p", { class: "refusal", role: "alert", hidden: true });
  const state = h("div", { class: "stack" });
  const start = h("button", { type: "button", class: "main", onclick: () => void begin() }, "Train");
  const select = h("select", { "aria-label": `Your training for: ${title}`, onchange: () => choose(select.value || null) });
  const element = h("div", { class: "stack slot", data: { slot: request.model } },
    h("h4", {}, title), h("div", { class: "row" }, start, cost), h("label", { class: "small" }, "or", select), refusal, state,
    h("details", { class: "small" }, h("summary", {}, "The request"), h("div", { class: "stack" }, h("pre", { tabIndex: 0, "aria-label": `The request: ${title}` }, JSON.stringify(request, null, 2)), h("div", { class: "row" }, copyButton(() => curl(request), "curl")))));

  const say = (/** @type {string} */ sentence) => {
    setText(refusal, sentence);
    refusal.hidden = !sentence;
  };

  function options() {
    showStart();
    const own = jobs.filter((job) => job.dataset === request.dataset);
    fill(select, h("option", { value: "" }, own.length ? "a training of yours" : `no training on ${request.dataset} yet`),
      own.map((job) => h("option", { value: job.id, selected: job.id === id }, inOneLine(job))));
    if (id && !own.some((job) => job.id === id)) select.append(h("option", { value: id, selected: true }, `the job ${id}`));
  }

  /** @param {string | null} next */
  function choose(next) {
    id = next;
    say("");
    options();
    onChosen(id);
  }

  async function begin() {
    start.disabled = true;
    say("");
    try {
      const job = await post("/jobs", request);
      jobs.unshift(job);
      choose(job.id);
    } catch (error) {
      say(/** @type {Error} */ (error).message);
    } finally {
      start.disabled = false;
    }
  }

  /** The start stands out only while there is no run. */
  function showStart() {
    start.className = id ? "" : "main";
    setText(start, id ? "Train again" : "Train");
    start.setAttribute("aria-label", `${start.textContent}: ${title}`);
  }

  options();
  return {
    element,
    id: () => id,
    /** Say that the chosen job cannot be read, and choose none. @param {string} message */
    refuse(message) {
      say(message);
      id = null;
      options();
    },
    /** @param {Run | null} run */
    show(run) {
      if (!run) return void fill(state);
      const { job } = run;
      const { step, total, eta_s: eta } = job.progress;
      const at = jobs.findIndex((one) => one.id === job.id);
      if (at >= 0) jobs[at] = job;
      fill(state, h("div", { class: "row" }, h("a", { href: `jobs/${job.id}` }, "Open the job"), stateWord(job.state), job.health && stateWord(job.health.state),
        h("span", { class: "small number" }, `step ${count(step)} of ${count(total)}${job.state === "running" && eta !== null ? `, ${duration(eta)} left` : ""}`)),
      job.state === "succeeded" ? null : bar(total ? step / total : 0),
      job.links.sample && h("img", { class: "sheet small-sheet", src: linked(job.links.sample), alt: `What “${title}” drew last` }));
    },
    /** Say what the training takes here. */
    async estimate() {
      const { estimate, refusals } = await dryRun(request, signal);
      setText(cost, refusals.length ? refusals[0].message : `${count(request.budget.steps)} steps on ${request.dataset}${estimate?.minutes ? `, about ${duration(60 * estimate.minutes)} here` : ""}`);
      start.disabled = refusals.length > 0;
    },
  };
}
