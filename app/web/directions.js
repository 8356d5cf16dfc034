// Named directions of a latent space: find them, move a slider for each, delete them.

import { get, post, Problem, remove } from "./api.js";
import { confirmed, fill, h, setText } from "./dom.js";
import { number } from "./format.js";
import { refuse } from "./latent_file.js";
import { latentSlot } from "./latent_slot.js";

/** amounts that a slider reaches, in deviations of a number of the latent; one between means reaches the other mean */
const REACH = 6;
const STEP = 0.1;
const MOST = 32;
const NAME = "[a-z0-9][a-z0-9._\\-]*";
/** the names that directions get without another one */
const KINDS = /** @type {Record<string, {title: string, name: string, meaning: string}>} */ ({
  principal: { title: "Principal components", name: "component", meaning: "The ways in which the output of the first layer varies most over many latents" },
  closed_form: { title: "Closed form", name: "form", meaning: "The ways in which the weights of the first layer change its output most" },
  means: { title: "From A to B", name: "difference", meaning: "The way from the mean of the pictures in A to the mean of those in B" },
});

/** @typedef {{name: string, kind: string, strength: number, vector: number[]}} Direction */

/**
 * @param {{chosen: () => import("./latents.js").Chosen, amounts: Map<string, number>, onMove: () => void, onAim: (slot: number) => void, onSlots: (open: boolean) => void, signal: AbortSignal}} options
 *   `amounts` by the names of directions; without those that are 0. `onAim` is called when a person wants the next clicked sample in a slot,
 *   `onSlots` when the slots are opened or closed
 */
