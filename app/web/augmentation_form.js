// Augment a dataset: choose who draws the labelled pictures and how their use is measured; the plan is said before it begins.

import { get, posterOnce, Problem } from "./api.js";
import { fill, h, setText } from "./dom.js";
import { count, counted, duration } from "./format.js";
import { go, keep } from "./main.js";
import { newestFirst } from "./model_versions.js";
import { dryRun, refusalList, refusalsOf } from "./plan.js";
import { labelled, Refusals } from "./recipe_form.js";
import { debounced } from "./soon.js";

/** @typedef {import("./plan.js").Plan & {spec: any, family: string | null}} Plan */

const PATH = "/augmentations";
const PAUSE_MS = 300;
const REFUSED = "It cannot be augmented like this:";
/** what stands for a training in the choice of models */
const TRAIN = "";
/** models of the dataset that are tried at most, the newest first */
const MOST_TRIED = 12;
const DEFAULTS = { per_class: "100", model: TRAIN, family: "cdcgan", steps: "", seeds: "5", classifier_steps: "500", seed: "0" };

/** Whether a dataset has labelled pictures. @param {any} dataset */
export const canAugment = ({ kind, classes }) => kind === "images" && classes > 1;

/** The part of a dataset's page. @param {any} dataset @param {{query: URLSearchParams, signal: AbortSignal}} place */
export function augmentPart(dataset, { query, signal }) {
  const place = h("div");
  const element = h("details", { class: "card writes", open: query.get("augment") === "open" }, h("summary", {}, "Augment: do generated pictures help?"), h("div", { class: "stack" },
    h("p", { class: "hint" }, "A model draws labelled pictures for this dataset. Classifiers, trained with and without them, show on held-out real pictures whether they help."), place));
  let begun = false;
  const begin = () => {
    keep({ augment: element.open ? "open" : null });
    if (!element.open || begun) return;
    begun = true;
    void form(place, dataset.name, signal).catch((error) => {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      fill(place, h("p", { class: "refusal", role: "alert" }, error.message));
    });
  };
  element.addEventListener("toggle", begin);
  return element;
}

