// All jobs: a live table that draws only the rows in view.

import { get, post, remove } from "../api.js";
import { bar, confirmed, empty, fill, h, setText, stateWord, toast } from "../dom.js";
import { ago, count, counted, duration } from "../format.js";
import { ENDED } from "../job_states.js";
import { follow } from "../log.js";
import { keep } from "../main.js";
import { debounced, inNextFrame } from "../soon.js";

const ROW = 52;
const PAGE = 100;
const EXTRA_ROWS = 6;
const PAUSE_MS = 300;
const ACTIVE = ["queued", "running", "pausing", "cancelling"];
const FILTERS = /** @type {const} */ ({
  state: ["queued", "running", "pausing", "paused", "cancelling", "succeeded", "failed", "cancelled"],
  kind: ["train", "evaluate", "generate", "translate", "augment"],
});

/** @type {import("../main.js").Room} */
export async function room(main, { query, signal }) {
  const filters = Object.fromEntries(["state", "kind", "family", "dataset", "model"].map((name) => [name, query.get(name) ?? ""]));
  /** @type {any[]} newest first */
  let jobs = [];
  /** @type {string | null} */
  let cursor = null;
  let loading = false;
  /** @type {Map<string, any>} pictures and steps that came after the list was read */
  const rows = new Map();
  /** @type {Set<string>} ids of trainings to compare */
  const ticked = new Set();

  const compare = h("a", { class: "button", hidden: true });
  const clear = h("button", { type: "button", hidden: true, onclick: () => { ticked.clear(); tick(); } }, "Clear ticks");
  const total = h("span", { class: "muted" });
  const spacer = h("div");
  const body = h("div", { class: "jobs-body", role: "rowgroup" }, spacer);
  const table = h("div", { class: "jobs", role: "table", "aria-label": "Jobs" },
    h("div", { class: "jobs-head", role: "row" }, ["", "", "Job", "State", "Health", "Data", "Progress", "Left", "Created"].map((name) =>
      h("span", { role: "columnheader" }, name))), body);
  const place = h("div");
  fill(main,
    h("div", { class: "spread" }, h("h1", {}, "Jobs"), h("div", { class: "row" }, total, compare, clear, h("a", { class: "button", href: "new" }, "New job"))),
    h("form", { class: "row", "aria-label": "Filters", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
      Object.entries(FILTERS).map(([name, values]) => choice(name, values)),
      ["family", "dataset", "model"].map((name) => text(name))),
    place);

  /** @param {string} name @param {readonly string[]} values */
  function choice(name, values) {
    const select = h("select", { "aria-label": `Filter by ${name}`, onchange: () => filter(name, select.value) },
      h("option", { value: "" }, `any ${name}`), values.map((value) => h("option", { value, selected: filters[name] === value }, value)));
    return select;
  }

  /** @param {string} name */
  function text(name) {
    const input = h("input", {
      type: "search", size: 12, placeholder: name, value: filters[name], "aria-label": `Filter by ${name}`,
      oninput: () => filterSoon(),
    });
    const filterSoon = debounced(() => void filter(name, input.value.trim()), PAUSE_MS, signal);
    return input;
  }

  /** @param {string} name @param {string} value */
  async function filter(name, value) {
    filters[name] = value;
    keep(filters);
    await read();
  }

  const page = (/** @type {string | null} */ after, /** @type {number} */ limit = PAGE) =>
    get("/jobs", { ...filters, limit, after }, signal);

  async function read() {
    const first = await page(null);
    jobs = first.data;
    cursor = first.next_cursor;
    body.scrollTop = 0;
    draw();
  }

  async function readOn() {
    if (loading || cursor === null) return;
    loading = true;
    try {
      const next = await page(cursor);
      jobs.push(...next.data);
      cursor = next.next_cursor;
      draw();
    } finally {
      loading = false;
    }
  }

  /** Draw the rows in view; keep the elements of those that stay. */
  function draw() {
    const filtered = Object.values(filters).some(Boolean);
    setText(total, jobs.length ? cursor ? `${count(jobs.length)}+ jobs` : counted(jobs.length, "job") : "");
    if (!jobs.length) {
      fill(place, filtered
        ? empty("No job matches these filters.")
        : empty("There is no job yet. Train the first one here, or from a terminal:", "forger train cdcgan", h("a", { class: "button", href: "new" }, "New job")));
      return;
    }
    if (!table.isConnected) fill(place, table);
    body.style.height = `${jobs.length * ROW}px`; // up to its greatest height
    spacer.style.height = body.style.height;
    const first = Math.max(0, Math.floor(body.scrollTop / ROW) - EXTRA_ROWS);
    const last = Math.min(jobs.length, Math.ceil((body.scrollTop + body.clientHeight) / ROW) + EXTRA_ROWS);
    const seen = new Set();
    for (let index = first; index < last; index += 1) {
      const job = jobs[index];
      seen.add(job.id);
      let row = rows.get(job.id);
      if (!row) {
        row = jobRow(job, ticked, tick);
        rows.set(job.id, row);
        body.append(row.element);
      }
      row.element.style.top = `${index * ROW}px`;
      row.update(job);
    }
    for (const [id, row] of rows) {
      if (!seen.has(id) && row.element !== document.activeElement) {
        row.element.remove();
        rows.delete(id);
      }
    }
    if (last > jobs.length - EXTRA_ROWS) void readOn();
  }

  /** Show what is ticked, and the way to compare it. */
  function tick() {
    compare.hidden = clear.hidden = !ticked.size;
    compare.href = `compare?jobs=${[...ticked].join(",")}`;
    setText(compare, `Compare ${ticked.size}`);
    draw();
  }

  const drawSoon = inNextFrame(draw, signal);

  const matches = (/** @type {any} */ job) =>
    ["state", "kind", "family", "dataset", "model"].every((name) => !filters[name] || job[name] === filters[name]);

  /** Put what the service says of a job into the list, in place or as its newest. @param {any} job */
  function put(job) {
    const index = jobs.findIndex((known) => known.id === job.id);
    if (index >= 0 && matches(job)) jobs[index] = job;
    else if (index >= 0) jobs.splice(index, 1);
    else if (matches(job) && (!jobs.length || job.id > jobs[jobs.length - 1].id || cursor === null)) {
      const before = jobs.findIndex((known) => known.id < job.id);
      const scrolled = body.scrollTop;
      jobs.splice(before < 0 ? jobs.length : before, 0, job);
      if (scrolled > 0) body.scrollTop = scrolled + ROW; // a new job does not move what a person looks at
    }
    drawSoon();
  }

  follow((event) => {
    const job = jobs.find((known) => known.id === event.job);
    if (event.type === "metrics" && job) job.progress.step = Math.max(job.progress.step, event.data.step);
    else if (event.type === "sample" && job) job.links.sample = `${job.links.artifacts}/${event.data.artifact}`;
    else if (event.type === "health" && job) job.health = { ...job.health, ...event.data };
    else if (event.type === "state") {
      void get(`/jobs/${event.job}`, {}, signal).then(put).catch(() => undefined);
      return;
    } else return;
    drawSoon();
  }, signal);

  /** Drop jobs that somebody else has deleted. */
  async function dropDeleted() {
    const before = jobs.map((job) => job.id);
    const first = await page(null);
    const oldest = first.next_cursor === null ? "" : first.data[first.data.length - 1].id;
    const left = new Set(first.data.map((/** @type {any} */ job) => job.id));
    const gone = new Set(before.filter((id) => id >= oldest && !left.has(id)));
    if (!gone.size) return;
    jobs = jobs.filter((job) => !gone.has(job.id));
    drawSoon();
  }

  const sweep = setInterval(() => document.hidden || void dropDeleted().catch(() => undefined), 15_000);
  const refresh = setInterval(async () => {
    if (document.hidden || !jobs.some((job) => ACTIVE.includes(job.state))) return;
    const running = await get("/jobs", { state: "running", limit: PAGE }, signal).catch(() => null);
    for (const job of running?.data ?? []) {
      const known = jobs.find((one) => one.id === job.id);
      if (known) Object.assign(known, job);
    }
    drawSoon();
  }, 3000);
  signal.addEventListener("abort", () => [refresh, sweep].forEach(clearInterval));
  body.addEventListener("scroll", drawSoon, { passive: true });
  window.addEventListener("resize", drawSoon, { signal });
  body.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => moveFocus(event));
  body.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const row = /** @type {HTMLElement} */ (event.target);
    if (event.key !== " " || !row.dataset.job) return;
    event.preventDefault();
    row.querySelector("input")?.click();
  });

  /** Arrow keys go from row to row, also to rows that are not drawn yet. @param {KeyboardEvent} event */
  function moveFocus(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    const id = /** @type {HTMLElement} */ (document.activeElement).dataset?.job;
    if (!step || !id) return;
    event.preventDefault();
    const index = jobs.findIndex((job) => job.id === id);
    const target = Math.max(0, Math.min(jobs.length - 1, index + step));
    const top = target * ROW;
    if (top < body.scrollTop) body.scrollTop = top;
    if (top + ROW > body.scrollTop + body.clientHeight) body.scrollTop = top + ROW - body.clientHeight;
    draw();
    rows.get(jobs[target].id)?.element.focus({ preventScroll: true });
  }

  await read();
}

