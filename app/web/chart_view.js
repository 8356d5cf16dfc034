// What all charts of a room share: scale, smoothing and zoom, kept in the address, and the controls that change them.

import { Chart, SCALES } from "./chart.js";
import { h } from "./dom.js";
import { keep } from "./main.js";

/** Read the view from the address. @param {URLSearchParams} query @returns {import("./chart.js").View} */
export function readView(query) {
  const numberOf = (/** @type {string} */ name) => (query.get(name) === null ? null : Number(query.get(name)));
  const scale = query.get("scale") ?? "";
  return {
    scale: SCALES.includes(scale) ? scale : "linear", smoothing: numberOf("smoothing") ?? 0,
    step: numberOf("step"), from: numberOf("from"), to: numberOf("to"), hidden: new Set(query.get("hidden")?.split(",")),
  };
}

/**
 * A chart that shares no view: all steps, as they were measured.
 * @param {string} title @param {import("./curves.js").Curves} curves @param {{guides: {value: number, text: string}[], sync: string}} options
 */
export const plainChart = (title, curves, { guides, sync }) =>
  new Chart(title, curves, { view: readView(new URLSearchParams()), onStep: () => undefined, onZoom: () => undefined, guides, sync });

/**
 * The choices that all charts of a room share.
 * @param {import("./chart.js").View} view @param {() => Iterable<{restyle(): void, refresh(): void}>} charts
 */
export function chartControls(view, charts) {
  const scale = h("select", { "aria-label": "Scale", onchange: () => change({ scale: scale.value }) },
    SCALES.map((name) => h("option", { value: name, selected: view.scale === name }, name)));
  const smoothing = h("input", {
    type: "range", min: 0, max: 0.98, step: 0.02, value: view.smoothing, "aria-label": "Smoothing",
    onchange: () => change({ smoothing: smoothing.valueAsNumber }),
  });

  /** @param {Partial<import("./chart.js").View>} values */
  function change(values) {
    Object.assign(view, values);
    keep({ scale: view.scale === "linear" ? null : view.scale, smoothing: view.smoothing || null });
    for (const chart of charts()) chart.restyle();
  }

  const bound = (/** @type {string} */ title, /** @type {"from" | "to"} */ end) => {
    const input = h("input", {
      type: "number", min: 0, step: 1, class: "bound", "aria-label": title, value: view[end] ?? "",
      onchange: () => zoom(...edges({ ...view, [end]: input.value === "" ? null : input.valueAsNumber })),
    });
    return input;
  };
  const [first, last] = [bound("First step in view", "from"), bound("Last step in view", "to")];

  /** Show these steps; null: all of them. @param {number | null} from @param {number | null} to */
  function zoom(from, to) {
    Object.assign(view, { from, to });
    keep({ from, to });
    first.value = from ?? "";
    last.value = to ?? "";
    for (const chart of charts()) chart.refresh();
  }

  return {
    zoom,
    element: h("div", { class: "row" }, scale, h("label", { class: "small" }, "Smoothing", smoothing),
      h("span", { class: "row small" }, "Steps", first, "to", last), h("button", { type: "button", onclick: () => zoom(null, null) }, "Whole run")),
  };
}

/** The steps in view, the smaller one first; both or none. @param {{from: number | null, to: number | null}} view @returns {[number | null, number | null]} */
function edges({ from, to }) {
  if (from === null && to === null) return [null, null];
  const low = from ?? 0;
  return to === null ? [low, null] : [Math.min(low, to), Math.max(low, to)];
}
