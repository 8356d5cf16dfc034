// Fields for a recipe, built from its JSON Schema: objects with a `kind` as a choice that swaps the fields below it.

import { fill, h, setText } from "./dom.js";
import { assign, at, defaultAt, drop, inWords, isObject, put, same } from "./recipe.js";

/** @typedef {import("./recipe.js").Json} Json */
/** @typedef {{pointer: string, message: string}} Refusal */
/** What a form changes. `recipe` is the whole recipe that it shows. @typedef {{base: Json, overrides: Json, recipe: Json}} Draft */
/** A part of the form: `show` writes the recipe's value into its controls. @typedef {{element: HTMLElement, show: (value: any) => void}} Part */
/** @typedef {{read: () => any, write: (value: any) => void, element: HTMLElement, focus?: HTMLElement}} Control */
/** @typedef {{schema: Json, type: string, nullable: boolean, kinds: Record<string, Json>}} Shape */

/** parts that have fields of their own at the top of the page, or that the service fills in */
const SKIPPED = ["/version", "/seed", "/budget", "/plugins", "/data/dataset", "/data/input_channels"];
const NONE = "none";
const ON = "on";

let ids = 0;

/** A field with its label, hint and refusal. @param {string} title @param {HTMLElement} control @param {HTMLElement} [focus] */
export function labelled(title, control, focus = control) {
  const id = `field-${(ids += 1)}`;
  const hint = h("span", { class: "hint", id: `${id}-hint` });
  const refusal = h("p", { class: "refusal", id: `${id}-refusal`, hidden: true });
  focus.setAttribute("aria-describedby", `${id}-hint ${id}-refusal`);
  const label = control === focus ? h("label", { class: "field" }, title, control)
    : h("div", { role: "group", "aria-label": title }, h("span", { class: "hint" }, title), control);
  return {
    element: h("div", { class: "setting" }, label, h("div", { class: "row" }, hint), refusal), hint, focus,
    /** @param {string | null} message */
    refuse(message) {
      setText(refusal, message ?? "");
      refusal.hidden = !message;
      if (message) focus.setAttribute("aria-invalid", "true");
      else focus.removeAttribute("aria-invalid");
    },
  };
}

/** Say refusals beside fields, which are known by their JSON pointers. */
export class Refusals {
  constructor() {
    /** @type {Map<string, {focus: HTMLElement, refuse: (message: string | null) => void}>} */
    this.places = new Map();
  }

  /** Say each refusal at its field, or at the nearest part that holds it. @param {Refusal[]} refusals @returns {{message: string, focus: HTMLElement | null}[]} */
  show(refusals) {
    /** @type {Map<string, string[]>} */
    const messages = new Map();
    const listed = refusals.map(({ pointer, message }) => {
      let path = pointer.replace(/^\/(overrides|recipe)(?=\/|$)/, "");
      while (path && !this.places.get(path)?.focus.isConnected) path = path.slice(0, path.lastIndexOf("/"));
      messages.set(path, [...(messages.get(path) ?? []), message]);
      return { message, focus: this.places.get(path)?.focus ?? null };
    });
    for (const [path, place] of this.places) place.refuse(messages.get(path)?.join(" ") ?? null);
    return listed;
  }
}

/** Show a field wherever it is folded away. @param {HTMLElement} control */
export function reveal(control) {
  for (let holder = control.closest("details"); holder; holder = holder.parentElement?.closest("details") ?? null) holder.open = true;
  control.focus();
  control.scrollIntoView({ block: "center" });
}

/**
 * The fields of a recipe. `onChange` is called after each change of the draft.
 * @param {Json} schema @param {Draft} draft @param {Refusals} refusals @param {() => void} onChange
 */
