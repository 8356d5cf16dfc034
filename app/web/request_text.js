// A training's request as text for a terminal or a notebook.

import { address, root } from "./api.js";
import { isObject } from "./recipe.js";

/** @typedef {import("./recipe.js").Json} Json */
/** @typedef {{keyRequired?: boolean}} Options */

const INDENT = "    ";
const service = root.href.replace(/\/$/, "");

/** Quote for a POSIX shell. @param {string} text */
export const quoted = (text) => (/^[\w./:=@,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** @param {Json} body @param {Options} [options] */
export function curl(body, { keyRequired = false } = {}) {
  const lines = [`curl ${quoted(address("/jobs"))}`, "-H 'Content-Type: application/json'"];
  if (keyRequired) lines.push('-H "Authorization: Bearer $FORGER_API_KEY"');
  return [...lines, `-d ${quoted(JSON.stringify(body))}`].join(" \\\n  ");
}

/** @param {Json} body */
export function commandLine({ recipe, dataset, seed, budget = {}, overrides = {}, model, start_from: start, resources }) {
  const command = `forger --url ${quoted(service)} train`;
  const named = { dataset, seed, ...budget, model, "start-from": start, devices: resources?.devices };
  const options = Object.entries(named).filter(([, value]) => value !== undefined).map(([name, value]) => `--${name} ${quoted(String(value))}`);
  const settings = flat(overrides).map(([path, value]) => `--set ${quoted(`${path}=${word(value)}`)}`);
  if (typeof recipe === "string") return [`${command} ${quoted(recipe)}`, ...options, ...settings].join(" \\\n  ");
  const file = `cat > recipe.json <<'RECIPE'\n${JSON.stringify(recipe, null, 2)}\nRECIPE\n`;
  return file + [`${command} --recipe recipe.json`, ...options].join(" \\\n  ");
}

/** @param {Json} body */
export function python({ recipe, ...rest }) {
  const lines = [`${INDENT}${literal(recipe)},`, ...Object.entries(rest).map(([name, value]) => `${INDENT}${name}=${literal(value)},`)];
  return `from forger import Forger\n\nforger = Forger(${literal(service)})\njob = forger.train(\n${lines.join("\n")}\n)\njob.wait()`;
}

/** The settings of an object as [a.b, value]; what a dotted path cannot name stays an object. @param {Json} value @returns {[string, any][]} */
function flat(value, before = "") {
  return Object.entries(value).flatMap(([name, part]) => {
    const nested = isObject(part) && Object.keys(part).length > 0 && Object.keys(part).every((key) => /^\w+$/.test(key));
    return nested ? flat(part, `${before}${name}.`) : [/** @type {[string, any]} */ ([`${before}${name}`, part])];
  });
}

/** A value as `--set` reads it: JSON, or a word that is no JSON. @param {any} value */
function word(value) {
  if (typeof value !== "string") return JSON.stringify(value);
  try {
    JSON.parse(value);
  } catch {
    return value;
  }
  return JSON.stringify(value);
}

/** A JSON value as Python. @param {any} value @returns {string} */
export function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (isObject(value)) return `{${Object.entries(value).map(([name, part]) => `${JSON.stringify(name)}: ${literal(part)}`).join(", ")}}`;
  return JSON.stringify(value);
}
