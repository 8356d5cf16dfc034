// Line charts on uPlot: one step cursor, one zoom and one set of choices for all charts of a room.

import { token } from "./canvas.js";
import { smoothed } from "./curves.js";
import { fill, h, setText } from "./dom.js";
import { count, number } from "./format.js";

const COLOURS = 6;
const HEIGHT = 190;
/** points of a curve up to which each has a dot: a reader sees where it was measured */
const DOTTED = 30;
const BAND_ALPHA = "30"; // of 255, in hexadecimal
/** pixels drawn and left out: the seventh curve has the first colour again, and dashes */
const DASHES = [[], [8, 4], [2, 3]];
export const SCALES = ["linear", "log", "asinh"];

/**
 * What all charts of a room share. `from` and `to` are the steps in view; null: all of them. `hidden` names curves.
 * @typedef {{scale: string, smoothing: number, step: number | null, from: number | null, to: number | null, hidden: Set<string>}} View
 */

/**
 * What a chart may do differently. `text` names a curve in the legend; `value` writes its value at a step there.
 * `scale` is one that the room's choice does not change. `bands` are the curves below and above a curve, between which the chart is shaded.
 * @typedef {{text?: (name: string) => string, value?: (name: string, step: number) => {text: string, value: number | null | undefined}, scale?: string, onHide?: (name: string, shown: boolean) => void, bands?: (name: string) => [string, string] | null, height?: number}} Extras
 */

