// Trainings beside each other. The address holds which ones, and how their curves are drawn.

import { get, Problem } from "../api.js";
import { readView } from "../chart_view.js";
import { comparison } from "../comparison.js";
import { empty, fill, h, skeleton } from "../dom.js";
import { jobPicker } from "../job_picker.js";
import { keep } from "../main.js";

/** @param {string | null} text ids with commas between */
const idsOf = (text) => [...new Set((text ?? "").split(",").filter(Boolean))];

/** @type {import("../main.js").Room} */
export async function room(main, { query, signal }) {
  const { data: limits } = await get("/limits", {}, signal);
  const most = limits.find((/** @type {any} */ limit) => limit.name === "compared_jobs").value;
  let ids = idsOf(query.get("jobs"));
  const view = readView(query);
  const { hidden } = view; // ids of jobs
  /** @type {AbortController | undefined} */
  let leaving;

  const place = h("div", { class: "stack wide" });
  const picker = jobPicker({ chosen: ids, most, signal, onChange: (chosen) => void choose(chosen) });
  const choice = h("details", { class: "card", open: ids.length < 2 }, h("summary", {}, "Choose trainings"), picker.element);
  fill(main, h("div", { class: "spread" }, h("h1", {}, "Compare")), choice, place);

  /** @param {string[]} chosen */
  async function choose(chosen) {
    ids = chosen;
    for (const id of hidden) if (!ids.includes(id)) hidden.delete(id);
    keep({ jobs: ids.join(","), hidden: [...hidden].join(",") });
    picker.show(ids);
    await draw();
  }

  async function draw() {
    leaving?.abort();
    leaving = new AbortController();
    const stop = AbortSignal.any([signal, leaving.signal]);
    if (ids.length < 2) {
      fill(place, empty(ids.length ? "Choose one more training to compare with it." : "Choose two trainings or more above. In the room of jobs, tick rows and press Compare."));
      return;
    }
    fill(place, skeleton(true));
    try {
      await comparison(place, { ids, view, query: new URLSearchParams(location.search), signal: stop, onRemove: (id) => void choose(ids.filter((one) => one !== id)) });
    } catch (error) {
      if (stop.aborted) return;
      if (!(error instanceof Problem)) throw error;
      fill(place, h("div", { class: "notice bad", role: "alert" }, h("p", {}, error.message)));
    }
  }

  await Promise.all([picker.start(), draw()]);
}
