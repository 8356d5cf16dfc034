// Probes: what both players do on fixed noise and fixed examples, at the step cursor and over all steps.

import { get } from "./api.js";
import { drawing, legend, token } from "./canvas.js";
import { Chart } from "./chart.js";
import { Curves } from "./curves.js";
import { fill, h, setText } from "./dom.js";
import { count, number } from "./format.js";
import { lab } from "./lab.js";

const WIDTH = 400;
const HEIGHT = 190;
const MOST_MODES = 30;
const RETRY_MS = 3000;

/** @param {string} path of the job @param {{view: import("./chart.js").View, onStep: (step: number) => void, onZoom: (from: number | null, to: number | null) => void, onHide: () => void, sync: string, layers: string | null, onLayers: (layers: string | null) => void, signal: AbortSignal}} options */
export function probe(path, { view, onStep, onZoom, onHide, sync, layers, onLayers, signal }) {
  /** @type {Map<number, string>} artifacts by step */
  const artifacts = new Map();
  /** @type {Map<number, any>} */
  const read = new Map();
  /** @type {Set<number>} */
  const reading = new Set();
  /** @type {number | null} */
  let wanted = null;
  const curves = new Curves();

  const caption = h("span", { class: "muted small", data: { probe: "" } });
  const histograms = h("section", { class: "card chart", hidden: true, "aria-label": "Scores of the critic" });
  const ribbons = h("section", { class: "card chart", hidden: true, "aria-label": "Share of each mode" });
  const line = h("section", { class: "card chart", hidden: true, "aria-label": "Densities and critic" });
  const plane = lab(layers, onLayers);
  const gradients = new Chart("Gradient norms of both players", curves, { view, scale: "log", onStep, onZoom, onHide, sync });
  gradients.element.hidden = true;
  const element = h("section", { class: "stack", hidden: true, "aria-label": "Inside the game" },
    h("div", { class: "spread" }, h("h2", {}, "Inside the game"), caption),
    h("div", { class: "charts" }, plane.element, line, histograms, ribbons, gradients.element));
  signal.addEventListener("abort", () => gradients.destroy());

  const steps = () => [...artifacts.keys()].sort((a, b) => a - b);
  const at = (/** @type {number | null} */ step) => {
    const known = steps();
    return step === null ? known[known.length - 1] : known.filter((one) => one <= step).pop() ?? known[0];
  };

  async function load(/** @type {number} */ step) {
    if (signal.aborted || !artifacts.has(step) || read.has(step) || reading.has(step)) return;
    reading.add(step);
    try {
      const found = await get(`${path}/artifacts/${artifacts.get(step)}`, {}, signal);
      read.set(step, found);
      curves.report(step, { "gradient/generator": found.gradients.generator, "gradient/critic": found.gradients.critic });
      draw();
    } catch {
      if (!signal.aborted) setTimeout(() => void load(step), RETRY_MS); // the service may be restarting
    } finally {
      reading.delete(step);
    }
  }

  /** Read the probe at the cursor first, and then all others, one after the other. */
  async function loadAll() {
    const first = at(wanted);
    if (first !== undefined) await load(first);
    for (const step of steps()) await load(step);
  }

  function draw() {
    const step = at(wanted);
    const shown = step === undefined ? undefined : read.get(step);
    if (!shown) return;
    element.hidden = false;
    setText(caption, `weights in training at step ${count(shown.step)}; the pictures above are of the averaged weights, if the recipe averages`);
    caption.dataset.probe = String(shown.step);
    drawHistograms(histograms, shown);
    drawLine(line, shown);
    plane.show(shown);
    const known = [...read.keys()].sort((a, b) => a - b).map((one) => read.get(one));
    drawRibbons(ribbons, known, shown.step);
    gradients.element.hidden = known.length < 2;
    gradients.show(curves.names);
  }

  return {
    element,
    /** @param {number} step @param {string} artifact */
    add(step, artifact) {
      if (artifacts.get(step) === artifact) return;
      artifacts.set(step, artifact);
      read.delete(step);
      void loadAll();
    },
    /** @param {number} step */
    rewind(step) {
      curves.rewind(step);
      for (const known of steps()) {
        if (known > step) {
          artifacts.delete(known);
          read.delete(known);
        }
      }
    },
    /** @param {number | null} step */
    show(step) {
      wanted = step;
      draw();
      gradients.mark();
    },
    restyle: () => gradients.restyle(),
    refresh: () => gradients.refresh(),
  };
}

/** Two histograms over each other: real upwards, generated downwards. @param {HTMLElement} place @param {any} probe */
function drawHistograms(place, probe) {
  place.hidden = !probe.critics.length;
  if (place.hidden) return;
  const pictures = probe.critics.map((/** @type {any} */ critic) => {
    const most = Math.max(1, ...critic.real, ...critic.fake);
    const picture = drawing(WIDTH, HEIGHT / Math.min(2, probe.critics.length), (context) => {
      const { width, height } = size(probe.critics.length);
      const middle = (height - 16) / 2;
      const bin = width / critic.real.length;
      for (const [index, real] of critic.real.entries()) {
        context.fillStyle = token("--curve-3");
        context.fillRect(index * bin + 0.5, middle - (real / most) * middle, bin - 1, (real / most) * middle);
        context.fillStyle = token("--curve-2");
        context.fillRect(index * bin + 0.5, middle, bin - 1, (critic.fake[index] / most) * middle);
      }
      context.fillStyle = token("--line");
      context.fillRect(0, middle, width, 1);
      context.fillStyle = token("--muted");
      context.textAlign = "left";
      context.fillText(number(critic.edges[0]), 0, height - 2);
      context.textAlign = "right";
      context.fillText(number(critic.edges[critic.edges.length - 1]), width, height - 2);
    });
    picture.draw(`Scores of critic ${critic.name}: real ${critic.real.join(" ")}; generated ${critic.fake.join(" ")}`);
    return picture.element;
  });
  fill(place, h("h3", {}, "Scores of the critic"), pictures, legend([["--curve-3", "real"], ["--curve-2", "generated"]]));
}

