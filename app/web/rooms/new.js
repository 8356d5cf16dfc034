// A new training: choose a family, turn its dials, and see what it takes and what is refused while typing.

import { get, posterOnce, Problem } from "../api.js";
import { copyButton, fill, h, setText } from "../dom.js";
import { count } from "../format.js";
import { familyCards, familyPicture, traits } from "../families.js";
import { go, keep } from "../main.js";
import { differenceList, dryRun, facts, refusalList, refusalsOf } from "../plan.js";
import { changeBetween, differences, isDerived, merge } from "../recipe.js";
import { labelled, recipeForm, Refusals } from "../recipe_form.js";
import { commandLine, curl, python } from "../request_text.js";
import { debounced } from "../soon.js";

/** @typedef {import("../recipe.js").Json} Json */

const PAUSE_MS = 300;
const UNITS = ["steps", "epochs", "minutes"];
/** steps of a budget in minutes before its speed is measured */
const UNKNOWN_STEPS = 100_000_000;
/** datasets that are tried at the same time */
const AT_ONCE = 3;

/** @type {import("../main.js").Room} */
export async function room(main, { query, signal }) {
  const clone = query.get("clone");
  const name = query.get("family");
  if (clone) return trainingForm(main, await source(clone, signal), query, signal);
  if (name) return trainingForm(main, { family: await get(`/recipes/${encodeURIComponent(name)}`, {}, signal), job: null }, query, signal);
  const dataset = query.get("dataset");
  const [{ data }, kind] = await Promise.all([get("/recipes", { schema: false }, signal), dataset && get(`/datasets/${encodeURIComponent(dataset)}`, {}, signal).then((one) => one.kind)]);
  fill(main, h("h1", {}, "New job"), h("p", { class: "muted" }, dataset ? `Choose what to train on ${dataset}.` : "Choose what to train. Everything can be changed afterwards."),
    familyCards(data.filter((/** @type {any} */ one) => fits(one.game, kind)), {
      dataset, search: query.get("search") ?? "", signal, onSearch: (search) => keep({ search }),
      link: (family) => `new?${new URLSearchParams({ family, ...(dataset && { dataset }) })}`,
    }));
}

/** Whether a game can be played on a kind of data; null: any. @param {string} game @param {string | null} kind */
const fits = (game, kind) => !kind || (["unpaired", "paired"].includes(kind) ? game === kind : !["unpaired", "paired"].includes(game));

/** The job to clone, and its family. @param {string} id @param {AbortSignal} signal */
async function source(id, signal) {
  const job = await get(`/jobs/${encodeURIComponent(id)}`, {}, signal);
  if (job.kind !== "train") throw new Problem({ detail: `Only trainings are cloned; ${id} is of kind ${job.kind}.` }, 0);
  const { data } = await get("/recipes", { schema: false }, signal);
  const known = data.find((/** @type {any} */ one) => one.name === job.family);
  const { schema } = await get(`/recipes/${(known ?? data[0]).name}`, {}, signal);
  return { job, family: known ? { ...known, schema } : { name: null, title: "A recipe of its own", schema, dials: [], defaults: job.recipe } };
}

/**
 * @param {HTMLElement} main @param {{family: any, job: any}} from @param {URLSearchParams} query @param {AbortSignal} signal
 */
