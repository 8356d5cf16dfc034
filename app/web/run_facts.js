// What the service knows of a training, as plain numbers: pure functions over its job and its curves.

import { Curves } from "./curves.js";

/** @typedef {{job: any, curves: Curves}} Run */
/** the watch's own limits (docs/health.md): variety below which pictures repeat themselves, and reverse KL above which half of the modes are missing */
export const LOW_VARIETY = 0.6;
export const HIGH_REVERSE_KL = 0.65;
/** coverage below which pictures are far from the data */
export const LOW_COVERAGE = 0.2;
/** the share of the reports whose losses are averaged as those "at the end" */
const END = 0.2;

/** Values of a curve in the order of their steps; steps without a finite number are left out. @param {Run} run @param {string} name @returns {[number, number][]} */
export const points = ({ curves }, name) => [...(curves.byName.get(name) ?? [])]
  .filter((point) => typeof point[1] === "number").map(([step, value]) => /** @type {[number, number]} */ ([step, Number(value)])).sort((a, b) => a[0] - b[0]);

/** The newest value of a curve; null if it has none. @param {Run} run @param {string} name */
export const last = (run, name) => points(run, name).pop()?.[1] ?? null;

/** Whether the losses are those of the lecture's runs, which rest at ln 2. With minimax the generator's goes to minus ln 2. @param {Run} run */
export const isNonSaturating = ({ job }) => job.recipe.objective?.kind === "non_saturating";

/** A player's loss of the objective by step, without penalties; the mean over both domains, if the game has two. @param {Run} run @param {"generator" | "critic"} player @returns {[number, number][]} */
export function losses(run, player) {
  const whole = `${player}/${run.job.recipe.objective?.kind}`;
  const names = run.curves.names.filter((name) => name === whole || name.startsWith(`${whole}_`));
  return points(run, names[0] ?? "").map(([step, value]) =>
    [step, names.slice(1).reduce((sum, name) => sum + (run.curves.byName.get(name)?.get(step) ?? value), value) / names.length]);
}

/** A player's mean loss over the last fifth of the reports; null without one. @param {Run} run @param {"generator" | "critic"} player */
export function endLoss(run, player) {
  const values = losses(run, player).map(([, value]) => value);
  const end = values.slice(-Math.max(1, Math.round(END * values.length)));
  return end.length ? end.reduce((sum, value) => sum + value, 0) / end.length : null;
}

/** Losses as a course writes them: the critic's is half the sum over real and generated examples. @param {Run} run */
export function courseCurves(run) {
  const curves = new Curves();
  for (const [step, value] of losses(run, "generator")) curves.report(step, { generator: value });
  for (const [step, value] of losses(run, "critic")) curves.report(step, { critic: value / 2 });
  return curves;
}

/**
 * Facts that tell the lecture's runs apart; null where nothing was measured.
 * @typedef {{kind: string | null, state: string | null, generatorLoss: number | null, criticLoss: number | null, accuracy: number | null, variety: number | null, reverseKl: number | null, far: boolean | null, images: boolean, generator: {kind: string, norm?: string}, critic: {kind: string, norm?: string} | null, smoothing: number}} Facts
 * @param {Run} run @returns {Facts}
 */
export function factsOf(run) {
  const { health, recipe } = run.job;
  const comparable = isNonSaturating(run);
  const critic = endLoss(run, "critic");
  const far = /** @type {[string, number][]} */ ([["coverage", LOW_COVERAGE], ["high_quality", 0.3], ["valid", 0.2]])
    .map(([name, least]) => [last(run, `figure/${name}`), least]).filter(([value]) => value !== null);
  return {
    kind: health?.kind ?? null, state: health?.state ?? null,
    generatorLoss: comparable ? endLoss(run, "generator") : null, criticLoss: comparable && critic !== null ? critic / 2 : null,
    accuracy: last(run, "gauge/critic_accuracy"), variety: last(run, "figure/pixel_variety"), reverseKl: last(run, "figure/reverse_kl"),
    far: far.length ? far.some(([value, least]) => Number(value) < Number(least)) : null,
    images: recipe.data.kind === "images", generator: recipe.generator, critic: recipe.critic ?? null, smoothing: recipe.objective?.smoothing ?? 0,
  };
}