export function directionsPanel({ chosen, amounts, onMove, onAim, onSlots, signal }) {
  /** @type {Direction[]} */
  let known = [];
  const path = () => `/models/${chosen().asked.model}/directions`;
  const name = h("input", { id: "direction-name", pattern: NAME, maxLength: 60, size: 12, placeholder: "by its kind", title: "Small letters, digits, dots, dashes and underscores; a letter or digit first" });
  const amount = h("input", { id: "direction-number", type: "number", min: 1, max: MOST, value: 5, title: "Of principal components and closed form" });
  const refusal = h("p", { class: "refusal", role: "alert" });
  const status = h("p", { class: "unseen", role: "status" });
  const list = h("ul", { class: "directions", "aria-label": "Directions" });
  const none = h("p", { class: "hint" }, "This version has no directions yet. Find some: each becomes a slider.");
  const resetAll = h("div", { class: "row", hidden: true }, h("span", { class: "hint" }, "The sliders stay for the next sample."),
    h("button", { type: "button", onclick: () => { reset(); onMove(); } }, "Reset all"));
  const slots = ["A", "B"].map((letter, at) => latentSlot({ letter, sign: "", chosen, onChange: () => undefined, onAim: () => onAim(at), signal }));
  const findButton = (/** @type {string} */ kind) => h("button", { type: "button", title: KINDS[kind].meaning, onclick: (/** @type {any} */ event) => attempt(() => find(kind), event.target) }, KINDS[kind].title);
  const element = h("section", { class: "card", "aria-label": "Directions" },
    h("div", { class: "spread" }, h("h2", {}, "Directions"), resetAll), none, list,
    h("div", { class: "row bottom" }, h("label", { class: "field", for: "direction-name" }, "Name", name), h("label", { class: "field", for: "direction-number" }, "How many", amount),
      findButton("principal"), findButton("closed_form")),
    h("p", { class: "hint" }, "Try Principal components first: the ways in which the output of the first layer varies most over many latents; Closed form finds such ways from its weights alone."),
    h("details", { ontoggle: (/** @type {any} */ event) => onSlots(event.target.open) }, h("summary", {}, "From two groups of samples: from A to B"),
      h("div", { class: "stack" }, h("p", { class: "hint" }, "Put pictures without it into A and pictures with it into B, for example three upright and three slanted ones. The class is no part of the latent of a model that draws a class on request: choose what differs within a class."),
        slots.map((slot) => slot.element), h("div", { class: "row" }, findButton("means")))),
    refusal, status);

  /** @param {() => Promise<void>} work @param {HTMLButtonElement} button */
  function attempt(work, button) {
    setText(refusal, "");
    button.disabled = true;
    work().catch((error) => {
      if (error instanceof Problem) setText(refusal, error.message);
      else if (!signal.aborted) console.error(error);
    }).finally(() => { button.disabled = false; });
  }

  /** @param {string} kind */
  async function find(kind) {
    if (!name.reportValidity() || !amount.reportValidity()) return;
    const [from, to] = slots.map((slot) => ({ latents: slot.points().map(({ latent }) => latent) }));
    if (kind === "means" && !(from.latents.length && to.latents.length)) refuse("Put a picture into A and one into B, or several.");
    const { data } = await post(path(), { name: name.value || free(KINDS[kind].name), kind, ...(kind === "means" ? { from, to } : { n: Number(amount.value) }) }, signal);
    name.value = "";
    known = [...known, ...data];
    show();
    setText(status, `Found ${data.map((/** @type {Direction} */ one) => one.name).join(", ")}.`);
    list.querySelector(`[data-name="${data[0].name}"] input`)?.focus();
  }

  /** A name that no direction begins with. @param {string} base */
  function free(base) {
    const taken = (/** @type {string} */ one) => known.some((direction) => direction.name === one || direction.name.startsWith(`${one}-`));
    let [found, next] = [base, 2];
    while (taken(found)) found = `${base}${next++}`;
    return found;
  }

  function reset() {
    amounts.clear();
    show();
  }

  function show() {
    none.hidden = known.length > 0;
    resetAll.hidden = !amounts.size;
    fill(list, known.map(row));
  }

  /** @param {Direction} direction */
  function row({ name: of, kind, strength }) {
    const reach = Math.ceil(Math.max(REACH * chosen().version.recipe.latent.scale, kind === "means" ? strength : 0));
    const value = h("output", { class: "number" });
    const reset = h("button", { type: "button", class: "plain", "aria-label": `Reset ${of}`, onclick: () => { set(0); range.focus(); } }, "Reset");
    const range = h("input", {
      type: "range", min: -reach, max: reach, step: STEP, value: amounts.get(of) ?? 0, "aria-label": of,
      oninput: () => set(Number(range.value)), ondblclick: () => set(0),
    });

    /** @param {number} to */
    function note(to) {
      if (to) amounts.set(of, to);
      else amounts.delete(of);
    }

    /** @param {number} to */
    function set(to) {
      note(to);
      range.value = String(to);
      label();
      onMove();
    }

    function label() {
      setText(value, Number(range.value).toFixed(1));
      reset.disabled = !amounts.has(of);
      resetAll.hidden = !amounts.size;
    }

    const erase = h("button", { type: "button", class: "plain", "aria-label": `Delete ${of}`, onclick: () => void ask() }, "Delete");
    async function ask() {
      if (!(await confirmed(`Delete the direction ${of}?`, "It is deleted for everybody who uses this version.", "Delete it"))) return;
      attempt(async () => {
        await remove(`${path()}/${encodeURIComponent(of)}`);
        known = known.filter((one) => one.name !== of);
        const moved = amounts.delete(of);
        show();
        if (moved) onMove();
      }, erase);
    }

    note(Number(range.value)); // an address may go further
    label();
    return h("li", { class: "step", data: { name: of } },
      h("span", { class: "mono", title: `${KINDS[kind].title}, strength ${number(strength)}` }, of), range, value, h("span", { class: "row" }, reset, erase));
  }

  return {
    element,
    slots,
    /** Put all sliders back to 0. */
    reset,
    /** Read the directions of another version. Throws Problem. */
    async read() {
      await Promise.all(slots.map((slot) => slot.restore([])));
      known = (await get(path(), {}, signal)).data;
      for (const one of amounts.keys()) if (!known.some((direction) => direction.name === one)) amounts.delete(one);
      show();
    },
    /** The vectors of the directions that are moved, and how far. @returns {{vectors: number[][], shares: number[]}} */
    moves() {
      const moved = known.filter((direction) => amounts.has(direction.name));
      return { vectors: moved.map(({ vector }) => vector), shares: moved.map((direction) => /** @type {number} */ (amounts.get(direction.name))) };
    },
  };
}
