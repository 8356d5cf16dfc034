// The step cursor: a slider at the bottom of a room that reads all charts at one step.

import { h, setText } from "./dom.js";
import { count } from "./format.js";
import { keep } from "./main.js";

/**
 * @param {import("./chart.js").View} view its `step` is null at the newest step @param {(step: number | null) => void} onStep
 */
export function stepCursor(view, onStep) {
  let last = 1;
  const slider = h("input", { type: "range", min: 0, max: last, value: 0, "aria-label": "Step", oninput: () => set(slider.valueAsNumber) });
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
    slider.max = String(last);
    slider.value = String(view.step ?? last);
    setText(text, `step ${count(view.step ?? last)}`);
    newest.setAttribute("aria-pressed", String(view.step === null));
  }

  return {
    set,
    /** Let the cursor reach a step. @param {number} step */
    reach(step) {
      last = Math.max(last, step);
      show();
    },
    element: h("section", { class: "card step", "aria-label": "Step cursor" }, h("span", { class: "small" }, "Read at"), slider, text, newest),
  };
}
