// The step cursor: a slider at the bottom of a room that reads all charts at one step.

import { h, setText } from "./dom.js";
import { count } from "./format.js";
import { keep } from "./main.js";

/**
 * @param {import("./chart.js").View} view its `step` is null at the newest step @param {(step: number | null) => void} onStep
 * @param {HTMLElement} beside what stands before the slider
 */
export function stepCursor(view, onStep, beside = h("span", { class: "small" }, "Read at")) {
  let newestStep = 1;
  const slider = h("input", { type: "range", min: 0, max: 1, value: 0, "aria-label": "Step", oninput: () => set(slider.valueAsNumber) });
  const text = h("output", { class: "number" });
  const newest = h("button", { type: "button", onclick: () => set(null) }, "Newest");

  /** @param {number | null} step */
  function set(step) {
    view.step = step;
    keep({ step });
    show();
    onStep(step);
  }

  function show() {
    slider.value = String(view.step ?? newestStep);
    setText(text, `step ${count(view.step ?? newestStep)}`);
    newest.setAttribute("aria-pressed", String(view.step === null));
  }

  return {
    set,
    /** Say which step is the newest, and how far the slider reaches. @param {number} step @param {number} end */
    setRange(step, end = step) {
      newestStep = step;
      slider.max = String(Math.max(1, step, end));
      show();
    },
    element: h("section", { class: "card step", "aria-label": "Step cursor" }, beside, slider, text, newest),
  };
}
