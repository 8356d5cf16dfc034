// Which of the lecture's six runs a training is nearest to, by signs that the figures show or do not show.

import { number } from "./format.js";
import { HIGH_REVERSE_KL, LOW_VARIETY } from "./run_facts.js";

/** @typedef {import("./run_facts.js").Facts} Facts */
/**
 * One sign of a run: whether it holds for this job (null: not measured), what the figures say, and how much that counts,
 * above 0 for the run and below 0 against it.
 * @typedef {{text: string, holds: boolean | null, counts: number}} Sign
 */
/** @typedef {{name: string, signs: Sign[], score: number}} Match */

const CRITIC_SEES_THROUGH = 0.95;
const CRITIC_SEES_LITTLE = 0.7;
/** how near to ln 2 a loss of the equilibrium lies */
const NEAR = 0.06;
/** what the watch reports counts most; that it reports nothing counts less, since it is slow to report */
const REPORTED = 5;
const NOT_REPORTED = 2;
const UNGRAVE = ["undertrained", "no_progress"];

/** @param {number} weight @param {boolean | null} holds @param {string} text @returns {Sign} */
const sign = (weight, holds, text) => ({ text, holds, counts: holds === null ? 0 : holds ? weight : -weight });

/** @param {Sign} one @returns {Sign} */
const not = ({ text, holds, counts }) => ({ text, holds: holds === null ? null : !holds, counts: -counts || 0 });

/** Whether the watch has measured the job. @param {Facts} facts */
const watched = ({ state }) => state !== null && state !== "unwatched";

/** @param {Facts} facts @param {string[]} kinds @param {string} words @returns {Sign} */
function reported(facts, kinds, words) {
  const { kind } = facts;
  if (!watched(facts)) return sign(0, null, `whether the watch reports ${words}`);
  if (kind !== null && kinds.includes(kind)) return sign(REPORTED, true, `the watch reports ${kind.replaceAll("_", " ")}`);
  const other = kind !== null && !UNGRAVE.includes(kind);
  return sign(other ? REPORTED : NOT_REPORTED, false, other ? `the watch reports ${kind.replaceAll("_", " ")}` : `the watch does not report ${words}`);
}

/** @param {Facts} facts */
function untroubled(facts) {
  const { state, kind } = facts;
  if (!watched(facts)) return sign(2, null, "whether the watch sees trouble");
  return sign(2, state === "healthy", state === "healthy" ? "the watch sees no trouble" : `the watch reports ${String(kind).replaceAll("_", " ")}`);
}

/** @param {Facts} facts @param {number} weight */
function repeats({ variety, reverseKl }, weight) {
  if (variety !== null) return sign(weight, variety < LOW_VARIETY, `generated pictures lie ${variety.toFixed(2)} times as far from each other as real ones`);
  if (reverseKl !== null) return sign(weight, reverseKl > HIGH_REVERSE_KL, `the reverse KL divergence of the modes is ${reverseKl.toFixed(2)}`);
  return sign(weight, null, "how different the generated examples are");
}

/** @param {Facts} facts @param {number} weight */
const farFromData = ({ far }, weight) => sign(weight, far, far === null ? "whether the generated examples are near the data" : `the generated examples are ${far ? "far from" : "near"} the data`);

/** @param {Facts} facts @param {number} weight @param {(accuracy: number) => boolean} test */
const pairs = ({ accuracy }, weight, test) => (accuracy === null ? sign(weight, null, "how many pairs the critic orders correctly")
  : sign(weight, test(accuracy), `the critic orders ${Math.round(100 * accuracy)} % of pairs correctly`));

/**
 * A sign of both losses at the end. @param {Facts} facts @param {number} weight @param {(generator: number, critic: number) => boolean} test
 * @param {string} words what the losses are like if it holds @param {string} otherwise if it does not
 */
function lossesAre({ generatorLoss, criticLoss }, weight, test, words, otherwise) {
  if (generatorLoss === null || criticLoss === null) return sign(weight, null, "losses of the lecture's objective");
  const holds = test(generatorLoss, criticLoss);
  return sign(weight, holds, `the losses at the end, generator / critic, are ${generatorLoss.toFixed(2)} / ${criticLoss.toFixed(2)}: ${holds ? words : otherwise}`);
}