export function recipeForm(schema, draft, refusals, onChange) {
  /** @type {Part[]} parts at the top of the form; each shows its value of a whole recipe */
  const shown = [];
  const skipped = new Set(SKIPPED);

  const showAll = () => shown.forEach((part) => part.show(draft.recipe));

  /** The list that holds a path, if one does. @param {string} path */
  const listOf = (path) => {
    const steps = path.split("/");
    return steps.map((_, index) => steps.slice(0, index).join("/")).find((place) => place && Array.isArray(at(draft.recipe, place)));
  };

  /** The default at a path; undefined if none is known. @param {string} path */
  const known = (path) => (listOf(path) ? undefined : defaultAt(draft.base, draft.overrides, path));

  /** Set a value. An entry of a list changes its whole list. @param {string} path @param {any} value */
  function set(path, value) {
    const list = listOf(path);
    if (list) {
      const entries = structuredClone(at(draft.recipe, list));
      assign(entries, path.slice(list.length), value);
      [path, value] = [list, entries];
    }
    put(draft.base, draft.overrides, path, value);
    assign(draft.recipe, path, structuredClone(value));
    showAll();
    onChange();
  }

  /** Take the change at a path back. @param {string} path @param {any} [fallback] if no default is known */
  function reset(path, fallback) {
    drop(draft.base, draft.overrides, path);
    assign(draft.recipe, path, structuredClone(known(path) ?? fallback));
    showAll();
    onChange();
  }

  /** @param {Json} of @param {string} path @param {string} title @returns {Part} */
  function part(of, path, title) {
    const shape = shapeOf(of, schema);
    if (shape.type === "object" || shape.type === "union") return group(shape, path, title);
    if (shape.type === "list") return list(shape, path, title);
    return field(shape, path, title);
  }

  /** One value. @param {Shape} shape @param {string} path @param {string} title @returns {Part} */
  function field(shape, path, title) {
    const control = controlOf(shape, () => {
      const value = control.read();
      const cleared = value === null && !shape.nullable && ["number", "text"].includes(shape.type);
      if (cleared && !listOf(path)) reset(path, shape.schema.default);
      else set(path, value);
    });
    const { element, hint, focus, refuse } = labelled(title, control.element, control.focus);
    refusals.places.set(path, { focus, refuse });
    setText(hint, hintOf(shape));
    const back = h("button", { type: "button", class: "plain", onclick: () => { reset(path); focus.focus(); } });
    hint.after(back);
    return {
      element,
      show(value) {
        if (document.activeElement !== focus || shape.type === "choice") control.write(value ?? shape.schema.default ?? null);
        const before = known(path);
        const changed = at(draft.overrides, path) !== undefined && before !== undefined && !same(before, value);
        back.hidden = !changed;
        if (changed) setText(back, `back to ${inWords(before)}`);
        element.classList.toggle("changed", changed);
      },
    };
  }

  /** An object: its kind, if there is a choice, and its fields. @param {Shape} shape @param {string} path @param {string} title @returns {Part} */
  function group(shape, path, title) {
    const kinds = Object.keys(shape.kinds);
    const choices = path === "/data" ? [] : [...(shape.nullable ? [NONE] : []), ...kinds];
    const select = h("select", { "aria-label": `${title}: kind`, onchange: () => choose(select.value) }, choices.map((kind) => h("option", { value: kind }, kind.replaceAll("_", " "))));
    const about = h("p", { class: "hint" });
    const refusal = h("p", { class: "refusal", hidden: true });
    const body = h("div", { class: "settings" });
    const choosing = choices.length > 1;
    const element = h("fieldset", { tabIndex: choosing ? undefined : -1 }, h("legend", {}, title), choosing && select, about, refusal, body);
    refusals.places.set(path, {
      focus: choosing ? select : element,
      refuse: (message) => { setText(refusal, message ?? ""); refusal.hidden = !message; },
    });
    /** @type {string | null} */
    let kind = null;
    /** @type {[string, Part][]} */
    let parts = [];

    /** @param {string} chosen */
    function choose(chosen) {
      if (chosen === NONE) return set(path, null);
      const before = known(path);
      if (isObject(before) && kindOf(before, shape) === chosen) return reset(path);
      return set(path, chosen === ON ? {} : { kind: chosen });
    }

    /** @param {string} next */
    function build(next) {
      kind = next;
      const object = shape.kinds[next];
      setText(about, plain(object?.description?.split("\n\n")[0] ?? ""));
      parts = Object.entries(object?.properties ?? {})
        .filter(([name, property]) => !("const" in property) && !skipped.has(`${path}/${name}`))
        .map(([name, property]) => [name, part(property, `${path}/${name}`, titleOf(property, name))]);
      fill(body, parts.map(([, one]) => one.element));
    }

    return {
      element,
      show(value) {
        const next = value === null || value === undefined ? NONE : kindOf(value, shape);
        if (next !== kind) build(next);
        select.value = next;
        for (const [name, one] of parts) one.show(value?.[name]);
      },
    };
  }

  /** A list of objects. @param {Shape} shape @param {string} path @param {string} title @returns {Part} */
  function list(shape, path, title) {
    const kinds = Object.keys(shapeOf(shape.schema.items, schema).kinds);
    const entries = h("div", { class: "stack" });
    const select = h("select", { "aria-label": `${title}: kind of the new one` }, kinds.map((kind) => h("option", { value: kind }, kind.replaceAll("_", " "))));
    const add = h("button", { type: "button", onclick: () => set(path, [...(at(draft.recipe, path) ?? []), { kind: select.value }]) }, `Add to ${title.toLowerCase()}`);
    const refusal = h("p", { class: "refusal", hidden: true });
    const element = h("fieldset", {}, h("legend", {}, title), refusal, entries, h("div", { class: "row" }, select, add));
    refusals.places.set(path, { focus: select, refuse: (message) => { setText(refusal, message ?? ""); refusal.hidden = !message; } });
    /** @type {Part[]} */
    let parts = [];
    return {
      element,
      show(value) {
        const held = value ?? [];
        if (held.length !== parts.length) {
          parts = held.map((/** @type {any} */ _, /** @type {number} */ index) => part(shape.schema.items, `${path}/${index}`, `${title} ${index + 1}`));
          fill(entries, parts.map((one, index) => h("div", { class: "stack" }, one.element,
            h("div", { class: "row" }, h("button", { type: "button", onclick: () => { set(path, at(draft.recipe, path).filter((/** @type {any} */ _, /** @type {number} */ other) => other !== index)); select.focus(); } }, `Remove ${title.toLowerCase()} ${index + 1}`)))));
        }
        parts.forEach((one, index) => one.show(held[index]));
      },
    };
  }

  /** A field of the form that shows the value at a path. @param {Json} of @param {string} path @param {string} title */
  function place(of, path, title) {
    const one = part(of, path, title);
    shown.push({ element: one.element, show: (recipe) => one.show(at(recipe, path)) });
    return one.element;
  }

  /** A field for a dial; hidden while its part is of a kind without it. @param {{path: string, title: string}} dial */
  function dial({ path, title }) {
    const of = schemaAt(schema, draft.recipe, path);
    if (!of) return null;
    const element = place(of, path, title);
    shown.push({ element, show: (recipe) => { element.hidden = at(recipe, path) === undefined && schemaAt(schema, recipe, path) === undefined; } });
    skipped.add(path);
    return element;
  }

  return {
    /** Fields for the dials, then for everything else. @param {{path: string, title: string}[]} dials */
    build(dials) {
      const first = dials.filter(({ path }) => !SKIPPED.some((one) => path === one || path.startsWith(`${one}/`))).map(dial);
      const rest = Object.entries(schema.properties).filter(([name]) => !skipped.has(`/${name}`));
      const made = rest.map(([name, property]) => place(property, `/${name}`, titleOf(property, name)));
      const single = made.filter((element) => element.className === "setting");
      const grouped = made.filter((element) => element.className !== "setting");
      showAll();
      return { dials: first, settings: [h("fieldset", {}, h("legend", {}, "General"), h("div", { class: "settings" }, single)), ...grouped] };
    },
    showAll,
  };
}

