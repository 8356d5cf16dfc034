// Do work later, and once for many calls; never after the person has left the room.

import { Problem } from "./api.js";

/** A read that the service refused is left to the next call. @param {AbortSignal} signal @returns {(error: unknown) => void} */
const unlessRefused = (signal) => (error) => {
  if (!signal.aborted && !(error instanceof Problem)) throw error;
};

/**
 * Return a function that does the work once, `ms` after its first call: for reads that events cause.
 * @param {() => Promise<void>} work @param {number} ms @param {AbortSignal} signal
 */
export function throttled(work, ms, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  signal.addEventListener("abort", () => clearTimeout(timer));
  return () => {
    if (signal.aborted) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      void work().catch(unlessRefused(signal));
    }, ms);
  };
}

/**
 * Return a function that does the work once, `ms` after its last call: for what a person types or drags.
 * @param {() => void} work @param {number} ms @param {AbortSignal} signal @returns {(wait?: number) => void}
 */
export function debounced(work, ms, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  signal.addEventListener("abort", () => clearTimeout(timer));
  return (wait = ms) => {
    clearTimeout(timer);
    if (!signal.aborted) timer = setTimeout(work, wait);
  };
}

/** Return a function that does the work once, in the next frame: for what events draw. @param {() => void} work @param {AbortSignal} signal */
export function inNextFrame(work, signal) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      if (!signal.aborted) work();
    });
  };
}