/** A figure with a title, its lines, a legend whose entries hide lines, and a table for those who cannot see it. */
export class Chart {
  /**
   * @param {string} title
   * @param {import("./curves.js").Curves} curves
   * @param {{view: View, onStep: (step: number) => void, onZoom: (from: number | null, to: number | null) => void, marks?: () => {step: number, text: string, colour: string}[], guides?: {value: number, text: string}[], sync: string} & Extras} options
   */
  constructor(title, curves, options) {
    this.title = title;
    this.curves = curves;
    this.options = options;
    /** @type {string[]} */
    this.names = [];
    this.hidden = options.view.hidden;
    this.text = options.text ?? label;
    this.plot = h("div", { class: "plot", role: "img", "aria-label": title });
    this.plot.style.height = `${options.height ?? HEIGHT}px`;
    this.legend = h("div", { class: "legend" });
    this.at = h("span", { class: "muted number" });
    this.element = h("section", { class: "card chart", "aria-label": title }, h("h3", {}, title), this.plot, this.legend);
    /** @type {any} */
    this.uplot = undefined;
    this.visible = false;
    this.stale = true;
    this.observer = new IntersectionObserver(([entry]) => {
      this.visible = entry.isIntersecting;
      if (this.visible && this.stale) this.draw();
    }, { rootMargin: "200px" });
    this.observer.observe(this.element);
    this.resizer = new ResizeObserver(() => this.uplot?.setSize(this.#size()));
    this.resizer.observe(this.plot);
  }

  destroy() {
    this.observer.disconnect();
    this.resizer.disconnect();
    this.uplot?.destroy();
  }

  /** Show these curves. @param {string[]} names */
  show(names) {
    if (names.join() === this.names.join()) return this.refresh();
    this.names = names;
    this.restyle();
  }

  /** Draw what has changed, if it is in view; else when it comes into view. */
  refresh() {
    this.stale = true;
    if (this.visible) this.draw();
  }

  /** Build the chart anew: its scale, its lines or its colours have changed. */
  restyle() {
    this.uplot?.destroy();
    this.uplot = undefined;
    const { guides = [] } = this.options;
    fill(this.legend, this.names.map((name, index) => this.#entry(name, index)), this.at,
      guides.length > 0 && h("span", { class: "muted" }, `dashed: ${guides.map(({ text }) => text).join(", ")}`));
    this.refresh();
  }

  draw() {
    this.stale = false;
    const data = this.#data();
    this.uplot ??= new (/** @type {any} */ (globalThis).uPlot)(this.#settings(), null, this.plot);
    this.uplot.setData(data, false);
    const { from, to } = this.options.view;
    const steps = data[0];
    const last = Math.max(steps[steps.length - 1] ?? 1, 1);
    // A new point never moves what a person looks at: only a chart without a zoom grows.
    this.uplot.setScale("x", from === null ? { min: steps[0] ?? 0, max: last } : { min: from, max: to ?? Math.max(from + 1, last) });
    this.#values(this.uplot.cursor.idx);
    this.#describe();
  }

  /** Mark the shared step. */
  mark() {
    if (!this.visible) this.stale = true;
    else {
      this.uplot?.redraw(false, false);
      this.#values(null);
    }
  }

  /** Show or hide a curve. @param {string} name @param {boolean} shown */
  setShown(name, shown) {
    const index = this.names.indexOf(name);
    if (shown) this.hidden.delete(name);
    else this.hidden.add(name);
    this.legend.children[index]?.setAttribute("aria-pressed", String(shown));
    for (const [place, one] of this.#drawn().entries()) if (one.of === name) this.uplot?.setSeries(place + 1, { show: shown });
  }

  /** The lines in order: a curve, or an edge of its band. @returns {{name: string, of: string, edge: boolean}[]} */
  #drawn() {
    const edges = this.names.flatMap((of) => (this.options.bands?.(of) ?? []).map((name) => ({ name, of, edge: true })));
    return [...this.names.map((name) => ({ name, of: name, edge: false })), ...edges];
  }

  #data() {
    const [steps, ...columns] = this.curves.aligned(this.#drawn().map(({ name }) => name));
    const { smoothing } = this.options.view;
    return [steps, ...columns.map((column) => (smoothing ? smoothed(column, smoothing) : column))];
  }

  #size() {
    return { width: Math.max(120, this.plot.clientWidth), height: this.options.height ?? HEIGHT };
  }

  #settings() {
    const { view, onZoom, onStep, sync, guides = [], marks, scale = view.scale } = this.options;
    const axis = {
      stroke: token("--muted"), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false }, font: `11px ${token("--sans")}`,
    };
    const drawn = this.#drawn();
    const colour = (/** @type {string} */ name) => token(`--curve-${(this.names.indexOf(name) % COLOURS) + 1}`);
    const distributions = { linear: 1, log: 3, asinh: 4 };
    return {
      ...this.#size(),
      padding: [8, 18, 0, 0],
      cursor: { y: false, sync: { key: sync, setSeries: false }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
      scales: {
        x: { time: false, range: (/** @type {any} */ _, /** @type {number} */ min, /** @type {number} */ max) => [min, max > min ? max : min + 1] },
        y: { distr: distributions[/** @type {keyof typeof distributions} */ (scale)] ?? 1, asinh: 0.01, ...(scale === "linear" && { range: padded }) },
      },
      series: [{ label: "step" }, ...drawn.map(({ name, of, edge }) => ({
        label: name,
        stroke: edge ? undefined : colour(of),
        width: edge ? 0 : 1.5,
        dash: DASHES[Math.floor(this.names.indexOf(of) / COLOURS) % DASHES.length],
        show: !this.hidden.has(of),
        spanGaps: true,
        value: (/** @type {any} */ _, /** @type {number} */ value) => number(value),
        points: { show: edge ? false : (this.curves.byName.get(name)?.size ?? 0) <= DOTTED || undefined, size: 5 },
      }))],
      bands: this.names.flatMap((name) => {
        const [low, high] = (this.options.bands?.(name) ?? []).map((edge) => 1 + drawn.findIndex((one) => one.name === edge));
        return high ? [{ series: [high, low], fill: `${colour(name)}${BAND_ALPHA}` }] : [];
      }),
      axes: [{ ...axis, size: 28 }, { ...axis, size: 56, values: (/** @type {any} */ _, /** @type {number[]} */ values) => values.map((value) => (value === null ? "" : number(value))) }],
      hooks: {
        setSelect: [(/** @type {any} */ plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          onZoom(Math.round(plot.posToVal(left, "x")), Math.round(plot.posToVal(left + width, "x")));
          plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        }],
        draw: [(/** @type {any} */ plot) => {
          for (const guide of guides) line(plot, "y", guide.value, token("--muted"), [3, 3]);
          for (const mark of marks?.() ?? []) line(plot, "x", mark.step, token(mark.colour), [2, 3]);
          if (view.step !== null) line(plot, "x", view.step, token("--accent"), []);
        }],
        ready: [(/** @type {any} */ plot) => {
          plot.over.addEventListener("click", () => {
            const { idx } = plot.cursor;
            if (idx !== null && idx !== undefined) onStep(plot.data[0][idx]);
          });
          plot.over.addEventListener("dblclick", () => onZoom(null, null));
        }],
        setCursor: [(/** @type {any} */ plot) => {
          if (this.visible) this.#values(plot.cursor.idx);
          else this.stale = true;
        }],
      },
    };
  }

  /** Write the values under the pointer into the legend; without one those at the shared step. @param {number | null | undefined} index under the pointer */
  #values(index) {
    if (!this.uplot) return;
    const { value: read, view } = this.options;
    const [steps, ...columns] = this.uplot.data;
    const none = index === null || index === undefined;
    const step = none ? view.step ?? steps.at(-1) : steps[index];
    setText(this.at, none ? "" : `step ${count(step)}`);
    for (const [place, name] of this.names.entries()) {
      const output = this.legend.children[place]?.lastElementChild;
      if (!output) continue;
      if (read && step !== undefined) {
        const { text, value } = read(name, step);
        setText(output, text);
        output.setAttribute("data-value", String(value));
        continue;
      }
      // Without a pointer: the last value up to the chosen step.
      const value = none ? columns[place].findLast((/** @type {any} */ one, /** @type {number} */ at) => typeof one === "number" && steps[at] <= step) : columns[place][index];
      setText(output, typeof value === "number" ? number(value) : "");
    }
  }

  /** @param {string} name @param {number} index */
  #entry(name, index) {
    const swatch = h("i");
    paint(swatch, index);
    return h("button", {
      type: "button", "aria-pressed": String(!this.hidden.has(name)),
      onclick: () => {
        const shown = this.hidden.has(name);
        this.setShown(name, shown);
        this.options.onHide?.(name, shown);
      },
    }, swatch, this.text(name), h("span", { class: "number" }));
  }