async function trainingForm(main, { family, job }, query, signal) {
  const [{ data: datasets }, session] = await Promise.all([get("/datasets", {}, signal), get("/session", {}, signal)]);
  /** what the top fields say; an empty string is the default */
  const asked = { dataset: query.get("dataset") ?? "", seed: query.get("seed") ?? "", unit: "steps", amount: "", model: query.get("model") ?? "", startFrom: query.get("start_from") ?? "", devices: query.get("devices") ?? "" };
  const unit = UNITS.find((one) => query.get(one));
  if (unit) Object.assign(asked, { unit, amount: query.get(unit) });
  asked.dataset ||= job?.dataset ?? family.defaults.data.dataset;
  /** @type {import("../recipe_form.js").Draft} */
  const draft = { base: family.defaults, overrides: {}, recipe: family.defaults };
  /** what the family's defaults are on: a dataset */
  let baseOf = "";
  /** @type {import("../plan.js").Plan | null} */
  let plan = null;
  const createOnce = posterOnce("/jobs");

  if (job) fromJob();
  await rebase();
  if (job) await changesOfJob();
  if (query.get("overrides")) draft.overrides = read(query.get("overrides"));
  // The form writes into the recipe and the overrides: they share nothing with what they are compared with.
  draft.overrides = structuredClone(draft.overrides);
  draft.recipe = structuredClone(merge(draft.base, draft.overrides));

  /** Fill the top fields with the job's values, where the address does not say others. */
  function fromJob() {
    const { steps, minutes } = job.recipe.budget;
    const measured = minutes === null || steps !== UNKNOWN_STEPS;
    asked.seed ||= String(job.recipe.seed);
    if (!query.has("model") && job.model !== `${job.family ?? "custom"}-${job.dataset}`) asked.model = job.model;
    if (!unit) Object.assign(asked, measured ? { unit: "steps", amount: String(steps) } : { unit: "minutes", amount: String(minutes) });
    asked.startFrom ||= job.spec?.start_from?.checkpoint ?? "";
    if (job.spec?.devices > 1) asked.devices ||= String(job.spec.devices);
  }

  /** Find how the job's recipe differs from its family's, for the same data and budget. */
  async function changesOfJob() {
    if (!family.name) return;
    const { plugins, version, seed, budget, ...target } = job.recipe;
    const same = { recipe: family.name, dataset: job.dataset, budget: { steps: budget.steps } };
    const { recipe } = await dryRun(same, signal);
    if (!recipe) return;
    const overrides = changeBetween(recipe, target);
    // What the service derives from the other changes, such as how often it evaluates, is a change only if it differs then.
    const chosen = Object.fromEntries(Object.entries(overrides).filter(([name]) => !isDerived(`/${name}`)));
    const derived = await dryRun({ ...same, overrides: chosen }, signal);
    draft.overrides = derived.recipe ? { ...chosen, ...changeBetween(derived.recipe, target) } : overrides;
  }

  /** Read the defaults on the chosen dataset; return why there are none. */
  async function rebase(/** @type {AbortSignal} */ stop = signal) {
    if (baseOf === asked.dataset) return [];
    const { recipe, refusals } = await dryRun({ recipe: family.name ?? job.recipe, dataset: asked.dataset }, stop);
    if (!recipe) return refusals.map(({ message }) => ({ pointer: "/dataset", message }));
    draft.base = recipe;
    baseOf = asked.dataset;
    return [];
  }

  /** The request as it stands. @returns {Json} */
  function body() {
    const { base, overrides } = draft;
    const amount = asked.amount === "" || (asked.unit === "steps" && Number(asked.amount) === base.budget.steps) ? null : Number(asked.amount);
    /** @type {Json} */
    const request = { recipe: family.name ?? merge(base, overrides), dataset: asked.dataset };
    if (asked.seed !== "") request.seed = Number(asked.seed);
    if (amount !== null) request.budget = { [asked.unit]: amount };
    if (family.name && Object.keys(overrides).length) request.overrides = overrides;
    if (asked.model !== "") request.model = asked.model;
    if (asked.startFrom !== "") request.start_from = asked.startFrom;
    if (asked.devices !== "" && Number(asked.devices) !== 1) request.resources = { devices: Number(asked.devices) };
    return request;
  }

  const refusals = new Refusals();
  const form = recipeForm(family.schema, draft, refusals, changed);
  const { dials, settings } = form.build(family.dials);

  /** @param {string} title @param {string} pointer @param {any} control @param {(value: string) => void} set @param {HTMLElement} [holder] of the control and what belongs to it */
  function top(title, pointer, control, set, holder = control) {
    control.addEventListener("input", () => { set(control.value.trim()); changed(); });
    const { element, hint, focus, refuse } = labelled(title, holder, control);
    refusals.places.set(pointer, { focus, refuse });
    return { element, hint, control };
  }
  const dataset = top("Dataset", "/dataset", h("select"), (value) => { asked.dataset = value; });
  const model = top("Name of the model", "/model", h("input", { type: "text", value: asked.model, autocomplete: "off", spellcheck: false }), (value) => { asked.model = value; });
  const seed = top("Seed", "/seed", h("input", { type: "number", min: 0, step: 1, value: asked.seed, placeholder: "0" }), (value) => { asked.seed = value; });
  setText(seed.hint, "decides everything random");
  const units = h("select", { "aria-label": "Budget: unit", onchange: () => { asked.unit = units.value; changed(); } }, UNITS.map((one) => h("option", { selected: one === asked.unit }, one)));
  const amountInput = h("input", { type: "number", min: 0, step: "any", value: asked.amount, "aria-label": "Budget: amount" });
  const amount = top("Budget", "/budget", amountInput, (value) => { asked.amount = value; }, h("div", { class: "amount" }, amountInput, units));
  const startFrom = top("Start from a checkpoint", "/start_from", h("input", { type: "text", value: asked.startFrom, autocomplete: "off", spellcheck: false, placeholder: "random weights" }), (value) => { asked.startFrom = value; });
  setText(startFrom.hint, "the id of a checkpoint of any job");
  const devices = top("Devices", "/resources/devices", h("input", { type: "number", min: 1, step: 1, value: asked.devices, placeholder: "1" }), (value) => { asked.devices = value; });
  setText(devices.hint, "share every batch");
  refusals.places.set("/data", { focus: dataset.control, refuse: () => undefined });

  // Its place is kept while the datasets are tried, so that nothing moves under the pointer.
  const others = h("details", { style: { visibility: "hidden" } }, h("summary", { class: "small" }, "Why not the others?"));
  dataset.element.append(others);
  const panel = h("div", { class: "stack", role: "status" });
  const repeat = h("a", { class: "button", hidden: !family.name }, "Repeat over seeds");
  const create = h("button", { class: "main" }, "Create the job");
  const texts = /** @type {[string, () => string][]} */ ([
    ["curl", () => curl(body(), { keyRequired: session.key_required })], ["CLI", () => commandLine(body())], ["Python", () => python(body())],
  ]);
  const written = texts.map(([name, text]) => ({ text, place: h("pre", { tabIndex: 0, "aria-label": `The request as ${name}` }) }));
  const element = h("form", { class: "training", noValidate: true, onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); void submit(); } },
    h("div", { class: "stack" },
      h("section", { class: "card" }, h("h2", {}, "What"), h("div", { class: "settings" }, dataset.element, model.element, amount.element, seed.element)),
      dials.length > 0 && h("section", { class: "card" }, h("h2", {}, "Dials"), h("div", { class: "settings" }, dials)),
      h("section", { class: "card" }, h("details", { open: !dials.length }, h("summary", {}, "All settings"),
        h("div", { class: "stack" }, h("fieldset", {}, h("legend", {}, "Start"), h("div", { class: "settings" }, startFrom.element, devices.element)), settings)))),
    h("aside", { class: "card", "aria-label": "What it takes" }, panel, h("div", { class: "row" }, create, repeat),
      h("div", { class: "row" }, texts.map(([name, text]) => copyButton(text, name))),
      h("details", {}, h("summary", { class: "small" }, "Read them"), h("div", { class: "stack" }, written.map(({ place }) => place)))));
  fill(main, header(family, job), element);

  /** Keep the request in the address, and ask what it would take once the person pauses. */
  function changed() {
    const amounts = Object.fromEntries(UNITS.map((one) => [one, one === asked.unit ? asked.amount : ""]));
    const overrides = job || Object.keys(draft.overrides).length ? JSON.stringify(draft.overrides) : "";
    keep({ dataset: asked.dataset, seed: asked.seed, ...amounts, model: asked.model, start_from: asked.startFrom, devices: asked.devices, overrides });
    tell();
    asking?.abort();
    panel.setAttribute("aria-busy", "true");
    checkSoon();
  }

  const checkSoon = debounced(() => void check(), PAUSE_MS, signal);
  /** @type {AbortController | undefined} */
  let asking;

  /** Ask what the request would take, and show it. */
  async function check() {
    asking = new AbortController();
    const stop = AbortSignal.any([signal, asking.signal]);
    try {
      const unfit = await rebase(stop);
      const next = await dryRun(body(), stop);
      plan = unfit.length && !next.recipe ? { ...next, refusals: unfit } : next;
    } catch (error) {
      if (stop.aborted) return;
      throw error;
    }
    if (plan.recipe) draft.recipe = structuredClone(plan.recipe);
    form.showAll();
    panel.removeAttribute("aria-busy");
    tell();
    show();
  }

  /** Write the request as text. */
  function tell() {
    for (const { text, place } of written) setText(place, text());
    repeat.href = `experiments/new?${experimentOf(body())}`;
    amount.control.placeholder = asked.unit === "steps" ? String(draft.base.budget.steps) : "";
  }

  function show() {
    if (!plan) return;
    const listed = refusals.show(plan.refusals);
    if (plan.model) model.control.placeholder = plan.model;
    const against = job ? job.recipe : draft.base;
    fill(panel, h("h2", {}, "What it takes"), listed.length > 0 && refusalList(listed), ...facts(plan),
      differenceList(job ? "Changed against the job" : "Changed against the defaults", differences(against, plan.recipe ?? draft.recipe).filter(({ path }) => path !== "/plugins")));
  }

  async function submit() {
    create.disabled = true;
    try {
      go(`jobs/${(await createOnce(body(), signal)).id}`);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      const listed = refusals.show(refusalsOf(error));
      fill(panel, h("h2", {}, "What it takes"), refusalList(listed));
      const [first] = listed;
      first.focus?.focus();
    } finally {
      create.disabled = false;
    }
  }

  offer([]);
  await check();
  await tryDatasets();

  /** Offer the datasets that fit, and the one that is chosen. @param {{name: string, refusal: string | null}[]} tried */
  function offer(tried) {
    const fits = new Map(tried.map(({ name, refusal }) => [name, refusal]));
    const offered = datasets.filter((/** @type {any} */ one) => one.name === asked.dataset || fits.get(one.name) === null);
    if (!offered.some((/** @type {any} */ one) => one.name === asked.dataset)) offered.unshift({ name: asked.dataset });
    fill(dataset.control, offered.map((/** @type {any} */ one) => h("option", { value: one.name, selected: one.name === asked.dataset }, described(one))));
    const refused = tried.filter(({ refusal }) => refusal !== null);
    others.style.visibility = refused.length ? "visible" : "hidden";
    fill(others, others.firstChild, h("ul", { class: "hint" }, refused.map(({ name, refusal }) => h("li", {}, h("b", {}, name), `: ${refusal}`))));
  }

  /** Ask the service which datasets the family learns from. Those of one shape are asked for once. */
  async function tryDatasets() {
    /** @type {Map<string, any[]>} */
    const shapes = new Map();
    for (const one of datasets) {
      const shape = one.side ? [one.kind, one.side, one.channels, one.classes > 0].join() : one.name;
      shapes.set(shape, [...(shapes.get(shape) ?? []), one]);
    }
    /** @type {{name: string, refusal: string | null}[]} */
    const tried = [];
    const waiting = [...shapes.values()];
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let group = waiting.shift(); group && !signal.aborted; group = waiting.shift()) {
        const found = await dryRun({ recipe: family.name ?? job.recipe, dataset: group[0].name }, signal);
        const refusal = found.refusals.length ? found.refusals.map(({ message }) => message).join(" ") : null;
        tried.push(...group.map(({ name }) => ({ name, refusal })));
      }
    })).catch((error) => { if (!signal.aborted) throw error; });
    if (!signal.aborted) offer(tried);
  }
}

