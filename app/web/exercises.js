// The syllabus: eight exercises, each a training or two, what to watch, and a question that one's own runs answer.

import { get } from "./api.js";
import { read, write } from "./course_store.js";
import { fill, h } from "./dom.js";
import { count } from "./format.js";
import { follow } from "./log.js";
import { keep } from "./main.js";
import { readRun } from "./own_runs.js";
import { throttled } from "./soon.js";
import { EXERCISES } from "./syllabus.js";
import { slot } from "./training_slot.js";
import { watched } from "./watched_curves.js";

/** @typedef {import("./run_facts.js").Run} Run */
/** @typedef {import("./syllabus.js").Exercise} Exercise */

const NEWEST = 100;
const REFRESH_MS = 1500;
const LETTERS = ["a", "b", "c", "d"];

/** @param {HTMLElement} place @param {{query: URLSearchParams, signal: AbortSignal}} options */
export async function exercises(place, { query, signal }) {
  const exercise = EXERCISES.find(({ name }) => name === query.get("exercise")) ?? EXERCISES[0];
  const at = EXERCISES.indexOf(exercise);
  const links = h("nav", { class: "row", "aria-label": "Exercises" });
  const drawLinks = () => {
    const { answers } = read();
    fill(links, EXERCISES.map(({ name, title }, index) => h("a", {
      class: "button", href: `lectures?view=exercises&exercise=${name}`, "aria-current": name === exercise.name ? "true" : "false",
    }, `${index + 1} ${title}`, answers[name]?.right && h("span", { title: "answered rightly" }, " ✓"))));
  };
  drawLinks();
  const { data: jobs } = await get("/jobs", { kind: "train", limit: NEWEST }, signal);
  /** @type {(Run | null)[]} */
  const runs = exercise.trainings.map(() => null);
  const shown = watched(exercise, signal);
  const slots = exercise.trainings.map((training, index) => slot(training, {
    jobs, chosen: query.get(LETTERS[index]) ?? read().runs[training.request.model] ?? null, signal,
    onChosen: (id) => {
      keep({ view: "exercises", exercise: exercise.name, [LETTERS[index]]: id });
      write((progress) => { if (id) progress.runs[training.request.model] = id; else delete progress.runs[training.request.model]; });
      runs[index] = null;
      void readSlot(index);
    },
  }));

  /** Read a slot's run anew. @param {number} index */
  async function readSlot(index) {
    const id = slots[index].id();
    if (id) {
      try {
        const run = await readRun(id, signal);
        if (slots[index].id() === id) runs[index] = run;
      } catch (error) {
        if (signal.aborted) return;
        slots[index].refuse(/** @type {Error} */ (error).message);
      }
    }
    slots[index].show(runs[index]);
    shown.draw(runs);
  }

  fill(place,
    h("p", {}, "Eight exercises. Each trains within about a minute and ends in a question that your own run answers. Answers stay in this browser."), links,
    h("h2", {}, `${at + 1}. ${exercise.title}`), h("p", {}, h("b", {}, "Aim: "), exercise.aim),
    h("section", { class: "card", "aria-label": "Train" }, h("h3", {}, "Train"), h("div", { class: slots.length > 2 ? "grid narrow" : "grid" }, slots.map((one) => one.element))),
    h("section", { class: "card", "aria-label": "Watch" }, h("h3", {}, "Watch"), h("p", {}, exercise.watch), shown.element),
    question(exercise, runs, drawLinks, EXERCISES[at + 1]));

  const readsSoon = slots.map((_, index) => throttled(() => readSlot(index), REFRESH_MS, signal));
  follow(({ job, type }) => {
    if (!["metrics", "state", "health", "sample"].includes(type)) return;
    for (const [index, one] of slots.entries()) if (one.id() === job) readsSoon[index]();
  }, signal);
  await Promise.all(slots.map((_, index) => readSlot(index)));
  await Promise.all(slots.map((one) => one.estimate()));
}

/** Why no answer can be checked yet; empty if it can. @param {(Run | null)[]} runs @param {string[]} titles */
export function blocked(runs, titles) {
  for (const [index, run] of runs.entries()) {
    if (!run) return `Train “${titles[index]}” first, or choose a training of yours.`;
    const { state, progress } = run.job;
    if (["failed", "cancelled"].includes(state)) return `“${titles[index]}” is ${state}. Train it again, or choose another training.`;
    if (state !== "succeeded") return `“${titles[index]}” has not ended: step ${count(progress.step)} of ${count(progress.total)}. Wait for its end.`;
  }
  return "";
}

/** @param {Exercise} exercise @param {(Run | null)[]} runs @param {() => void} onAnswered @param {Exercise | undefined} next */
function question(exercise, runs, onAnswered, next) {
  const earlier = read().answers[exercise.name]?.answer ?? "";
  const feedback = h("div", { role: "status" });
  const input = exercise.choices ? null : h("input", { type: "text", inputMode: "decimal", autocomplete: "off", size: 12, value: earlier, required: true });
  const radios = (exercise.choices ?? []).map(([value, text]) => h("label", {}, h("input", { type: "radio", name: "answer", value, checked: value === earlier }), text));

  /** The answer as given, or null with the reason said. */
  function given() {
    if (!input) return radios.map((label) => label.firstChild).find((radio) => radio.checked)?.value ?? null;
    const value = Number(input.value.trim().replace(",", ".").replace("−", "-"));
    return input.value.trim() === "" || !Number.isFinite(value) ? null : value;
  }

  function check() {
    const answer = given();
    const hindered = answer === null ? (input ? "Write a number, such as 0.25." : "Choose an answer first.") : blocked(runs, exercise.trainings.map(({ title }) => title));
    if (answer === null || hindered) return void fill(feedback, h("p", { class: "notice" }, hindered));
    const { right, text } = exercise.check(answer, /** @type {Run[]} */ (runs));
    write((progress) => { progress.answers[exercise.name] = { right, answer: String(answer) }; });
    fill(feedback, h("div", { class: `notice ${right ? "good" : "warn"}`, data: { right: String(right) } }, h("p", {}, h("b", {}, right ? "Right. " : "Not yet. "), text),
      right && next && h("p", {}, h("a", { href: `lectures?view=exercises&exercise=${next.name}` }, `Next: ${next.title}`))));
    onAnswered();
  }

  return h("form", { class: "card", "aria-label": "Question", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); check(); } },
    h("h3", {}, "Question"),
    input ? h("label", { class: "field question" }, h("span", {}, exercise.question), input) : h("fieldset", { class: "question" }, h("legend", {}, exercise.question), radios),
    h("div", { class: "row" }, h("button", { class: "main" }, "Check the answer")), feedback);
}
