// What the networks do at a step: scores, gradients, shares of modes, and the whole landscape of 1-D and 2-D data.

import { h } from "./dom.js";

/** @param {string} path of the job @param {AbortSignal} signal */
export function probe(path, signal) {
  const element = h("section", { class: "stack", hidden: true });
  return {
    element,
    /** @param {number} step @param {string} artifact */
    add(step, artifact) {},
    /** @param {number} step */
    rewind(step) {},
    /** @param {number | null} step */
    show(step) {},
  };
}
