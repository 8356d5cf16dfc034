// A new experiment: a family with settings to vary, or several families, each trained with every seed.

import { get, posterOnce, Problem, send } from "./api.js";
import { copyButton, fill, h, setText } from "./dom.js";
import { count, duration } from "./format.js";
import { gridForm } from "./grid_form.js";
import { go, keep } from "./main.js";
import { refusalList, refusalsOf } from "./plan.js";
import { isObject, parsed } from "./recipe.js";
import { labelled, Refusals } from "./recipe_form.js";
import { debounced } from "./soon.js";

const PAUSE_MS = 300;
const UNITS = ["steps", "epochs", "minutes"];
const FIRST_FAMILY = "gan";
/** cases that are listed one by one */
const LISTED = 24;

/** @typedef {{count: number, jobs: any[], minutes: number | null, notes: string[], refusals: import("./recipe_form.js").Refusal[]}} Plan */

/** @param {HTMLElement} main @param {{query: URLSearchParams, signal: AbortSignal}} place */
export async function form(main, { query, signal }) {
  const [{ data: families }, { data: datasets }] = await Promise.all([get("/recipes", {}, signal), get("/datasets", {}, signal)]);
  const familyOf = (/** @type {string} */ name) => families.find((/** @type {any} */ one) => one.name === name);
  const unit = UNITS.find((one) => query.get(one)) ?? "steps";
  const asked = {
    name: query.get("name") ?? "", family: familyOf(query.get("family") ?? "") ? query.get("family") ?? "" : FIRST_FAMILY, dataset: query.get("dataset") ?? "",
    unit, amount: query.get(unit) ?? "", seeds: query.get("seeds") ?? "3", vary: query.get("families") === null ? "settings" : "families",
    families: (query.get("families") ?? "").split(",").filter(familyOf), overrides: query.get("overrides") ?? "",
  };
  asked.dataset ||= familyOf(asked.family).defaults.data.dataset;
  /** @type {import("./grid_form.js").Grid} */
  let grid = gridOf(query.get("grid"));
  const createOnce = posterOnce("/experiments");
  const refusals = new Refusals();

  /** The request as it stands. */
  function body() {
    /** @type {Record<string, any>} */
    const request = { dataset: asked.dataset, seeds: seedsOf(asked.seeds) };
    if (asked.name) request.name = asked.name;
    if (asked.amount !== "") request.budget = { [asked.unit]: Number(asked.amount) };
    if (asked.vary === "families") return { ...request, cases: asked.families.map((recipe) => ({ recipe })) };
    request.recipe = asked.family;
    if (asked.overrides.trim()) request.overrides = parsed(asked.overrides);
    const varied = Object.entries(grid).filter(([, values]) => values.length);
    if (varied.length) request.grid = Object.fromEntries(varied);
    return request;
  }

  /** A field at the top. @param {string} title @param {string} pointer @param {any} control @param {"name" | "dataset" | "amount" | "seeds" | "family" | "overrides"} name @param {string} hint @param {HTMLElement} [holder] */
  function field(title, pointer, control, name, hint = "", holder = control) {
    control.addEventListener("input", () => { asked[name] = control.value.trim(); changed(); });
    const made = labelled(title, holder, control);
    setText(made.hint, hint);
    refusals.places.set(pointer, { focus: made.focus, refuse: made.refuse });
    return made.element;
  }
  const text = (/** @type {string} */ value, properties = {}) => h("input", { type: "text", value, autocomplete: "off", spellcheck: false, ...properties });
  const units = h("select", { "aria-label": "Budget: unit", onchange: () => { asked.unit = units.value; changed(); } }, UNITS.map((one) => h("option", { selected: one === asked.unit }, one)));
  const amount = h("input", { type: "number", min: 0, step: "any", value: asked.amount, "aria-label": "Budget: amount" });
  const family = h("select", {}, families.map((/** @type {any} */ one) => h("option", { value: one.name, selected: one.name === asked.family }, `${one.name} · ${one.title}`)));
  const dataset = h("select", {}, datasets.map((/** @type {any} */ one) => h("option", { selected: one.name === asked.dataset }, one.name)));
  family.addEventListener("change", () => { asked.family = family.value; grid = {}; drawCases(); changed(); });
  const overrides = h("textarea", { class: "mono", rows: 4, spellcheck: false, value: asked.overrides, placeholder: '{"batch_size": 64}' });

  const what = h("div", { class: "settings" },
    field("Name", "/name", text(asked.name, { placeholder: "for example batch-sizes" }), "name", "each case publishes the model name-case"),
    field("Dataset", "/dataset", dataset, "dataset"),
    field("Budget", "/budget", amount, "amount", "of each job; empty: the family's", h("div", { class: "amount" }, amount, units)),
    field("Seeds", "/seeds", text(asked.seeds, { inputMode: "numeric" }), "seeds", "3 stands for 1, 2, 3; or a list with commas"));
  const familyField = field("Family", "/family", family, "family");
  const overridesField = field("Changes for all cases", "/common", overrides, "overrides", "JSON, as in the overrides of a job");
  const cases = h("div", { class: "stack" });
  const kinds = h("div", { class: "tabs", role: "group", "aria-label": "What differs between the cases" });
  const panel = h("div", { class: "stack", role: "status" });
  const start = h("button", { class: "main" }, "Start the experiment");
  fill(main, h("div", { class: "spread" }, h("h1", {}, "New experiment"), h("a", { class: "button", href: "experiments" }, "All experiments")),
    h("form", { class: "training", noValidate: true, onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); void submit(); } },
      h("div", { class: "stack" },
        h("section", { class: "card" }, h("h2", {}, "What"), what),
        h("section", { class: "card" }, h("div", { class: "spread" }, h("h2", {}, "Cases"), kinds), cases)),
      h("aside", { class: "card", "aria-label": "What it takes" }, panel, h("div", { class: "row" }, start, copyButton(() => JSON.stringify(body(), null, 2), "JSON")))));

  /** Draw what differs between the cases. */
  function drawCases() {
    fill(kinds, [["settings", "Settings of one family"], ["families", "Families"]].map(([value, title]) =>
      h("button", { type: "button", "aria-pressed": String(value === asked.vary), onclick: () => { asked.vary = value; drawCases(); changed(); } }, title)));
    fill(cases, asked.vary === "families" ? familyBoxes() : [familyField,
      h("p", { class: "hint" }, "Without a setting to vary, the experiment repeats one recipe with each seed."),
      gridForm(familyOf(asked.family), grid, refusals, changed),
      h("details", { open: asked.overrides !== "" }, h("summary", { class: "small" }, "Changes for all cases"), overridesField)]);
  }

  function familyBoxes() {
    /** @type {HTMLInputElement[]} */
    const boxes = families.map((/** @type {any} */ one) => h("input", {
      type: "checkbox", value: one.name, checked: asked.families.includes(one.name),
      onchange: () => { asked.families = boxes.filter((box) => box.checked).map((box) => box.value); changed(); },
    }));
    const made = labelled("Families", h("div", { class: "grid narrow" }, boxes.map((box) => h("label", {}, box, box.value))), boxes[0]);
    setText(made.hint, "each is a case, on the dataset above");
    refusals.places.set("/cases", { focus: made.focus, refuse: made.refuse });
    return made.element;
  }

  const checkSoon = debounced(() => void check(), PAUSE_MS, signal);
  /** @type {AbortController | undefined} */
  let asking;

  /** Keep the request in the address, and ask what it would take once the person pauses. */
  function changed() {
    const { name, family: of, dataset: on, seeds, vary } = asked;
    const alone = vary === "settings";
    const amounts = Object.fromEntries(UNITS.map((one) => [one, one === asked.unit ? asked.amount : ""]));
    keep({
      name, family: alone ? of : "", dataset: on, seeds, ...amounts, grid: alone && Object.keys(grid).length ? JSON.stringify(grid) : "",
      families: alone ? "" : asked.families.join(",") || ",", overrides: alone ? asked.overrides : "",
    });
    asking?.abort();
    panel.setAttribute("aria-busy", "true");
    checkSoon();
  }

  async function check() {
    asking = new AbortController();
    const stop = AbortSignal.any([signal, asking.signal]);
    try {
      const plan = await (await send("POST", "/experiments", { body: { ...body(), dry_run: true }, signal: stop })).json();
      showPlan(plan);
    } catch (error) {
      if (stop.aborted) return;
      if (!(error instanceof Problem)) throw error;
      showPlan({ count: 0, jobs: [], minutes: null, notes: [], refusals: refusalsOf(error) });
    }
    panel.removeAttribute("aria-busy");
  }

  /** Show refusals at their fields. @param {Plan["refusals"]} found */
  const show = (found) => refusals.show(found.map(({ pointer, message }) => ({ pointer: pointer.replace(/^\/recipe(?=\/|$)/, "/family").replace(/^\/overrides(?=\/|$)/, "/common"), message })));

  /** @param {Plan} plan */
  function showPlan({ count: jobs, jobs: planned, minutes, notes, refusals: found }) {
    const listed = show(found);
    const names = [...new Set(planned.map(({ case: of }) => of))];
    fill(panel, h("h2", {}, "What it takes"), listed.length > 0 && refusalList(listed),
      jobs > 0 && h("dl", {}, [["Jobs", `${count(jobs)}: ${count(names.length)} ${names.length > 1 ? "cases" : "case"}, ${count(jobs / names.length)} ${jobs > names.length ? "seeds" : "seed"}`],
        ["Time", minutes === null ? "not known before the first training here" : `about ${duration(60 * minutes)}, one job after the other`]]
        .flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      names.length > 0 && h("ul", { class: "small" }, names.slice(0, LISTED).map((name) => h("li", {}, name)), names.length > LISTED && h("li", {}, `and ${count(names.length - LISTED)} more`)),
      notes.map((note) => h("p", { class: "hint" }, note)));
  }

  async function submit() {
    start.disabled = true;
    try {
      go(`experiments/${(await createOnce(body(), signal)).id}`);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      const listed = show(refusalsOf(error));
      fill(panel, h("h2", {}, "What it takes"), refusalList(listed));
      listed[0]?.focus?.focus();
    } finally {
      start.disabled = false;
    }
  }

  drawCases();
  await check();
}

/** A number of seeds, or their list; else the text, which the service then judges. @param {string} text */
function seedsOf(text) {
  const parts = text.split(/[\s,]+/).filter(Boolean).map((one) => (/^\d+$/.test(one) ? Number(one) : one));
  return parts.length === 1 && !/,/.test(text) ? parts[0] : parts;
}

/** The grid of an address, which anybody may have changed. @param {string | null} text @returns {import("./grid_form.js").Grid} */
function gridOf(text) {
  const value = parsed(text ?? "{}");
  return isObject(value) && Object.values(value).every(Array.isArray) ? value : {};
}
