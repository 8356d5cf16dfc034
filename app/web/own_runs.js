// A person's own trainings: read one with its curves, and write one in a line.

import { get } from "./api.js";
import { Curves } from "./curves.js";
import { ago, count } from "./format.js";

/** @typedef {import("./run_facts.js").Run} Run */

const POINTS = 2000;

/** A job and its curves. @param {string} id @param {AbortSignal} signal @returns {Promise<Run>} */
export async function readRun(id, signal) {
  const path = `/jobs/${encodeURIComponent(id)}`;
  const [job, metrics] = await Promise.all([get(path, {}, signal), get(`${path}/metrics`, { points: POINTS }, signal)]);
  const curves = new Curves();
  curves.read(metrics.data);
  return { job, curves };
}

/** A training in one line, for lists. @param {any} job */
export const inOneLine = (job) => `${job.model} · ${count(job.progress.total)} steps on ${job.dataset}, seed ${job.recipe.seed} · ${job.state}, ${ago(job.created_at)}`;
