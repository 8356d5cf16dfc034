// Before and after in one place: a line that the pointer drags, a click moves, and arrow keys move.

import { h, setText } from "./dom.js";
import { fileUrls } from "./pixels.js";

/** percent of the width in which no name of a side has room */
const NARROW = 20;
/** pixels of the screen that a small picture is enlarged to */
const LARGE = 448;

/** @param {{label: string, signal: AbortSignal}} options */
export function beforeAfter({ label, signal }) {
  const before = h("img", { alt: "", draggable: false });
  const after = h("img", { alt: "", draggable: false });
  const line = h("i", { "aria-hidden": "true" });
  const range = h("input", { type: "range", min: 0, max: 100, step: 1, value: 50, "aria-label": label, oninput: place });
  const names = [h("span", { class: "side" }), h("span", { class: "side right" })];
  const layer = h("div", {}, before);
  const picture = h("div", { class: "before-after" }, after, layer, line, names);
  const element = h("div", { class: "stack before-after-frame", hidden: true }, picture, range);
  const urls = fileUrls(signal);

  function place() {
    layer.style.clipPath = `inset(0 ${100 - range.value}% 0 0)`;
    line.style.left = `${range.value}%`;
    names[0].hidden = layer.hidden || range.value < NARROW;
    names[1].hidden = range.value > 100 - NARROW;
    range.setAttribute("aria-valuetext", `${names[0].textContent} left of ${range.value} %, ${names[1].textContent} right of it`);
  }

  /** @param {PointerEvent} event */
  function drag(event) {
    const box = picture.getBoundingClientRect();
    range.value = (100 * (event.clientX - box.left)) / box.width;
    place();
  }

  picture.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (event.button) return;
    event.preventDefault();
    picture.setPointerCapture(event.pointerId);
    range.focus({ preventScroll: true });
    drag(event);
  });
  picture.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => picture.hasPointerCapture(event.pointerId) && drag(event));

  return {
    element,
    /** Put the line at a share of the width. @param {number} percent */
    set(percent) {
      range.value = String(percent);
      place();
    },
    /**
     * Show two pictures at one place; without the first, the second alone.
     * @param {{before: Blob | null, after: Blob, width: number, height: number, words: [string, string]}} pictures `width` and `height` in pixels of the result
     */
    show({ before: first, after: second, width, height, words }) {
      [before.src, after.src] = urls([first ?? second, second]);
      [before.alt, after.alt] = words;
      words.forEach((word, index) => setText(names[index], word));
      layer.hidden = line.hidden = range.hidden = !first;
      const scale = Math.max(1, Math.floor(LARGE / Math.max(width, height)));
      picture.style.aspectRatio = `${width} / ${height}`;
      element.style.maxWidth = `${width * scale}px`;
      picture.classList.toggle("pixels", scale > 1);
      element.hidden = false;
      place();
    },
  };
}