/** One row, which changes only what differs. @param {any} job @param {Set<string>} ticked @param {() => void} onTick */
function jobRow(job, ticked, onTick) {
  const box = h("input", {
    type: "checkbox", disabled: job.kind !== "train", title: "Tick to compare",
    onchange: () => {
      if (box.checked) ticked.add(job.id);
      else ticked.delete(job.id);
      onTick();
    },
    // The row is a link: a click on its box goes nowhere.
    onclick: (/** @type {Event} */ event) => event.stopPropagation(),
  });

  const picture = h("img", { alt: "", loading: "lazy", hidden: true });
  const thumb = h("div", { class: job.recipe.data.kind === "points" ? "thumb" : "thumb corner" }, picture);
  const name = h("b");
  const kind = h("span", { class: "muted small" });
  const state = h("span", { role: "cell" });
  const health = h("span", { role: "cell", class: "wide-only" });
  const data = h("span", { role: "cell", class: "wide-only" });
  const progress = h("span", { class: "small number" });
  const inner = bar(0);
  const narrow = h("span", { class: "muted small narrow-only" });
  const left = h("span", { role: "cell", class: "number wide-only" });
  const created = h("span", { role: "cell", class: "number small muted wide-only" });
  const element = h("a", { class: "jobs-row", role: "row", href: `jobs/${job.id}`, data: { job: job.id } },
    h("span", { role: "cell" }, box), h("span", { role: "cell" }, thumb), h("span", { role: "cell" }, name, h("br"), narrow, kind), state, health, data,
    h("span", { role: "cell", class: "wide-only" }, inner, progress), left, created);
  let words = "";

  /** @param {any} now */
  function update(now) {
    const { step, total, eta_s: eta } = now.progress;
    const augments = now.kind === "augment";
    setText(name, augments ? "augmentation" : now.family ?? now.model);
    const ownName = now.family && !augments && now.model !== `${now.family}-${now.dataset}` ? now.model : "";
    const about = [ownName, now.kind === "train" ? `seed ${now.recipe.seed}` : augments ? `${count(now.spec.per_class)} a class, seed ${now.spec.seed}` : now.kind].filter(Boolean).join(" · ");
    box.checked = ticked.has(job.id);
    box.setAttribute("aria-label", `Compare ${now.family ?? now.model}, ${about}`);
    setText(kind, about);
    if (words !== now.state + now.health?.state) {
      words = now.state + now.health?.state;
      fill(state, stateWord(now.state));
      fill(health, now.health ? stateWord(now.health.state) : h("span", { class: "muted" }, "–"));
    }
    health.title = now.health?.message ?? "";
    setText(data, now.dataset);
    inner.firstChild.style.width = `${total ? (100 * step) / total : 0}%`;
    setText(progress, now.queue_position ? `number ${now.queue_position} in the queue` : `${count(step)} of ${count(total)}`);
    setText(narrow, `${now.dataset} · ${count(step)} of ${count(total)}${now.state === "running" ? ` · ${duration(eta)} left` : ""} · `);
    setText(left, now.state === "running" ? duration(eta) : "");
    setText(created, ago(now.created_at));
    if (now.links.sample) {
      const source = new URL(now.links.sample, location.origin).href;
      if (picture.src !== source) picture.src = source;
      picture.hidden = false;
    }
  }
  return { element, update };
}

