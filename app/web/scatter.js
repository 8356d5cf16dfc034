// Fidelity against diversity: density over coverage, a dot for each evaluation, the best checkpoint starred.

import { h } from "./dom.js";
import { number } from "./format.js";

const WIDTH = 400;
const HEIGHT = 220;
const MARGIN = { left: 62, right: 12, top: 10, bottom: 34 };

/** @param {{onStep: (step: number) => void}} options */
export function scatter({ onStep }) {
  const canvas = h("canvas", { role: "img" });
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
    const nearest = dots.map((dot) => ({ dot, far: Math.hypot(place(dot).x - x, place(dot).y - y) })).sort((a, b) => a.far - b.far)[0];
    if (nearest && nearest.far < 24) onStep(nearest.dot.step);
  });

  const highest = () => Math.max(1, ...dots.map((dot) => dot.y));
  const place = (/** @type {{x: number, y: number}} */ dot) => ({
    x: MARGIN.left + dot.x * (WIDTH - MARGIN.left - MARGIN.right),
    y: HEIGHT - MARGIN.bottom - (dot.y / highest()) * (HEIGHT - MARGIN.top - MARGIN.bottom),
  });

  function paint() {
    if (!dots.length) return;
    const style = getComputedStyle(document.documentElement);
    const token = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const ratio = devicePixelRatio;
    canvas.width = WIDTH * ratio;
    canvas.height = HEIGHT * ratio;
    canvas.style.width = "100%";
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.font = `11px ${token("--sans")}`;
    context.strokeStyle = token("--line");
    context.fillStyle = token("--muted");
    for (const value of [0, 0.5, 1]) {
      const { x } = place({ x: value, y: 0 });
      context.strokeRect(x, MARGIN.top, 0, HEIGHT - MARGIN.top - MARGIN.bottom);
      context.textAlign = "center";
      context.fillText(String(value), x, HEIGHT - 18);
      const { y } = place({ x: 0, y: value * highest() });
      context.textAlign = "right";
      context.fillText(number(value * highest()), MARGIN.left - 6, y + 4);
    }
    context.textAlign = "center";
    context.fillText("coverage (diversity)", WIDTH / 2, HEIGHT - 4);
    context.save();
    context.translate(10, HEIGHT / 2 - 10);
    context.rotate(-Math.PI / 2);
    context.fillText("density (fidelity)", 0, 0);
    context.restore();
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
    const last = dots[dots.length - 1];
    canvas.setAttribute("aria-label", `Density over coverage at ${dots.length} evaluations; at the last, step ${last.step}, coverage ${number(last.x)} and density ${number(last.y)}.`);
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
      paint();
    },
    /** @param {number | null} step */
    mark(step) {
      marked = step;
      paint();
    },
  };
}
