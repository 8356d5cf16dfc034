// What a training would be and take, as POST /jobs with `dry_run` answers, and the panel that says it.

import { Problem, send } from "./api.js";
import { fill, h } from "./dom.js";
import { count, duration, size } from "./format.js";
import { inWords } from "./recipe.js";
import { reveal } from "./recipe_form.js";

/** @typedef {import("./recipe.js").Json} Json */
/** @typedef {{recipe: Json | null, model: string | null, estimate: Json | null, notes: string[], refusals: import("./recipe_form.js").Refusal[]}} Plan */

/** Ask what a training or another job would be. Errors of the API become refusals. @param {Json} body @param {AbortSignal} [signal] @param {string} [path] @returns {Promise<Plan>} */
export async function dryRun(body, signal, path = "/jobs") {
  try {
    return await (await send("POST", path, { body: { ...body, dry_run: true }, signal })).json();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { recipe: null, model: null, estimate: null, notes: [], refusals: refusalsOf(error) };
  }
}

/** @param {Problem} problem */
export const refusalsOf = (problem) => (problem.errors.length ? problem.errors : [{ pointer: "", message: problem.message }]);

/** What it takes, as facts. @param {Plan} plan */
export function facts({ estimate, notes, recipe }) {
  if (!estimate || !recipe) return [];
  const { parameters } = estimate;
  const rows = [
    ["Time", estimate.minutes === null ? "not known before the first training here" : `about ${duration(60 * estimate.minutes)}`],
    ["Steps", recipe.budget.minutes === null ? count(recipe.budget.steps) : "as many as fit"],
    ["Generator", `${count(parameters.generator)} weights`],
    parameters.critic && ["Critic", `${count(parameters.critic)} weights`],
    parameters.features && ["Features", `${count(parameters.features)} weights`],
    ["Memory", `at most ${size(estimate.memory_bytes)}`],
    ["Disk", `at most ${size(estimate.disk_bytes)}`],
  ].filter(Boolean);
  return [h("dl", {}, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])), ...notes.map((note) => h("p", { class: "hint" }, note))];
}

/** Refusals as a list; each leads to its field. @param {{message: string, focus: HTMLElement | null}[]} listed @param {string} [title] */
export const refusalList = (listed, title = "It cannot be trained like this:") => h("div", { class: "notice bad" }, h("p", {}, h("b", {}, title)),
  h("ul", {}, listed.map(({ message, focus }) => h("li", {}, focus ? h("button", { type: "button", class: "plain", onclick: () => reveal(focus) }, message) : message))));

/** What differs from another recipe. @param {string} title @param {import("./recipe.js").Difference[]} found */
export const differenceList = (title, found) => fill(h("section", { class: "stack differences" }), h("h3", {}, title),
  found.length ? h("ul", { class: "small" }, found.map(({ path, before, after }) => h("li", {}, h("code", {}, path.slice(1).replaceAll("/", ".")), ` ${inWords(before)} → `, h("b", {}, inWords(after)))))
    : h("p", { class: "hint" }, "Nothing."));
