// Fidelity against diversity: density over coverage, a dot for each evaluation, the best checkpoint starred.

import { axes, drawing, token } from "./canvas.js";
import { h } from "./dom.js";
import { number } from "./format.js";

const WIDTH = 400;
const HEIGHT = 220;

/** @param {{onStep: (step: number) => void}} options */
export function scatter({ onStep }) {
  const picture = drawing(WIDTH, HEIGHT, paint);
  const canvas = picture.element;
  const element = h("section", { class: "card chart", "aria-label": "Fidelity against diversity" }, h("h3", {}, "Fidelity against diversity"), canvas);
  /** @type {{step: number, x: number, y: number}[]} */
  let dots = [];
  /** @type {number | null} */
  let best = null;
  /** @type {number | null} */
  let marked = null;

  canvas.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    const scale = WIDTH / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    const { place } = grid();
    const nearest = dots.map((dot) => ({ dot, far: Math.hypot(place(dot).x - x, place(dot).y - y) })).sort((a, b) => a.far - b.far)[0];
    if (nearest && nearest.far < 24) onStep(nearest.dot.step);
  });

  const grid = () => axes(WIDTH, HEIGHT, { title: "coverage (diversity)", low: 0, high: 1 }, { title: "density (fidelity)", low: 0, high: Math.max(1, ...dots.map((dot) => dot.y)) });

  /** @param {CanvasRenderingContext2D} context */
  function paint(context) {
    const { place, paint: paintAxes } = grid();
    paintAxes(context);
    context.strokeStyle = token("--curve-1");
    context.globalAlpha = 0.4;
    context.beginPath();
    for (const dot of dots) context.lineTo(place(dot).x, place(dot).y);
    context.stroke();
    context.globalAlpha = 1;
    const shown = marked === null ? dots[dots.length - 1] : dots.filter((dot) => dot.step <= /** @type {number} */ (marked)).pop();
    for (const dot of dots) {
      const { x, y } = place(dot);
      context.fillStyle = token(dot === shown ? "--curve-2" : "--curve-1");
      context.beginPath();
      context.arc(x, y, dot === shown ? 5 : 3, 0, 2 * Math.PI);
      context.fill();
      if (dot.step === best) {
        context.fillStyle = token("--good");
        context.font = `18px ${token("--sans")}`;
        context.fillText("★", x, y - 6);
        context.font = `11px ${token("--sans")}`;
      }
    }
  }

  function redraw() {
    if (!dots.length) return;
    const last = dots[dots.length - 1];
    picture.draw(`Density over coverage at ${dots.length} evaluations; at the last, step ${last.step}, coverage ${number(last.x)} and density ${number(last.y)}.`);
  }

  return {
    element,
    get shown() {
      return dots.length > 0;
    },
    /** @param {import("./curves.js").Curves} curves @param {number | null} bestStep */
    draw(curves, bestStep) {
      const density = curves.byName.get("figure/density") ?? new Map();
      const coverage = curves.byName.get("figure/coverage") ?? new Map();
      dots = [...coverage].filter(([step, x]) => typeof x === "number" && typeof density.get(step) === "number")
        .map(([step, x]) => ({ step, x, y: density.get(step) })).sort((a, b) => a.step - b.step);
      best = bestStep;
      redraw();
    },
    /** @param {number | null} step */
    mark(step) {
      marked = step;
      redraw();
    },
  };
}
