// A square of latents between four samples, or around one: moving on it draws the picture at that place.

import { Problem } from "./api.js";
import { fill, h, setText } from "./dom.js";
import { latentPicture } from "./latent_picture.js";
import { drawnBy, namesIn, normalised, readPoints, sampleName, slerp, sourceOf, sum } from "./latents.js";
import { keep } from "./main.js";
import { sampleTray } from "./sample_tray.js";
import { debounced } from "./soon.js";

const STEP = 0.02;
const LARGE_STEP = 0.1;
const KEEP_MS = 200;
const ARROWS = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });
const HELP = "Move the pointer; a click holds the place, another one lets go. Arrow keys move, with Shift further.";

/** @typedef {import("./latents.js").Point} Point */
/**
 * A way to span the square: the names of its samples, where they stand (0 to 1, from the top left), and the latent and weights at a place.
 * @typedef {{title: string, corners: string[], at: [number, number][], latent: (points: number[][], x: number, y: number) => number[], shares: (x: number, y: number) => number[]}} Span
 */
/** @type {Record<string, Span>} */
export const SPANS = {
  corners: {
    title: "Four corners", corners: ["top left", "top right", "bottom left", "bottom right"], at: [[0, 0], [1, 0], [0, 1], [1, 1]],
    latent: ([a, b, c, d], x, y) => slerp(slerp(a, b, x), slerp(c, d, x), y),
    shares: (x, y) => [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y],
  },
  directions: {
    title: "Two directions", corners: ["centre", "right", "top"], at: [[0.5, 0.5], [1, 0.5], [0.5, 0]],
    latent: (points, x, y) => sum(points, SPANS.directions.shares(x, y)),
    shares: (x, y) => [1 - (2 * x - 1) - (1 - 2 * y), 2 * x - 1, 1 - 2 * y],
  },
};

/** @param {{signal: AbortSignal}} options @returns {import("./latent_tools.js").Tool} */
export function latentPad({ signal }) {
  const query = new URLSearchParams(location.search);
  let span = SPANS[query.get("span") ?? ""] ?? SPANS.corners;
  let names = namesIn(query.get("corners"));
  let [x, y] = ["x", "y"].map((axis) => Math.max(0, Math.min(1, Number(query.get(axis) ?? 0.5))));
  let aimed = 0;
  let newest = 0;
  /** whether the place stays when the pointer passes */
  let held = false;
  /** @type {Point[]} */
  let points = [];
  /** @type {import("./latents.js").Chosen} */
  let chosen;

  const cursor = h("i", { "aria-hidden": "true" });
  const marks = h("div");
  const surface = h("div", { class: "latent-pad", tabIndex: 0, role: "application", "aria-label": "Latent pad", "aria-describedby": "latent-pad-help" }, marks, cursor);
  const place = h("span", { class: "hint number", role: "status" });
  const refusal = h("p", { class: "refusal", role: "alert" });
  const { picture, download, draw } = latentPicture({ alt: "The picture at this place", refusal, signal });
  const spans = h("div", { class: "tabs", role: "group", "aria-label": "Spanned by" });
  const aims = h("div", { class: "row", role: "group", "aria-label": "The next clicked sample goes to" });
  const tray = sampleTray({ hint: "Click a sample to put it at the pressed place of the pad. The next place follows.", onPick: pick, signal });
  const element = h("div", { class: "stack" }, tray.element,
    h("section", { class: "card", "aria-label": "Pad" }, h("div", { class: "spread" }, spans, aims), refusal,
      h("div", { class: "halves" },
        h("div", { class: "stack" }, surface, h("div", { class: "spread" }, h("p", { class: "hint", id: "latent-pad-help" }, HELP), place)),
        h("div", { class: "stack" }, picture, h("div", { class: "row" }, download), h("p", { class: "hint" }, "The PNG carries its latent: drop it on a slot of Arithmetic.")))));

  /** @param {string} name */
  function pick(name) {
    names = span.corners.map((_, at) => (at === aimed ? name : names[at]));
    aimed = (aimed + 1) % span.corners.length;
    void read().catch((error) => signal.aborted || console.error(error));
  }

  function showControls() {
    fill(spans, Object.entries(SPANS).map(([name, one]) => h("button", { type: "button", "aria-pressed": String(one === span), onclick: () => choose(one, name) }, one.title)));
    fill(aims, span.corners.map((corner, at) => h("button", { type: "button", "aria-pressed": String(at === aimed), onclick: () => { aimed = at; showControls(); } }, corner)));
  }

  /** @param {Span} one @param {string} name */
  function choose(one, name) {
    span = one;
    aimed = 0;
    keep({ span: name === "corners" ? null : name });
    void read().catch((error) => signal.aborted || console.error(error));
    /** @type {HTMLElement | null} */ (spans.querySelector("[aria-pressed=true]"))?.focus();
  }

  /** Read the samples that span the square; where none is chosen, the first of the seed stand. */
  async function read() {
    const own = ++newest;
    points = []; // the points of another span do not fit
    names = span.corners.map((_, at) => names[at] ?? sampleName(chosen.asked, at));
    showControls();
    try {
      const found = await readPoints(chosen, names, signal);
      if (own !== newest) return;
      points = found;
      setText(refusal, "");
      keep({ corners: names.join(",") });
      fill(marks, points.map((point, at) => {
        const [left, top] = span.at[at];
        return h("img", { class: "pixels", src: sourceOf(point.image), alt: `${span.corners[at]}: ${point.name}`, draggable: false, style: { left: `${100 * left}%`, top: `${100 * top}%`, transform: `translate(${-100 * left}%, ${-100 * top}%)` } });
      }));
      move(x, y);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (own === newest) setText(refusal, error.message);
    }
  }

  const keepSoon = debounced(() => keep({ x: x.toFixed(3), y: y.toFixed(3) }), KEEP_MS, signal);

  /** @param {number} across @param {number} down */
  function move(across, down) {
    [x, y] = [across, down].map((value) => Math.max(0, Math.min(1, value)));
    cursor.style.left = `${100 * x}%`;
    cursor.style.top = `${100 * y}%`;
    cursor.classList.toggle("held", held);
    setText(place, `${Math.round(100 * x)} % across, ${Math.round(100 * y)} % down`);
    keepSoon();
    if (!points.length) return;
    const shares = span.shares(x, y);
    const weights = points[0].weights && normalised(sum(points.map((point) => /** @type {number[]} */ (point.weights)), shares));
    void draw(chosen, span.latent(points.map(({ latent }) => latent), x, y), weights).catch((error) => signal.aborted || console.error(error));
  }

  /** @param {PointerEvent} event */
  function follow(event) {
    const box = surface.getBoundingClientRect();
    move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }

  surface.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    surface.setPointerCapture(event.pointerId);
    held = !held || event.pointerType !== "mouse";
    follow(event);
  });
  surface.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => (!held || surface.hasPointerCapture(event.pointerId)) && follow(event));
  surface.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const arrow = ARROWS[event.key];
    if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    held = true;
    const step = event.shiftKey ? LARGE_STEP : STEP;
    move(x + step * arrow[0], y + step * arrow[1]);
  });

  let drawnFor = "";
  return {
    element,
    async update(now) {
      chosen = now;
      const key = JSON.stringify(drawnBy(now));
      const anew = key !== drawnFor;
      drawnFor = key;
      await Promise.all([tray.update(now), anew && read()]);
    },
  };
}
