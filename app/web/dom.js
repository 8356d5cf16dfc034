// Build elements. Text is always a text node: a name that a person gave is never markup.

/** @typedef {any} Child a node, a text, a list of them, or null for nothing */

/**
 * Return an element. `properties` are DOM properties, or attributes where the name holds a dash.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...Child} children
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "class") element.className = value;
    else if (name === "style") Object.assign(element.style, value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name.includes("-") || ["role", "for", "list", "colspan"].includes(name)) element.setAttribute(name, value);
    else /** @type {any} */ (element)[name] = value;
  }
  element.append(...nodes(children));
  return element;
}

/** @param {Child[]} children */
function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false).map((child) =>
    child instanceof Node ? child : document.createTextNode(String(child)));
}

/** Replace what an element holds. @param {Element} element @param {...Child} children */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** @type {WeakMap<Element, string>} */
const filledFor = new WeakMap();

/**
 * Fill an element anew only if what it shows has changed, so that a refresh takes neither the focus nor a click.
 * @param {Element} element @param {any} shown what the children follow from @param {() => Child} build
 */
export function refill(element, shown, build) {
  const key = JSON.stringify(shown);
  if (filledFor.get(element) === key) return;
  filledFor.set(element, key);
  fill(element, build());
}

/** Set an element's text if it differs. @param {Element} element @param {string | number} text */
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = String(text);
}

/** A line of muted boxes that stand for what is being loaded. */
export const skeleton = (tall = false) => h("div", { class: tall ? "skeleton tall" : "skeleton", "aria-hidden": "true" });

/** A state as a word with its colour. @param {string} state */
export const stateWord = (state) => h("span", { class: `state ${state}` }, state);

/** @param {string} text @param {string} [command] @param {...Child} more */
export const empty = (text, command, ...more) =>
  h("div", { class: "empty" }, h("p", {}, text), command ? h("code", {}, command) : null, ...more);

/** A place that scrolls sideways, also by keyboard. @param {string} label @param {...Child} children */
export const scrolling = (label, ...children) => h("div", { class: "scroll", tabIndex: 0, role: "group", "aria-label": label }, children);

/** Values under their names. @param {[string, Child][]} rows */
export const factBoxes = (rows) => rows.map(([name, value]) => h("div", {}, h("span", {}, name), h("b", {}, value)));

/** A bar; its value is also said in words beside it by the caller. @param {number} share from 0 to 1 */
export function bar(share) {
  const inner = h("i");
  inner.style.width = `${Math.round(1000 * Math.max(0, Math.min(1, share))) / 10}%`;
  return h("div", { class: "bar", "aria-hidden": "true" }, inner);
}

const toasts = h("div", { class: "toasts", role: "status" });

/** Say something for a few seconds, with an action if there is one. @param {string} text @param {[string, () => void]} [action] */
export function toast(text, action, seconds = 6) {
  (document.querySelector("dialog[open]") ?? document.body).append(toasts); // a dialog covers what is not in it
  const box = h("div", { class: "toast" }, text);
  const remove = () => box.remove();
  if (action) box.append(h("button", { onclick: () => { remove(); action[1](); } }, action[0]));
  toasts.append(box);
  setTimeout(remove, 1000 * seconds);
  return remove;
}

/** Ask before something that cannot be undone. @param {string} title @param {string} text @param {string} verb @returns {Promise<boolean>} */
export function confirmed(title, text, verb) {
  const dialog = h("dialog", { "aria-label": title });
  fill(dialog, h("form", { method: "dialog", class: "stack" },
    h("h2", {}, title), h("p", {}, text),
    h("div", { class: "row end" }, h("button", { value: "no" }, "Keep it"), h("button", { value: "yes", class: "danger" }, verb))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    resolve(dialog.returnValue === "yes");
    dialog.remove();
  }));
}

/** Copy a text; say so with `done`. @param {string} text @param {string} done */
export async function copyText(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch {
    toast(text, undefined, 60); // a page without HTTPS may not write to the clipboard
  }
}

/** A button that copies a text. @param {() => string} text @param {string} label */
export const copyButton = (text, label) => h("button", {
  type: "button",
  onclick: () => copyText(text(), `The ${label} is in the clipboard.`),
}, `Copy as ${label}`);
