// Experiments: the list, a form for a new one, and one with its ranking. Each is shown by a file of its own.

import { get } from "../api.js";
import { bar, empty, fill, h, skeleton, stateWord } from "../dom.js";
import { ago, count } from "../format.js";
import { ENDED } from "../job_states.js";
import { follow } from "../log.js";
import { throttled } from "../soon.js";

const PAGE = 20;
const PAUSE_MS = 500;

/** @type {import("../main.js").Room} */
export async function room(main, place) {
  const [part] = place.parts;
  if (part === "new") return (await import("../experiment_form.js")).form(main, place);
  if (part) return (await import("../experiment.js")).page(main, { id: part, ...place });
  return list(main, place.signal);
}

/** @param {HTMLElement} main @param {AbortSignal} signal */
async function list(main, signal) {
  /** @type {any[]} newest first */
  let experiments = [];
  /** @type {string | null} */
  let cursor = null;
  const place = h("div", { class: "stack" }, skeleton(true));
  const older = h("button", { type: "button", hidden: true, onclick: () => void readOn() }, "Older experiments");
  fill(main, h("div", { class: "spread" }, h("h1", {}, "Experiments"), h("a", { class: "button", href: "experiments/new" }, "New experiment")),
    h("p", { class: "muted" }, "Train every case with every seed, and see the mean and the spread of each case."), place, h("div", { class: "row" }, older));

  async function readOn() {
    const page = await get("/experiments", { limit: PAGE, after: cursor }, signal);
    experiments.push(...page.data);
    cursor = page.next_cursor;
    draw();
  }

  /** Read the newest again, and keep the older ones. */
  async function refresh() {
    const page = await get("/experiments", { limit: PAGE }, signal);
    const read = new Set(page.data.map((/** @type {any} */ one) => one.id));
    const last = page.data[page.data.length - 1]?.id ?? "";
    experiments = [...page.data, ...experiments.filter((one) => !read.has(one.id) && one.id < last)];
    draw();
  }

  function draw() {
    older.hidden = cursor === null;
    if (!experiments.length) {
      fill(place, empty("There is no experiment yet. Start one here, or from a terminal:", "forger experiment examples/experiments/three_on_ring8.json", h("a", { class: "button", href: "experiments/new" }, "New experiment")));
      return;
    }
    fill(place, h("div", { class: "scroll card", tabIndex: 0, role: "group", "aria-label": "Experiments" }, h("table", { class: "table" },
      h("thead", {}, h("tr", {}, ["experiment", "cases", "jobs", "ended"].map((title) => h("th", {}, title)), h("th", { class: "number" }, "created"))),
      h("tbody", {}, experiments.map((one) => h("tr", { data: { experiment: one.id } },
        h("th", { scope: "row" }, h("a", { href: `experiments/${one.id}` }, one.name ?? one.id)),
        h("td", {}, caseWords(one.cases)), h("td", {}, h("div", { class: "row" }, stateWords(one.states))),
        h("td", { class: "progress" }, bar(doneShare(one.states))), h("td", { class: "number small muted" }, ago(one.created_at))))))));
  }

  const refreshSoon = throttled(refresh, PAUSE_MS, signal);
  follow(({ type }) => { if (type === "state") refreshSoon(); }, signal);
  await readOn();
}

/** @param {string[]} cases */
const caseWords = (cases) => (cases.length > 4 ? `${cases.slice(0, 3).join(", ")} and ${count(cases.length - 3)} more` : cases.join(", "));

/** How many jobs are in each state. @param {Record<string, number>} states */
export const stateWords = (states) => Object.entries(states).map(([state, jobs]) => {
  const word = stateWord(state);
  word.textContent = `${count(jobs)} ${state}`;
  return word;
});

/** The share of jobs that have ended. @param {Record<string, number>} states */
function doneShare(states) {
  const all = Object.values(states).reduce((sum, jobs) => sum + jobs, 0);
  const done = ENDED.reduce((sum, state) => sum + (states[state] ?? 0), 0);
  return all ? done / all : 0;
}
