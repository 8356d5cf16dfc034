// Recipes as values: what is at a path, what differs, and the changes of a family's defaults that a request sends.
// Paths are JSON pointers. No key of a recipe holds "/" or "~".

/** @typedef {Record<string, any>} Json */
/** @typedef {{path: string, before: any, after: any}} Difference */

/** fields that the service derives from the budget and the batch size: equal to the default is not the same as left out */
const DERIVED = ["/checkpoint_every", "/report_every", "/watch"];

/** @param {string} path */
export const isDerived = (path) => DERIVED.some((one) => path === one || path.startsWith(`${one}/`));

/** @param {any} value @returns {value is Json} */
export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** @param {string} path */
const stepsOf = (path) => path.split("/").slice(1);

/** The value at a path; undefined where there is none. @param {any} value @param {string} path */
export function at(value, path) {
  for (const step of stepsOf(path)) {
    if (value === null || typeof value !== "object") return undefined;
    value = value[step];
  }
  return value;
}

/** Whether two JSON values are equal, whatever the order of keys. @param {any} one @param {any} other @returns {boolean} */
export function same(one, other) {
  if (one === null || other === null || typeof one !== "object" || typeof other !== "object") return one === other;
  const names = Object.keys(one);
  return Array.isArray(one) === Array.isArray(other) && names.length === Object.keys(other).length
    && names.every((name) => name in other && same(one[name], other[name]));
}

/** Set the value at a path, making the objects on the way. @param {any} holder @param {string} path @param {any} value */
export function assign(holder, path, value) {
  const steps = stepsOf(path);
  const last = /** @type {string} */ (steps.pop());
  for (const step of steps) {
    if (holder[step] === null || typeof holder[step] !== "object") holder[step] = {};
    holder = holder[step];
  }
  holder[last] = value;
}

/** Merge as the service does: a changed `kind` replaces its object, and lists are replaced whole. @param {Json} base @param {Json} change @returns {Json} */
export function merge(base, change) {
  if ("kind" in change && change.kind !== base.kind) return { ...change };
  const merged = { ...base };
  for (const [name, value] of Object.entries(change)) merged[name] = isObject(value) ? merge(isObject(base[name]) ? base[name] : {}, value) : value;
  return merged;
}

/** The smallest change with which `merge` turns `base` into `target`. @param {Json} base @param {Json} target @returns {Json} */
export function changeBetween(base, target) {
  return Object.fromEntries(Object.entries(target).filter(([name, value]) => !same(base[name], value)).map(([name, value]) =>
    [name, isObject(value) && isObject(base[name]) && value.kind === base[name].kind ? changeBetween(base[name], value) : value]));
}

/** The default at a path; undefined where the changes choose another kind of part. @param {Json} base @param {Json} overrides @param {string} path */
export function defaultAt(base, overrides, path) {
  /** @type {any} */
  let value = base;
  /** @type {any} */
  let change = overrides;
  for (const step of stepsOf(path)) {
    if (value === null || typeof value !== "object" || (isObject(change) && "kind" in change && change.kind !== value.kind)) return undefined;
    [value, change] = [value[step], isObject(change) ? change[step] : undefined];
  }
  return value;
}

/** Change a field; what equals its default is left out. @param {Json} base @param {Json} overrides @param {string} path @param {any} value */
export function put(base, overrides, path, value) {
  if (!isDerived(path) && same(defaultAt(base, overrides, path), value)) drop(base, overrides, path);
  else assign(overrides, path, value);
}

/** Take a change back, and the objects that it leaves empty. @param {Json} base @param {Json} overrides @param {string} path */
export function drop(base, overrides, path) {
  const place = path.slice(0, path.lastIndexOf("/"));
  const holder = place ? at(overrides, place) : overrides;
  if (!isObject(holder)) return;
  delete holder[path.slice(place.length + 1)];
  // An empty object stays where the default is null: it turns the part on.
  if (place && !Object.keys(holder).length && isObject(at(base, place))) drop(base, overrides, place);
}

/** The deepest places at which two values differ. @param {any} before @param {any} after @returns {Difference[]} */
export function differences(before, after, path = "") {
  if (same(before, after)) return [];
  if (!isObject(before) || !isObject(after) || before.kind !== after.kind) return [{ path, before, after }];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) => differences(before[name], after[name], `${path}/${name}`));
}

/** JSON, or the text where it is none: the service then says what it expects. @param {string} text */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A value in one line. @param {any} value @returns {string} */
export function inWords(value) {
  if (value === null || value === undefined) return "none";
  if (Array.isArray(value)) return value.length ? value.map(inWords).join(", ") : "none";
  if (!isObject(value)) return String(value);
  const { kind, ...rest } = value;
  const settings = Object.entries(rest).map(([name, part]) => `${name} ${inWords(part)}`).join(", ");
  return kind === undefined ? settings || "on" : settings ? `${kind} (${settings})` : String(kind);
}