/** @param {number} critics */
const size = (critics) => ({ width: WIDTH, height: HEIGHT / Math.min(2, critics) });

/** The lectures' figure: the data, what is drawn, and D(x). @param {HTMLElement} place @param {any} probe */
function drawLine(place, { line, critic_scale: scale }) {
  place.hidden = !line;
  if (!line) return;
  const picture = drawing(WIDTH, 220, (context) => {
    const height = 200;
    const span = line.x[line.x.length - 1] - line.x[0];
    const most = Math.max(...line.p_data, ...(line.p_g ?? [0]));
    const scores = (line.critic ?? []).filter((/** @type {any} */ value) => value !== null);
    const [low, high] = scale === "probability" ? [0, 1] : [Math.min(...scores), Math.max(...scores)];
    /** @param {(number | null)[]} values @param {(value: number) => number} place @param {string} colour */
    const stroke = (values, place, colour) => {
      context.strokeStyle = token(colour);
      context.lineWidth = 1.6;
      context.beginPath();
      values.forEach((value, index) => value !== null && context.lineTo(((line.x[index] - line.x[0]) / span) * WIDTH, place(value)));
      context.stroke();
    };
    const density = (/** @type {number} */ value) => height - (value / most) * (height - 8);
    stroke(line.p_data, density, "--curve-3");
    if (line.p_g) stroke(line.p_g, density, "--curve-2");
    if (line.critic) stroke(line.critic, (value) => height - ((value - low) / (high - low || 1)) * (height - 8), "--curve-1");
    context.fillStyle = token("--muted");
    context.textAlign = "left";
    context.fillText(number(line.x[0]), 0, 216);
    context.textAlign = "right";
    context.fillText(number(line.x[line.x.length - 1]), WIDTH, 216);
  });
  picture.draw("The density of the data, the density of what is generated, and the critic, over the line.");
  fill(place, h("h3", {}, "The data, what is generated, and the critic"), picture.element,
    legend([["--curve-3", "p_data"], ["--curve-2", "p_g"], ["--curve-1", scale === "probability" ? "D(x)" : "score of the critic"]]));
}

/** Shares of modes over the steps, stacked. @param {HTMLElement} place @param {any[]} probes @param {number} step */
function drawRibbons(place, probes, step) {
  const known = probes.filter((one) => one.shares && one.shares.names.length <= MOST_MODES);
  place.hidden = known.length < 2;
  if (place.hidden) return;
  const { names } = known[0].shares;
  const last = known[known.length - 1];
  const picture = drawing(WIDTH, HEIGHT, (context) => {
    const span = last.step - known[0].step || 1;
    const x = (/** @type {any} */ one) => ((one.step - known[0].step) / span) * WIDTH;
    const base = known.map(() => 0);
    for (const [mode, name] of names.entries()) {
      const tops = known.map((one, index) => base[index] + one.shares.counts[mode] / Math.max(1, one.shares.counts.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0)));
      context.fillStyle = name === "none" ? token("--line") : `hsl(${(360 * mode) / names.length} 55% 58%)`;
      context.beginPath();
      known.forEach((one, index) => context.lineTo(x(one), HEIGHT * (1 - tops[index])));
      [...known.keys()].reverse().forEach((index) => context.lineTo(x(known[index]), HEIGHT * (1 - base[index])));
      context.fill();
      tops.forEach((top, index) => { base[index] = top; });
    }
    context.fillStyle = token("--text");
    context.fillRect(Math.max(0, Math.min(WIDTH - 1, ((step - known[0].step) / span) * WIDTH)), 0, 1.5, HEIGHT);
  });
  const now = known.findLast((one) => one.step <= step) ?? known[0];
  const modes = names.filter((/** @type {string} */ name) => name !== "none");
  const found = modes.filter((/** @type {string} */ name) => now.shares.counts[names.indexOf(name)] > 0).length;
  const counts = last.shares.names.map((/** @type {string} */ name, /** @type {number} */ index) => `${name} ${last.shares.counts[index]}`).join(", ");
  picture.draw(`Share of each mode over the steps. At step ${last.step}: ${counts}.`);
  fill(place, h("h3", {}, "Share of each mode"), picture.element,
    h("p", { class: "small number" }, `step ${count(known[0].step)} to ${count(last.step)}; at ${count(now.step)} ${found} of ${modes.length} have examples`),
    h("p", { class: "muted small" }, "Equal ribbons are equal shares; a ribbon that vanishes is a lost mode; grey is near no mode."));
}