const VERBS = /** @type {const} */ ({ pause: ["running", "queued"], resume: ["paused"], cancel: ["queued", "running", "paused", "pausing"] });

/**
 * The buttons that act on a job in its state. `changed` gets the job afterwards; null when it was deleted.
 * @param {any} job @param {(job: any) => void} changed @param {() => any} now the job at the moment of a click
 */
export function actions(job, changed, now = () => job) {
  /** @param {() => Promise<any>} work */
  const attempt = async (work) => {
    try {
      changed(await work());
    } catch (error) {
      toast(/** @type {Error} */ (error).message);
    }
  };
  const buttons = Object.entries(VERBS).filter(([, states]) => /** @type {readonly string[]} */ (states).includes(job.state))
    .map(([verb]) => h("button", { onclick: () => attempt(() => act(now(), verb)) }, verb[0].toUpperCase() + verb.slice(1)));
  if (job.state === "succeeded" && job.kind === "train") buttons.push(h("button", { onclick: () => extend(job, attempt) }, "Extend"));
  if (job.kind === "train") {
    buttons.push(h("a", { class: "button", href: `new?clone=${job.id}` }, "Clone with changes"), h("a", { class: "button", href: `compare?jobs=${job.id}` }, "Compare"));
  }
  if (ENDED.includes(job.state)) buttons.push(h("button", { class: "danger", onclick: () => attempt(() => erase(job)) }, "Delete"));
  return h("div", { class: "row" }, buttons);
}