/** @param {any} family @param {any} job */
function header(family, job) {
  return h("section", { class: "stack" }, h("div", { class: "spread" }, h("h1", {}, job ? "Clone with changes" : "New job"), h("a", { class: "button", href: "new" }, "All families")),
    h("div", { class: "card family" }, family.name && familyPicture(family.name), h("div", { class: "stack" }, h("h2", {}, family.title),
      family.use && h("p", {}, family.use), family.paper && h("p", { class: "hint" }, traits(family), h("br"), family.paper),
      job && h("p", {}, "The recipe of ", h("a", { href: `jobs/${job.id}` }, `${job.family ?? "the job"} on ${job.dataset}, seed ${job.recipe.seed}`), "."))));
}

/** The address of an experiment that repeats a training. @param {Json} request */
function experimentOf({ recipe, dataset, budget = {}, overrides }) {
  return new URLSearchParams({ family: recipe, dataset, ...budget, ...(overrides && { overrides: JSON.stringify(overrides) }) });
}

/** A dataset in one line. @param {any} dataset */
function described({ name, kind, side, channels, classes, size }) {
  if (!kind) return name;
  return [name, side ? `${side} × ${side} ${channels === 1 ? "grey" : "colour"}` : kind, classes && `${count(classes)} classes`, count(size)].filter(Boolean).join(" · ");
}

/** @param {string | null} text of an address, which anybody may have changed @returns {Json} */
function read(text) {
  try {
    const value = JSON.parse(text ?? "");
    return value && typeof value === "object" && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}
