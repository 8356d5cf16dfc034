// Settings that an experiment varies: for each a row with its values. Every combination is a case.

import { fill, h } from "./dom.js";
import { inWords, isObject, parsed } from "./recipe.js";
import { labelled, schemaAt, shapeOf } from "./recipe_form.js";

/** @typedef {import("./recipe.js").Json} Json */
/** Lists of values by JSON pointers into the recipe. @typedef {Record<string, any[]>} Grid */

const LEFT_OUT = ["/seed", "/version", "/plugins", "/data", "/budget/minutes"];

/** The settings of a family that can be varied: its dials first, then all others. @param {any} family @returns {{path: string, title: string, dial: boolean}[]} */
function settingsOf({ dials, defaults }) {
  const titles = new Map(dials.map((/** @type {any} */ dial) => [dial.path, dial.title]));
  const paths = [...titles.keys(), ...pathsOf(defaults).filter((path) => !titles.has(path))];
  return paths.filter((path) => !LEFT_OUT.some((out) => path === out || path.startsWith(`${out}/`)))
    .map((path) => ({ path, title: titles.get(path) ?? path.slice(1).replaceAll("/", ": ").replaceAll("_", " "), dial: titles.has(path) }));
}

/** The paths of a recipe's values, and of its parts of a kind. @param {Json} value @returns {string[]} */
const pathsOf = (value, path = "") => Object.entries(value).flatMap(([name, part]) => {
  const place = `${path}/${name}`;
  if (name === "kind") return [];
  if (!isObject(part)) return [place];
  return "kind" in part ? [place, ...pathsOf(part, place)] : pathsOf(part, place);
});

/**
 * Rows of settings with their values.
 * @param {any} family @param {Grid} grid what is varied; rows change it @param {import("./recipe_form.js").Refusals} refusals @param {() => void} onChange
 */
export function gridForm(family, grid, refusals, onChange) {
  const settings = settingsOf(family);
  const rows = h("div", { class: "stack" });
  const options = (/** @type {boolean} */ dial) => settings.filter((one) => one.dial === dial).map(({ path, title }) => h("option", { value: path }, title));
  const select = h("select", { "aria-label": "Setting to vary" }, h("optgroup", { label: "Dials" }, options(true)), h("optgroup", { label: "All settings" }, options(false)));
  const add = h("button", { type: "button", onclick: () => { if (!(select.value in grid)) { grid[select.value] = []; draw(); onChange(); } rows.querySelector(`[data-path="${select.value}"] :is(input, textarea)`)?.focus(); } }, "Vary this");

  function draw() {
    fill(rows, Object.keys(grid).map(row));
  }

  /** @param {string} path */
  function row(path) {
    const of = schemaAt(family.schema, family.defaults, path);
    const title = settings.find((one) => one.path === path)?.title ?? path.slice(1);
    const set = (/** @type {any[]} */ values) => { grid[path] = values; onChange(); };
    const { element, focus, hint } = valuesControl(of && shapeOf(of, family.schema), grid[path], set);
    const field = labelled(title, element, focus);
    field.hint.textContent = hint;
    refusals.places.set(`/grid/${path.replaceAll("~", "~0").replaceAll("/", "~1")}`, { focus, refuse: field.refuse });
    const remove = h("button", { type: "button", "aria-label": `Do not vary ${title}`, onclick: () => { delete grid[path]; draw(); select.focus(); onChange(); } }, "Remove");
    return h("div", { class: "varied", data: { path } }, field.element, remove);
  }

  draw();
  return h("div", { class: "stack" }, rows, h("div", { class: "row" }, select, add));
}

/**
 * @param {import("./recipe_form.js").Shape | undefined} shape @param {any[]} values @param {(values: any[]) => void} set
 * @returns {{element: HTMLElement, focus: HTMLElement, hint: string}}
 */
function valuesControl(shape, values, set) {
  const choices = shape && choicesOf(shape);
  if (choices) return boxes(choices, values, set);
  if (shape && ["number", "text"].includes(shape.type)) {
    const element = h("input", { type: "text", value: values.map(inWords).join(", "), placeholder: "for example two values with a comma between", autocomplete: "off", oninput: () => set(split(element.value, ",")) });
    return { element, focus: element, hint: "values with commas between" };
  }
  const element = h("textarea", { class: "mono", rows: 3, spellcheck: false, value: values.map((value) => JSON.stringify(value)).join("\n"), oninput: () => set(split(element.value, "\n")) });
  return { element, focus: element, hint: "one JSON value a line, for example [128, 128]" };
}

/** The values to tick; null where there are too many to list. @param {import("./recipe_form.js").Shape} shape @returns {any[] | null} */
function choicesOf({ type, schema, kinds, nullable }) {
  const none = nullable ? [null] : [];
  if (type === "choice") return [...none, ...schema.enum];
  if (type === "switch") return [false, true];
  return type === "union" ? [...none, ...Object.keys(kinds).map((kind) => ({ kind }))] : null;
}

/** @param {any[]} choices @param {any[]} values @param {(values: any[]) => void} set */
function boxes(choices, values, set) {
  const keyOf = (/** @type {any} */ value) => JSON.stringify(value);
  const ticked = new Set(values.map(keyOf));
  const inputs = choices.map((value) => h("input", {
    type: "checkbox", checked: ticked.has(keyOf(value)),
    onchange: () => set(choices.filter((_, index) => inputs[index].checked)),
  }));
  const element = h("div", { class: "row" }, choices.map((value, index) => h("label", {}, inputs[index], inWords(value).replaceAll("_", " "))));
  return { element, focus: inputs[0], hint: "tick two or more" };
}

/** Values of a text. @param {string} text @param {string} separator */
const split = (text, separator) => text.split(separator).map((one) => one.trim()).filter(Boolean).map(parsed);