/** @param {any} job @param {string} verb */
async function act(job, verb) {
  if (verb === "cancel" && job.progress.step > 0 && !(await confirmed("Cancel this job?", `It has done ${count(job.progress.step)} steps. A cancelled job does not go on; a paused one does.`, "Cancel the job"))) return job;
  const now = await post(`/jobs/${job.id}/${verb}`);
  if (verb === "pause") toast("The job is pausing.", ["Resume", () => void post(`/jobs/${job.id}/resume`)]);
  return now;
}

/** @param {any} job @param {(work: () => Promise<any>) => Promise<void>} attempt */
function extend(job, attempt) {
  const steps = h("input", { type: "number", min: 1, value: job.recipe.budget.steps, required: true });
  const dialog = h("dialog", { "aria-label": "Extend" });
  fill(dialog, h("form", { method: "dialog", class: "stack" }, h("h2", {}, "Extend this training"),
    h("label", { class: "field" }, "Further steps", steps),
    h("div", { class: "row end" }, h("button", { value: "no", formNoValidate: true }, "Cancel"), h("button", { value: "yes", class: "main" }, "Extend"))));
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes") void attempt(() => post(`/jobs/${job.id}/extend`, { budget: { steps: steps.valueAsNumber } }));
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {any} job */
async function erase(job) {
  if (!(await confirmed("Delete this job?", "Its curves, pictures and checkpoints are deleted. Models that it published stay.", "Delete the job"))) return job;
  await remove(`/jobs/${job.id}`);
  toast(job.result?.model ? `The job is deleted. Its model ${job.result.model} stays.` : "The job is deleted.");
  return null;
}

/** The address of a picture or file of the API. @param {string} link */
export const linked = (link) => new URL(link, location.origin).href;