/** @param {HTMLElement} place @param {string} dataset @param {AbortSignal} signal */
async function form(place, dataset, signal) {
  const [{ data: families }, fitting] = await Promise.all([get("/recipes", { schema: false }, signal), fittingModels(dataset, signal)]);
  const values = { ...DEFAULTS, model: fitting[0]?.model ?? TRAIN };
  const refusals = new Refusals();
  const create = posterOnce(PATH);
  const panel = h("div", { class: "stack", role: "status" });
  const button = h("button", { class: "main", disabled: true }, "Augment");

  /** @param {string} title @param {keyof typeof DEFAULTS} name @param {string} pointer @param {any} control @param {string} [hint] */
  function field(title, name, pointer, control, hint = "") {
    control.value = values[name];
    control.addEventListener("input", () => {
      values[name] = control.value.trim();
      changed();
    });
    const { element, hint: words, focus, refuse } = labelled(title, control);
    setText(words, hint);
    refusals.places.set(pointer, { focus, refuse });
    return { element, control };
  }
  /** @param {number} min @param {Record<string, any>} [more] */
  const numeric = (min, more) => h("input", { type: "number", min, step: 1, ...more });
  const perClass = field("Pictures of each class", "per_class", "/per_class", numeric(1), "to keep after the filter");
  const model = field("Who draws them", "model", "/model", h("select", {}, fitting.map(({ model, health }) => h("option", { value: model }, health && health.state !== "healthy" ? `${model} (${health.state})` : model)), h("option", { value: TRAIN }, "Train a model first")),
    fitting.length ? "" : "No trained model fits: it must draw these classes and never have seen the held-out pictures.");
  const family = field("Family", "family", "/recipe", h("select", {}, families.filter((/** @type {any} */ one) => one.conditional).map((/** @type {any} */ one) => h("option", { value: one.name }, one.name))));
  const steps = field("Training steps", "steps", "/budget/steps", numeric(1));
  const seeds = field("Seeds", "seeds", "/seeds", numeric(3, { max: 10 }), "classifiers for each set of pictures, 3 to 10");
  const classifierSteps = field("Steps of a classifier", "classifier_steps", "/classifier_steps", numeric(10, { max: 5000 }), "the same for every set of pictures");
  const seed = field("First seed", "seed", "/seed", numeric(0), "decides everything random");
  fill(place, h("form", { class: "training", noValidate: true, "aria-label": "Augment", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); void submit(); } },
    h("div", { class: "settings" }, [perClass, model, family, steps, seeds, classifierSteps, seed].map(({ element }) => element)),
    h("div", { class: "stack" }, panel, h("div", { class: "row" }, button))));

  function body() {
    const trains = values.model === TRAIN;
    return {
      dataset, per_class: numberOf(values.per_class), seeds: numberOf(values.seeds), classifier_steps: numberOf(values.classifier_steps), seed: numberOf(values.seed),
      ...(trains ? { recipe: values.family } : { model: values.model }), ...(trains && values.steps !== "" && { budget: { steps: numberOf(values.steps) } }),
    };
  }

  /** @type {AbortController | undefined} */
  let asking;
  const checkSoon = debounced(() => void check(), PAUSE_MS, signal);

  function changed() {
    family.element.hidden = steps.element.hidden = values.model !== TRAIN;
    asking?.abort();
    button.disabled = true;
    checkSoon();
  }

  async function check() {
    asking = new AbortController();
    const stop = AbortSignal.any([signal, asking.signal]);
    try {
      show(/** @type {Plan} */ (await dryRun(body(), stop, PATH)));
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  /** @param {Plan} plan */
  function show(plan) {
    const listed = refusals.show(plan.refusals);
    if (plan.recipe && values.model === TRAIN && values.steps === "") steps.control.placeholder = String(plan.recipe.budget.steps);
    button.disabled = listed.length > 0;
    fill(panel, h("h3", {}, "The plan"), listed.length ? refusalList(listed, REFUSED) : planInWords(plan));
  }

  async function submit() {
    if (button.disabled) return;
    button.disabled = true;
    try {
      go(`jobs/${(await create(body(), signal)).job.id}`);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      const listed = refusals.show(refusalsOf(error));
      fill(panel, h("h3", {}, "The plan"), refusalList(listed, REFUSED));
      listed[0].focus?.focus();
      button.disabled = false;
    }
  }

  changed();
}

/** The versions that may draw pictures for a dataset, the newest first: those whose plan is not refused. @param {string} dataset @param {AbortSignal} signal @returns {Promise<any[]>} */
async function fittingModels(dataset, signal) {
  const names = (await get("/models", {}, signal)).data.filter((/** @type {any} */ one) => one.latest.dataset === dataset)
    .sort((/** @type {any} */ a, /** @type {any} */ b) => newestFirst(a.latest, b.latest)).slice(0, MOST_TRIED);
  const models = await Promise.all(names.map((/** @type {any} */ { name }) => get(`/models/${name}`, {}, signal)));
  const versions = models.flatMap((model) => model.versions).sort(newestFirst).slice(0, MOST_TRIED);
  const plans = await Promise.all(versions.map(({ model }) => dryRun({ dataset, per_class: 1, model }, signal, PATH)));
  return versions.filter((_, index) => !plans[index].refusals.length);
}

/** @param {Plan} plan */
function planInWords({ spec, recipe, family, model, estimate, notes }) {
  const { per_class: each, seeds, classifier_steps: steps, weights, held_out: heldOut } = spec;
  const { classes } = /** @type {any} */ (recipe).data;
  const minutes = estimate?.minutes ?? null;
  const takes = minutes === null ? "" : ` The training alone takes about ${duration(60 * minutes)}; filter and classifiers come after it, and may take longer.`;
  const lines = [
    weights ? `${weights.model} draws pictures of ${count(classes)} classes.` : `${family ?? "The recipe"} learns the dataset for ${counted(/** @type {any} */ (recipe).budget.steps, "step")}. It becomes the model ${model}, a name of its own beside your other models.${takes}`,
    `A filter keeps up to ${count(each * classes)} of its pictures, ${count(each)} of each class: those that a classifier takes for their class and that are no near copies.`,
    `${count(4 * seeds)} classifiers are trained for ${count(steps)} steps each, with four sets: real pictures, generated ones, both (half of each batch generated, half real), and classical (real ones, moved, turned and scaled at random).`,
    heldOut === "fifth" ? "They are compared on every fifth picture of each class, which is held out from all of this." : "They are compared on the dataset's test split, which is held out from all of this.",
  ];
  return [h("ol", {}, lines.map((line) => h("li", {}, line))), notes.map((/** @type {string} */ note) => h("p", { class: "notice warn" }, note))];
}

/** @param {string} text of a field; text that is no number is sent as it is, so that the service refuses it */
const numberOf = (text) => (text === "" || Number.isNaN(Number(text)) ? text : Number(text));
