// The lab of 2-D data: the critic as a landscape, real and generated points, where they would move, and the warped
// grid of latents.

import { channels, drawing, legend, token } from "./canvas.js";
import { h } from "./dom.js";
import { number } from "./format.js";

const SIDE = 400;
const ARROW = 22;
const LAYERS = /** @type {const} */ (["landscape", "real", "generated", "gradients", "grid"]);

const DEFAULT_LAYERS = "landscape,real,generated,gradients";

/**
 * @param {string | null} layers that are shown, separated by commas; null: those of a newcomer
 * @param {(layers: string | null) => void} onLayers
 */
export function lab(layers, onLayers) {
  const shown = new Set((layers ?? DEFAULT_LAYERS).split(","));
  /** @type {any} */
  let probe;
  const picture = drawing(SIDE, SIDE, paint);
  const choices = h("div", { class: "row small", role: "group", "aria-label": "Layers" }, LAYERS.map((layer) => {
    const box = h("input", { type: "checkbox", checked: shown.has(layer), onchange: () => {
      if (box.checked) shown.add(layer);
      else shown.delete(layer);
      const now = LAYERS.filter((one) => shown.has(one)).join();
      onLayers(now === DEFAULT_LAYERS ? null : now || "none");
      draw();
    } });
    return h("label", {}, box, layer);
  }));
  const missing = h("p", { class: "small", hidden: true }, "There is no landscape: this critic judges several points at once, or there is no critic.");
  const element = h("section", { class: "card chart lab", hidden: true, "aria-label": "Lab" },
    h("h3", {}, "The plane: critic, points and where they would move"), picture.element, choices,
    legend([["--curve-3", "real"], ["--curve-2", "generated"]]), missing,
    h("p", { class: "muted small" }, "Where the ground is light the critic takes a point for real. A line at a generated point shows where its gradient pulls it. The grid is what the generator makes of a regular grid of latents."));

  const x = (/** @type {number} */ value) => ((value - probe.plane.x[0]) / (probe.plane.x[1] - probe.plane.x[0])) * SIDE;
  const y = (/** @type {number} */ value) => SIDE - ((value - probe.plane.y[0]) / (probe.plane.y[1] - probe.plane.y[0])) * SIDE;

  /** @param {CanvasRenderingContext2D} context */
  function paint(context) {
    const { plane } = probe;
    context.fillStyle = token("--raised");
    context.fillRect(0, 0, SIDE, SIDE);
    if (shown.has("landscape") && plane.critic) context.drawImage(landscape(plane), 0, 0, SIDE, SIDE);
    if (shown.has("grid") && plane.grid) {
      context.strokeStyle = token("--curve-4");
      context.lineWidth = 1;
      const columns = plane.grid[0].map((/** @type {any} */ _, /** @type {number} */ index) => plane.grid.map((/** @type {any} */ row) => row[index]));
      for (const path of [...plane.grid, ...columns]) {
        context.beginPath();
        for (const point of path) if (point[0] !== null) context.lineTo(x(point[0]), y(point[1]));
        context.stroke();
      }
    }
    if (shown.has("real")) dots(context, plane.real, token("--curve-3"), 3.5);
    if (shown.has("gradients") && plane.gradient && plane.fake) arrows(context, plane);
    if (shown.has("generated") && plane.fake) dots(context, plane.fake, token("--curve-2"), 1.8);
  }

  /** @param {CanvasRenderingContext2D} context @param {any[]} points @param {string} colour @param {number} radius */
  function dots(context, points, colour, radius) {
    context.fillStyle = colour;
    for (const [left, up] of points) {
      if (left === null) continue;
      context.beginPath();
      context.arc(x(left), y(up), radius, 0, 2 * Math.PI);
      context.fill();
    }
  }

  /** Lines from the generated points, the longest of ARROW pixels. @param {CanvasRenderingContext2D} context @param {any} plane */
  function arrows(context, plane) {
    const lengths = plane.gradient.map((/** @type {(number | null)[]} */ [dx, dy]) => Math.hypot(dx ?? 0, dy ?? 0)).sort((/** @type {number} */ a, /** @type {number} */ b) => a - b);
    const long = lengths[Math.floor(0.95 * (lengths.length - 1))] || 1;
    context.strokeStyle = token("--curve-1");
    context.lineWidth = 1;
    plane.fake.forEach((/** @type {any} */ [left, up], /** @type {number} */ index) => {
      const [dx, dy] = plane.gradient[index];
      if (left === null || dx === null) return;
      const scale = Math.min(1, Math.hypot(dx, dy) / long) * ARROW / (Math.hypot(dx, dy) || 1);
      context.beginPath();
      context.moveTo(x(left), y(up));
      context.lineTo(x(left) + dx * scale, y(up) - dy * scale);
      context.stroke();
    });
  }

  function draw() {
    element.hidden = !probe?.plane;
    if (element.hidden) return;
    missing.hidden = Boolean(probe.plane.critic);
    const scores = probe.plane.critic?.flat().filter((/** @type {any} */ value) => value !== null) ?? [];
    picture.draw(`Step ${probe.step}: ${probe.plane.real.length} real and ${probe.plane.fake?.length ?? 0} generated points${scores.length ? `; scores of the critic from ${number(Math.min(...scores))} to ${number(Math.max(...scores))}` : ""}.`);
  }

  return {
    element,
    /** @param {any} now */
    show(now) {
      probe = now;
      draw();
    },
  };
}

/** The critic's scores as a picture: dark where it sees a fake, light where it sees the data. @param {any} plane */
function landscape({ critic, n }) {
  const values = critic.flat();
  const known = values.filter((/** @type {any} */ value) => value !== null).sort((/** @type {number} */ a, /** @type {number} */ b) => a - b);
  const [low, high] = [known[Math.floor(0.02 * known.length)], known[Math.ceil(0.98 * (known.length - 1))]];
  const brightness = (/** @type {number[]} */ colour) => colour[0] + colour[1] + colour[2];
  const [dark, light] = [channels(token("--line")), channels(token("--surface"))].sort((a, b) => brightness(a) - brightness(b));
  const canvas = h("canvas", { width: n, height: n });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(n, n);
  for (let row = 0; row < n; row += 1) {
    for (let column = 0; column < n; column += 1) {
      const share = Math.max(0, Math.min(1, (critic[row][column] - low) / (high - low || 1)));
      const at = 4 * ((n - 1 - row) * n + column);
      for (let channel = 0; channel < 3; channel += 1) image.data[at + channel] = dark[channel] + share * (light[channel] - dark[channel]);
      image.data[at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
