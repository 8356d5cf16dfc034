// The curves that an exercise asks to watch, of each of its runs, and their values as a table.

import { plainChart } from "./chart_view.js";
import { Curves } from "./curves.js";
import { fill, h, scrolling } from "./dom.js";
import { count, number } from "./format.js";

/** @typedef {import("./run_facts.js").Run} Run */

/** the most rows of the table: evaluations, not reports */
const ROWS = 30;

/** @param {import("./syllabus.js").Exercise} exercise @param {AbortSignal} signal */
export function watched({ shown, trainings }, signal) {
  const curves = shown.map(() => new Curves());
  const names = trainings.map(({ title }) => title);
  const charts = shown.map(({ title, guides = [] }, index) => plainChart(title, curves[index], { guides, sync: "exercise" }));
  const values = scrolling("Values by step");
  const details = h("details", { class: "small", hidden: true }, h("summary", {}, "Values by step"), values);
  const hint = h("p", { class: "hint" }, "The first report brings the curves.");
  const drawn = h("div", { class: "charts", hidden: true }, charts.map((chart) => chart.element));
  const element = h("div", { class: "stack" }, hint, drawn, details);
  signal.addEventListener("abort", () => { for (const chart of charts) chart.destroy(); });

  return {
    element,
    /** @param {(Run | null)[]} runs */
    draw(runs) {
      for (const [index, one] of shown.entries()) {
        curves[index].byName.clear();
        for (const [place, run] of runs.entries()) {
          const found = one.curves.map((name) => run?.curves.byName.get(name)).find(Boolean);
          if (found) curves[index].byName.set(names[place], new Map(found));
        }
        charts[index].show(names.filter((name) => curves[index].byName.has(name)));
      }
      const any = curves.some((one) => one.points > 0);
      hint.hidden = any;
      details.hidden = drawn.hidden = !any;
      fill(values, any && table(runs));
    },
  };

  /** Values at the steps that have them all: the evaluations, if figures are watched. @param {(Run | null)[]} runs */
  function table(runs) {
    const columns = shown.flatMap(({ title }, index) => names.filter((name) => curves[index].byName.has(name)).map((name) =>
      ({ title: runs.length > 1 ? `${title}: ${name}` : title, values: /** @type {Map<number, number | null>} */ (curves[index].byName.get(name)) })));
    const fewest = columns.reduce((least, one) => (one.values.size < least.values.size ? one : least), columns[0]);
    const steps = [...fewest.values.keys()].sort((a, b) => a - b);
    const rows = steps.slice(-ROWS);
    return h("table", { class: "table small" },
      h("thead", {}, h("tr", {}, h("th", { class: "number" }, "step"), columns.map(({ title }) => h("th", { class: "number" }, title)))),
      h("tbody", {}, rows.map((step) => h("tr", {}, h("td", { class: "number" }, count(step)), columns.map(({ values: column }) => h("td", { class: "number" }, number(column.get(step))))))));
  }
}