  /** Say in words what the picture shows. */
  #describe() {
    const words = this.names.map((name) => {
      const values = [...(this.curves.byName.get(name)?.values() ?? [])].filter((value) => typeof value === "number");
      return values.length ? `${this.text(name)}: ${values.length} points, now ${number(values[values.length - 1])}` : this.text(name);
    });
    this.plot.setAttribute("aria-label", `${this.title}. ${words.join("; ")}.`);
  }
}

/** The range of an axis: the values with some air; a flat line lies in the middle. @param {any} _ @param {number | null} low @param {number | null} high @returns {[number, number]} */
function padded(_, low, high) {
  if (low === null || high === null) return [0, 1];
  const air = (high - low) * 0.05 || Math.abs(low) * 0.1 || 1;
  return [low >= 0 && low < air ? 0 : low - air, high + air];
}

/** Give a swatch the colour and the dashes of a curve. @param {HTMLElement} swatch @param {number} index */
export function paint(swatch, index) {
  swatch.style.color = `var(--curve-${(index % COLOURS) + 1})`;
  swatch.classList.toggle("dashed", index >= COLOURS);
}

/** The part of a curve's name that differs from its neighbours'. @param {string} name */
export const label = (name) => name.replace(/^(figure|gauge)\//, "").replaceAll("_", " ").replace(/\bkl\b/, "KL");

/** @param {any} plot @param {"x" | "y"} scale @param {number} value @param {string} colour @param {number[]} dash */
function line(plot, scale, value, colour, dash) {
  const { ctx, bbox } = plot;
  const at = Math.round(plot.valToPos(value, scale, true));
  const [low, high] = scale === "x" ? [bbox.left, bbox.left + bbox.width] : [bbox.top, bbox.top + bbox.height];
  if (!(at >= low && at <= high)) return;
  ctx.save();
  ctx.beginPath();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash(dash.map((part) => part * devicePixelRatio));
  if (scale === "x") {
    ctx.moveTo(at, bbox.top);
    ctx.lineTo(at, bbox.top + bbox.height);
  } else {
    ctx.moveTo(bbox.left, at);
    ctx.lineTo(bbox.left + bbox.width, at);
  }
  ctx.stroke();
  ctx.restore();
}