/** @param {Facts} facts @param {number} weight @param {"batch" | "none"} norm */
function normalised({ images, generator, critic }, weight, norm) {
  const holds = images && generator.norm === norm && critic?.norm === norm;
  const described = [generator, critic].map((net) => (net ? `${net.kind}${net.norm && net.norm !== "none" ? ` with ${net.norm} norm` : ""}` : "none")).join(" / ");
  return sign(weight, holds, holds ? `both networks have ${norm === "none" ? "no BatchNorm" : "BatchNorm"}` : `the networks, generator / critic, are ${described}`);
}

/** @type {Record<string, (facts: Facts) => Sign[]>} */
const SIGNS = {
  mlp: (facts) => [
    sign(2, facts.images && facts.generator.kind === "mlp", facts.images ? `the generator is of kind ${facts.generator.kind}` : "the examples are no pictures"),
    sign(2, facts.images && facts.critic?.kind === "mlp", `the critic is of kind ${facts.critic?.kind ?? "none"}`),
    not(repeats(facts, 1)),
    lossesAre(facts, 1, (generator, critic) => generator > 1.2 * critic, "the generator's is above", "the generator's is not above"),
  ],
  converges_but_fails: (facts) => [
    reported(facts, ["converged_but_fails", "critic_too_weak"], "a critic that guesses"),
    pairs(facts, 2, (accuracy) => accuracy < CRITIC_SEES_LITTLE),
    farFromData(facts, 3),
    lossesAre(facts, 2, (generator, critic) => Math.abs(generator - Math.LN2) < NEAR && Math.abs(critic - Math.LN2) < NEAR, "both near ln 2 = 0.69", "not both near ln 2 = 0.69"),
  ],
  mode_collapse: (facts) => [
    reported(facts, ["collapse"], "collapse"),
    repeats(facts, 2),
    pairs(facts, 2, (accuracy) => accuracy > CRITIC_SEES_THROUGH),
    lossesAre(facts, 1, (generator, critic) => generator > 3 * critic, "the generator's is far above", "the generator's is not far above"),
  ],
  not_great: (facts) => [
    normalised(facts, 3, "none"),
    not(repeats(facts, 1)),
    lossesAre(facts, 1, (generator, critic) => generator > critic && critic > 0.4, "the critic is a little ahead", "the critic is not a little ahead"),
  ],
  good: (facts) => [
    untroubled(facts), not(farFromData(facts, 2)), not(repeats(facts, 1)), normalised(facts, 1, "batch"),
    lossesAre(facts, 1, (generator, critic) => generator < 1.2 && critic > 0.45, "around ln 2 = 0.69", "not around ln 2 = 0.69"),
  ],
  good_with_smoothing: (facts) => [
    sign(4, facts.smoothing > 0, facts.smoothing > 0 ? `the target of real examples is ${number(1 - facts.smoothing)}` : "the labels are not smoothed"),
    untroubled(facts), not(farFromData(facts, 2)), not(repeats(facts, 1)),
  ],
};

/** All six runs, the nearest first. @param {Facts} facts @returns {Match[]} */
export const ranked = (facts) => Object.entries(SIGNS).map(([name, signsOf]) => {
  const signs = signsOf(facts);
  return { name, signs, score: signs.reduce((sum, { counts }) => sum + counts, 0) };
}).sort((a, b) => b.score - a.score);

/** The run with the highest score; null if no score is positive. @param {Facts} facts */
export function nearest(facts) {
  const [first] = ranked(facts);
  return first.score > 0 ? first : null;
}

/** Why, in a sentence or three. @param {string} title @param {Match} match */
export function reason(title, { signs }) {
  const texts = (/** @type {boolean | null} */ holds) => signs.filter((one) => one.holds === holds).map(({ text }) => text).join("; ");
  const [held, against, unknown] = [texts(true), texts(false), texts(null)];
  return [`“${title}” is nearest: ${held}.`, against && `What does not fit: ${against}.`, unknown && `Not measured: ${unknown}.`].filter(Boolean).join(" ");
}