/** @param {Json} value @param {Shape} shape */
const kindOf = (value, shape) => (shape.type === "union" ? value.kind : ON);

/** @param {Json} property @param {string} name */
function titleOf(property, name) {
  const words = (property.title ?? name).replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1).toLowerCase();
}

/** Follow a reference, and keep what stands beside it. @param {Json} schema @param {Json} root @returns {Json} */
const followed = ({ $ref, ...beside }, root) => ($ref ? { ...root.$defs[$ref.split("/").pop() ?? ""], ...beside } : beside);

/** What kind of control a schema takes. @param {Json} of @param {Json} root @returns {Shape} */
export function shapeOf(of, root) {
  let schema = followed(of, root);
  const nullable = schema.anyOf?.some((/** @type {Json} */ one) => one.type === "null") ?? false;
  if (schema.anyOf) {
    const { anyOf, ...beside } = schema;
    const others = anyOf.filter((/** @type {Json} */ one) => one.type !== "null");
    schema = others.length === 1 ? { ...followed(others[0], root), ...beside } : beside;
  }
  const mapping = schema.discriminator?.mapping;
  const kinds = mapping ? Object.fromEntries(Object.entries(mapping).map(([kind, $ref]) => [kind, followed({ $ref }, root)])) : schema.properties ? { [ON]: schema } : {};
  return { schema, type: typeOf(schema, root), nullable, kinds };
}

