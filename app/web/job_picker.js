// Choose trainings to compare from a list with a search. Older jobs are read when the search needs them.

import { get } from "./api.js";
import { fill, h, setText } from "./dom.js";
import { ago, count } from "./format.js";
import { variant } from "./job_names.js";

const PAGE = 100;
const SHOWN = 50;
/** pages that one search reads */
const PAGES = 10;

const ID_TAIL = 6;

/** The words by which a job is found, each from its beginning. @param {any} job */
const wordsOf = ({ id, family, dataset, model, state, recipe, case: of }) =>
  [id, family, dataset, ...model.split(/\W/), state, "seed", recipe.seed, of?.name].map((word) => String(word ?? "").toLowerCase());

/** Whether a part of a search finds a job. The end of an id counts whole only: it may begin as a seed does. @param {any} job @param {string} part */
const finds = (job, part) => job.id.slice(-ID_TAIL) === part || wordsOf(job).some((word) => word.startsWith(part));

/**
 * The list of trainings, each with a tick box.
 * @param {{chosen: string[], most: number, onChange: (chosen: string[]) => void, signal: AbortSignal}} options
 */
export function jobPicker({ chosen, most, onChange, signal }) {
  /** @type {any[]} newest first */
  const jobs = [];
  /** @type {string | null} */
  let cursor = null;
  let pages = 0;
  const found = h("span", { class: "muted small", role: "status" });
  const search = h("input", { type: "search", placeholder: "for example gan ring8 seed 2", oninput: () => void look().catch(() => undefined) });
  const list = h("div", { class: "picks", role: "group", "aria-label": "Trainings" });
  const older = h("button", { type: "button", hidden: true, onclick: () => void read().then(draw, () => undefined) }, "Older trainings");
  const element = fill(h("div", { class: "stack" }),
    h("div", { class: "row search" }, h("label", { class: "field" }, "Find a training", search), found), list, h("div", { class: "row" }, older));

  const matches = () => {
    const parts = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return jobs.filter((job) => parts.every((/** @type {string} */ part) => finds(job, part)));
  };

  async function read() {
    const page = await get("/jobs", { kind: "train", limit: PAGE, after: cursor }, signal);
    jobs.push(...page.data);
    cursor = page.next_cursor;
    pages += 1;
  }

  let looks = 0;
  /** Draw what matches; read on while too few do. */
  async function look() {
    const mine = (looks += 1);
    draw();
    for (const last = pages + PAGES; cursor !== null && pages < last && matches().length < SHOWN;) {
      await read();
      if (mine !== looks) return;
      draw();
    }
  }

  function draw() {
    const all = matches();
    const shown = all.slice(0, Math.max(SHOWN, pages * PAGE));
    say(all.length);
    older.hidden = cursor === null;
    fill(list, shown.map(row));
  }

  /** @param {number} matching */
  const say = (matching) => setText(found, jobs.length ? `${count(matching)}${cursor ? "+" : ""} trainings; ${chosen.length} of at most ${most} chosen` : "There is no training yet.");

  /** @param {any} job */
  function row(job) {
    const ticked = chosen.includes(job.id);
    const box = h("input", {
      type: "checkbox", checked: ticked, disabled: !ticked && chosen.length >= most, data: { pick: job.id },
      onchange: () => onChange(box.checked ? [...chosen, job.id] : chosen.filter((id) => id !== job.id)),
    });
    return h("label", {}, box, h("b", {}, variant(job)), h("span", { class: "muted small" },
      [`seed ${job.recipe.seed}`, job.dataset, `${count(job.progress.step)} of ${count(job.progress.total)}`, job.state, ago(job.created_at), job.id.slice(-ID_TAIL)].join(" · ")));
  }

  return {
    element,
    start: () => read().then(draw),
    /** Tick these. @param {string[]} ids */
    show(ids) {
      chosen = ids;
      for (const box of list.querySelectorAll("input")) {
        box.checked = chosen.includes(box.dataset.pick);
        box.disabled = !box.checked && chosen.length >= most;
      }
      say(matches().length);
    },
  };
}
