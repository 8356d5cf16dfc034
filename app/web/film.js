// The film strip of the fixed noise: one picture a report, the one at the step cursor large, and how much they change.

import { empty, fill, h, setText } from "./dom.js";
import { count, number } from "./format.js";

/** pixels a side at which two pictures are compared */
const COMPARED = 64;
const KEYS = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 });

/** @param {{onStep: (step: number) => void, signal: AbortSignal}} options */
export function film({ onStep, signal }) {
  /** @type {Map<number, string>} */
  const pictures = new Map();
  const large = h("img", { class: "sheet", alt: "" });
  const caption = h("p", { class: "muted small" });
  const strip = h("div", { class: "strip", role: "toolbar", "aria-label": "Pictures by step", onkeydown: move });
  const element = h("div", { class: "film" }, empty("The first report brings the first picture."));
  /** @type {number | null} */
  let wanted = null;

  const steps = () => [...pictures.keys()].sort((a, b) => a - b);
  const at = (/** @type {number | null} */ step) => {
    const known = steps();
    return step === null ? known[known.length - 1] : known.filter((one) => one <= step).pop() ?? known[0];
  };

  function draw() {
    const known = steps();
    if (!known.length) return;
    const step = /** @type {number} */ (at(wanted));
    if (!large.isConnected) fill(element, h("div", { class: "stack" }, large, caption), strip);
    const source = /** @type {string} */ (pictures.get(step));
    if (large.src !== source) large.src = source;
    large.alt = `What the fixed noise becomes at step ${step}`;
    const before = known[known.indexOf(step) - 1];
    setText(caption, `step ${count(step)}`);
    if (before !== undefined) void churn(/** @type {string} */ (pictures.get(before)), source, signal).then((share) => {
      if (at(wanted) === step && share !== null) setText(caption, `step ${count(step)}; the pictures differ from those of step ${count(before)} by ${number(100 * share)} % of the range`);
    });
    for (const one of strip.children) {
      const button = /** @type {HTMLElement} */ (one);
      const chosen = Number(button.dataset.step) === step;
      button.setAttribute("aria-pressed", String(chosen));
      button.tabIndex = chosen ? 0 : -1; // Tab passes the strip in one step; arrow keys move in it
      if (chosen) strip.scrollTop = button.offsetTop - strip.offsetTop - strip.clientHeight / 2; // the page itself stays
      if (chosen) strip.scrollLeft = button.offsetLeft - strip.offsetLeft - strip.clientWidth / 2;
    }
  }

  /** @param {KeyboardEvent} event */
  function move(event) {
    const buttons = /** @type {HTMLElement[]} */ ([...strip.children]);
    const target = buttons[buttons.findIndex((one) => one === document.activeElement) + KEYS[event.key]];
    if (!target) return;
    event.preventDefault();
    onStep(Number(target.dataset.step));
    target.focus();
  }

  return {
    element,
    /** @param {number} step @param {string} source */
    add(step, source) {
      if (pictures.get(step) === source) return;
      pictures.set(step, source);
      const button = h("button", { type: "button", data: { step }, onclick: () => onStep(step), "aria-pressed": "false" },
        h("img", { src: source, alt: "", loading: "lazy" }), count(step));
      const after = [...strip.children].find((one) => Number(/** @type {HTMLElement} */ (one).dataset.step) >= step);
      if (after && Number(/** @type {HTMLElement} */ (after).dataset.step) === step) after.replaceWith(button);
      else strip.insertBefore(button, after ?? null);
      draw();
    },
    /** @param {number} step */
    rewind(step) {
      for (const known of steps()) if (known > step) pictures.delete(known);
      for (const one of [...strip.children]) if (Number(/** @type {HTMLElement} */ (one).dataset.step) > step) one.remove();
    },
    /** @param {number | null} step */
    show(step) {
      wanted = step;
      draw();
    },
    /** The step of the next picture, or null. @param {number} step */
    next: (step) => steps().find((one) => one > step) ?? null,
    last: () => steps().pop() ?? 0,
  };
}

/** @type {Map<string, Promise<Uint8ClampedArray | null>>} */
const decoded = new Map();

/** The mean difference of two pictures as a share of the range; null if one cannot be read. @param {string} one @param {string} other @param {AbortSignal} signal */
async function churn(one, other, signal) {
  const [first, second] = await Promise.all([one, other].map((source) => {
    let pixels = decoded.get(source);
    if (!pixels) decoded.set(source, (pixels = read(source, signal)));
    return pixels;
  }));
  if (!first || !second) return null;
  let sum = 0;
  for (let index = 0; index < first.length; index += 1) sum += Math.abs(first[index] - second[index]);
  return sum / (255 * 0.75 * first.length);
}

/** @param {string} source @param {AbortSignal} signal */
async function read(source, signal) {
  try {
    const bitmap = await createImageBitmap(await (await fetch(source, { signal })).blob(), { resizeWidth: COMPARED, resizeHeight: COMPARED });
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(COMPARED, COMPARED).getContext("2d"));
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, COMPARED, COMPARED).data;
  } catch {
    return null;
  }
}