/** @param {Json} schema @param {Json} root @returns {string} */
function typeOf(schema, root) {
  if (schema.discriminator) return "union";
  if (schema.properties) return "object";
  if (schema.enum) return "choice";
  if (schema.type === "boolean") return "switch";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "string") return "text";
  if (schema.type !== "array") return "json";
  const items = shapeOf(schema.items, root).type;
  return { number: "numbers", choice: "choices", union: "list" }[items] ?? "json";
}

/** The schema at a path in this recipe; undefined where its kinds have no such field. @param {Json} root @param {Json} recipe @param {string} path @returns {Json | undefined} */
export function schemaAt(root, recipe, path) {
  /** @type {Json | undefined} */
  let of = root;
  let way = "";
  for (const step of path.split("/").slice(1)) {
    const shape = shapeOf(of, root);
    const held = at(recipe, way);
    of = shape.kinds[shape.type === "union" ? held?.kind : ON]?.properties?.[step];
    if (!of) return undefined;
    way += `/${step}`;
  }
  return of;
}

/** A description of the schema without its marks. @param {string} text */
const plain = (text) => text.replaceAll("\n", " ").replaceAll("`", "");

/** Range and meaning in words. @param {Shape} shape */
function hintOf({ schema, type, nullable }) {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, description } = schema;
  const bounds = [
    minimum !== undefined ? `from ${minimum}` : exclusiveMinimum !== undefined ? `above ${exclusiveMinimum}` : "",
    maximum !== undefined ? `to ${maximum.toLocaleString("en")}` : exclusiveMaximum !== undefined ? `below ${exclusiveMaximum}` : "",
  ].filter(Boolean).join(" ");
  return [type === "number" && bounds, nullable && !/null/.test(description ?? "") && "may be empty", type === "numbers" && "numbers with commas between", plain(description ?? "").replace(/\bnull\b/g, "empty")]
    .filter(Boolean).join("; ");
}

/** @param {Shape} shape @param {() => void} changed @returns {Control} */
function controlOf({ schema, type, nullable }, changed) {
  switch (type) {
    case "choice": {
      const values = nullable ? [null, ...schema.enum] : schema.enum;
      const element = h("select", { onchange: changed }, values.map((/** @type {any} */ value) => h("option", {}, inWords(value))));
      return { element, read: () => values[element.selectedIndex], write: (value) => { element.selectedIndex = values.findIndex((/** @type {any} */ one) => one === value); } };
    }
    case "switch": {
      const element = h("input", { type: "checkbox", onchange: changed });
      return { element, read: () => element.checked, write: (value) => { element.checked = Boolean(value); } };
    }
    case "number": {
      const fallback = Math.abs(schema.default ?? 1) || 1;
      const element = h("input", {
        type: "number", step: schema.type === "integer" ? 1 : 10 ** Math.floor(Math.log10(fallback) - 0.01), min: schema.minimum ?? schema.exclusiveMinimum, max: schema.maximum <= Number.MAX_SAFE_INTEGER ? schema.maximum : undefined,
        placeholder: nullable ? NONE : "", oninput: changed, onblur: () => !nullable && element.value === "" && changed(),
      });
      return { element, read: () => (element.value === "" ? null : element.valueAsNumber), write: (value) => { element.value = value === null ? "" : value; } };
    }
    case "numbers": {
      const element = h("input", { type: "text", inputMode: "numeric", oninput: changed });
      const read = () => element.value.split(/[\s,]+/).filter(Boolean).map((/** @type {string} */ one) => (Number.isNaN(Number(one)) ? one : Number(one)));
      return { element, read, write: (/** @type {any} */ value) => { element.value = (value ?? []).join(", "); } };
    }
    case "choices": {
      /** @type {HTMLInputElement[]} */
      const boxes = schema.items.enum.map((/** @type {string} */ value) => h("input", { type: "checkbox", value, onchange: changed }));
      return {
        element: h("div", { class: "row" }, boxes.map((box) => h("label", {}, box, box.value))), focus: boxes[0],
        read: () => boxes.filter((box) => box.checked).map((box) => box.value),
        write: (value) => boxes.forEach((box) => { box.checked = (value ?? []).includes(box.value); }),
      };
    }
    case "text": {
      const element = h("input", { type: "text", maxLength: schema.maxLength, oninput: changed });
      return { element, read: () => element.value || null, write: (value) => { element.value = value ?? ""; } };
    }
    default: {
      const element = h("textarea", { class: "mono", rows: 3, spellcheck: false, oninput: changed });
      return { element, read: () => parsed(element.value), write: (value) => { element.value = JSON.stringify(value ?? null); } };
    }
  }
}

/** JSON, or the text where it is none yet: the service then says what it expects. @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
