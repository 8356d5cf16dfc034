// Line charts on uPlot: one step cursor, one zoom and one set of choices for all charts of a room.

import { smoothed } from "./curves.js";
import { fill, h, setText } from "./dom.js";
import { count, number } from "./format.js";

const COLOURS = 6;
export const SCALES = ["linear", "log", "asinh"];

/** @param {string} name of a custom property */
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * What all charts of a room share. `from` and `to` are the steps in view; null: all of them. `hidden` names curves.
 * @typedef {{scale: string, smoothing: number, step: number | null, from: number | null, to: number | null, hidden: Set<string>}} View
 */

/** A figure with a title, its lines, a legend whose entries hide lines, and a table for those who cannot see it. */
export class Chart {
  /**
   * @param {string} title
   * @param {import("./curves.js").Curves} curves
   * @param {{view: View, scale?: string, onStep: (step: number) => void, onZoom: (from: number | null, to: number | null) => void, onHide?: () => void, marks?: () => {step: number, text: string, colour: string}[], guides?: {value: number, text: string}[], sync: string}} options
   */
  constructor(title, curves, options) {
    this.title = title;
    this.curves = curves;
    this.options = options;
    /** @type {string[]} */
    this.names = [];
    this.plot = h("div", { class: "plot", role: "img", "aria-label": title });
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
    this.#rebuild();
  }

  /** Draw what has changed, if it is in view; else when it comes into view. */
  refresh() {
    this.stale = true;
    if (this.visible) this.draw();
  }

  /** Build the chart anew: its scale, its lines or its colours have changed. */
  #rebuild() {
    this.uplot?.destroy();
    this.uplot = undefined;
    fill(this.legend, this.names.map((name, index) => this.#entry(name, index)), this.at, this.options.guides?.length ? h("span", { class: "muted" }, `dashed: ${this.options.guides.map(({ text }) => text).join(", ")}`) : null);
    this.refresh();
  }

  restyle() {
    this.#rebuild();
  }

  draw() {
    this.stale = false;
    const data = this.#data();
    this.uplot ??= new (/** @type {any} */ (globalThis).uPlot)(this.#settings(), null, this.plot);
    this.uplot.setData(data, false);
    this.uplot.setScale("x", this.#span(data[0]));
    this.#values();
    this.#describe();
  }

  /** The steps in view. A new point never moves a zoomed chart. @param {any[]} steps */
  #span(steps) {
    const { from, to } = this.options.view;
    const last = Math.max(steps[steps.length - 1] ?? 1, 1);
    return { min: from ?? steps[0] ?? 0, max: to ?? last };
  }

  /** Mark the shared step. */
  mark() {
    this.uplot?.redraw(false, false);
    this.#values();
  }

  #data() {
    const [steps, ...columns] = this.curves.aligned(this.names);
    const { smoothing } = this.options.view;
    return [steps, ...columns.map((column) => (smoothing ? smoothed(column, smoothing) : column))];
  }

  #size() {
    return { width: Math.max(120, this.plot.clientWidth), height: 190 };
  }

  #settings() {
    const { view, onZoom, onStep, sync, guides = [], marks, scale = view.scale } = this.options;
    const axis = {
      stroke: token("--muted"), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false }, font: `11px ${token("--sans")}`,
    };
    const distributions = { linear: 1, log: 3, asinh: 4 };
    return {
      ...this.#size(),
      padding: [8, 18, 0, 0],
      cursor: { y: false, sync: { key: sync, setSeries: false }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
      scales: {
        x: { time: false, range: (/** @type {any} */ _, /** @type {number} */ min, /** @type {number} */ max) => [min, max > min ? max : min + 1] },
        y: { distr: distributions[/** @type {keyof typeof distributions} */ (scale)] ?? 1, asinh: 0.01, ...(scale === "linear" && { range: padded }) },
      },
      series: [{ label: "step" }, ...this.names.map((name, index) => ({
        label: name,
        stroke: token(`--curve-${(index % COLOURS) + 1}`),
        width: 1.5,
        show: !view.hidden.has(name),
        spanGaps: true,
        value: (/** @type {any} */ _, /** @type {number} */ value) => number(value),
        points: { show: this.curves.byName.get(name)?.size === 1 || undefined, size: 5 },
      }))],
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
        setCursor: [(/** @type {any} */ plot) => this.#values(plot.cursor.idx)],
      },
    };
  }

  /** Write values into the legend: those under the pointer; without one the last ones up to the chosen step. @param {number | null} [index] under the pointer */
  #values(index = this.uplot?.cursor.idx) {
    if (!this.uplot) return;
    const [steps, ...columns] = this.uplot.data;
    const pointed = index !== null && index !== undefined;
    const { step } = this.options.view;
    setText(this.at, pointed ? `step ${count(steps[index])}` : "");
    for (const [place, column] of columns.entries()) {
      const value = pointed ? column[index] : column.findLast((/** @type {any} */ one, /** @type {number} */ at) => typeof one === "number" && (step === null || steps[at] <= step));
      const text = this.legend.children[place]?.lastElementChild;
      if (text) setText(text, typeof value === "number" ? number(value) : "");
    }
  }

  /** @param {string} name @param {number} index */
  #entry(name, index) {
    const { view: { hidden }, onHide } = this.options;
    const swatch = h("i");
    swatch.style.background = `var(--curve-${(index % COLOURS) + 1})`;
    const button = h("button", {
      type: "button", "aria-pressed": String(!hidden.has(name)),
      onclick: () => {
        const shown = hidden.delete(name);
        if (!shown) hidden.add(name);
        button.setAttribute("aria-pressed", String(shown));
        this.uplot?.setSeries(index + 1, { show: shown });
        onHide?.();
      },
    }, swatch, label(name), h("span", { class: "number" }));
    return button;
  }

  /** Say in words what the picture shows. */
  #describe() {
    const words = this.names.map((name) => {
      const values = [...(this.curves.byName.get(name)?.values() ?? [])].filter((value) => typeof value === "number");
      return values.length ? `${label(name)}: ${values.length} points, now ${number(values[values.length - 1])}` : label(name);
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

/** The part of a curve's name that differs from its neighbours'. @param {string} name */
export const label = (name) => name.replace(/^(figure|gauge)\//, "").replaceAll("_", " ");

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
