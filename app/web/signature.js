// Which of the lecture's six runs a training is nearest to, by signs that the figures show or do not show.

import { number } from "./format.js";

/** @typedef {import("./run_facts.js").Facts} Facts */
/** One sign: what it says of this job, whether it holds (null: not measured), and how much it counts. @typedef {{text: string, holds: boolean | null, weight: number}} Sign */
/** @typedef {{name: string, signs: Sign[], score: number}} Match */

const LN2 = Math.log(2);
/** the watch's own limits (docs/health.md): variety below which pictures repeat themselves, and reverse KL above which half of the modes are missing */
const LOW_VARIETY = 0.6;
const HIGH_REVERSE_KL = 0.65;
const CRITIC_SEES_THROUGH = 0.95;
const CRITIC_SEES_LITTLE = 0.7;
/** how near to ln 2 a loss of the equilibrium lies */
const NEAR = 0.06;

/** @param {number} weight @param {boolean | null} holds @param {string} text @returns {Sign} */
const sign = (weight, holds, text) => ({ weight, holds, text });

/** @param {number | null} value */
const percent = (value) => (value === null ? "–" : `${Math.round(100 * value)} %`);

/** @param {Facts} facts */
const pair = ({ generatorLoss, criticLoss }) => `${number(generatorLoss && Number(generatorLoss.toFixed(2)))} / ${number(criticLoss && Number(criticLoss.toFixed(2)))}`;

/** Whether a test of both losses holds; null without them. @param {Facts} facts @param {(generator: number, critic: number) => boolean} test */
const ofLosses = ({ generatorLoss, criticLoss }, test) => (generatorLoss === null || criticLoss === null ? null : test(generatorLoss, criticLoss));

/** @param {Facts} facts @param {string[]} kinds @param {string} words */
const reported = ({ state, kind }, kinds, words) => sign(4, state === null || state === "unwatched" ? null : kinds.includes(kind ?? ""),
  state === null || state === "unwatched" ? `whether the watch reports ${words}` : kinds.includes(kind ?? "") ? `the watch reports ${String(kind).replaceAll("_", " ")}` : `the watch does not report ${words}`);

/** @param {Facts} facts @param {number} weight */
function repeats({ variety, reverseKl }, weight) {
  if (variety !== null) return sign(weight, variety < LOW_VARIETY, `generated pictures lie ${variety.toFixed(2)} times as far from each other as real ones`);
  return sign(weight, reverseKl === null ? null : reverseKl > HIGH_REVERSE_KL, reverseKl === null ? "how different the generated examples are" : `the reverse KL divergence of the modes is ${reverseKl.toFixed(2)}`);
}

/** @param {Sign} one */
const not = ({ weight, holds, text }) => sign(weight, holds === null ? null : !holds, text);

/** @param {Facts} facts @param {number} weight */
const farFromData = ({ far }, weight) => sign(weight, far, far === null ? "whether the generated examples are near the data" : `the generated examples are ${far ? "far from" : "near"} the data`);

/** @param {Facts} facts @param {number} weight @param {(accuracy: number) => boolean} test */
const accuracy = (facts, weight, test) => sign(weight, facts.accuracy === null ? null : test(facts.accuracy),
  facts.accuracy === null ? "how many pairs the critic orders correctly" : `the critic orders ${percent(facts.accuracy)} of pairs correctly`);

/** @param {Facts} facts */
const untroubled = ({ state, kind }) => sign(2, state === null || state === "unwatched" ? null : state === "healthy",
  state === null || state === "unwatched" ? "whether the watch sees trouble" : state === "healthy" ? "the watch sees no trouble" : `the watch reports ${String(kind).replaceAll("_", " ")}`);

/** @param {Facts} facts @param {number} weight @param {string} place @param {(generator: number, critic: number) => boolean} test */
const lossSign = (facts, weight, place, test) => sign(weight, ofLosses(facts, test), `the losses at the end, generator / critic, are ${pair(facts)}${place}`);

/** @param {Facts} facts @param {"batch" | "none"} norm */
const normalised = ({ images, generator, critic }, norm) => {
  const holds = images && critic !== null && generator.norm === norm && critic.norm === norm;
  return sign(norm === "none" ? 3 : 1, holds, holds ? `both networks have ${norm === "none" ? "no BatchNorm" : "BatchNorm"}` : `the networks are others (${generator.kind} with norm ${generator.norm ?? "none"}, ${critic?.kind ?? "no critic"} with norm ${critic?.norm ?? "none"})`);
};

/** @type {Record<string, (facts: Facts) => Sign[]>} */
const SIGNS = {
  mlp: (facts) => [
    sign(2, facts.images && facts.generator.kind === "mlp", facts.images ? `the generator is of kind ${facts.generator.kind}` : "the examples are no pictures"),
    sign(2, facts.images && facts.critic?.kind === "mlp", `the critic is of kind ${facts.critic?.kind ?? "none"}`),
    not(repeats(facts, 1)),
    lossSign(facts, 1, ", the generator's above", (generator, critic) => generator > 1.2 * critic),
  ],
  converges_but_fails: (facts) => [
    reported(facts, ["converged_but_fails", "critic_too_weak"], "a critic that guesses"),
    accuracy(facts, 2, (value) => value < CRITIC_SEES_LITTLE),
    farFromData(facts, 3),
    lossSign(facts, 2, "; ln 2 is 0.69", (generator, critic) => Math.abs(generator - LN2) < NEAR && Math.abs(critic - LN2) < NEAR),
  ],
  mode_collapse: (facts) => [
    reported(facts, ["collapse"], "collapse"),
    repeats(facts, 2),
    accuracy(facts, 2, (value) => value > CRITIC_SEES_THROUGH),
    lossSign(facts, 1, ", the generator's far above", (generator, critic) => generator > 3 * critic),
  ],
  not_great: (facts) => [
    normalised(facts, "none"),
    not(repeats(facts, 1)),
    lossSign(facts, 1, ", the critic a little ahead", (generator, critic) => generator > critic && critic > 0.4),
  ],
  good: (facts) => [
    untroubled(facts), not(farFromData(facts, 2)), not(repeats(facts, 1)), normalised(facts, "batch"),
    lossSign(facts, 1, ", around ln 2 = 0.69", (generator, critic) => generator < 1.2 && critic > 0.45),
  ],
  good_with_smoothing: (facts) => [
    sign(3, facts.smoothing > 0, facts.smoothing > 0 ? `the target of real examples is ${number(1 - facts.smoothing)}` : "the labels are not smoothed"),
    untroubled(facts), not(farFromData(facts, 2)), not(repeats(facts, 1)),
  ],
};

/** All six runs, the nearest first: signs that hold count for a run, signs that do not hold against it. @param {Facts} facts @returns {Match[]} */
export function ranked(facts) {
  const found = Object.entries(SIGNS).map(([name, signsOf]) => {
    const signs = signsOf(facts);
    return { name, signs, score: signs.reduce((sum, { holds, weight }) => sum + (holds === null ? 0 : holds ? weight : -weight), 0) };
  });
  return found.sort((a, b) => b.score - a.score);
}

/** The nearest run; null if more of every run's signs are missing than there are. @param {Facts} facts */
export function nearest(facts) {
  const [first] = ranked(facts);
  return first.score > 0 ? first : null;
}

/** Why, in a sentence. @param {string} title @param {Match} match */
export function reason(title, { signs }) {
  const held = signs.filter(({ holds }) => holds).map(({ text }) => text);
  const against = signs.filter(({ holds }) => holds === false).map(({ text }) => text);
  const unknown = signs.filter(({ holds }) => holds === null).map(({ text }) => text);
  return [`“${title}” is nearest: ${held.join("; ")}.`,
    against.length ? `What does not fit: ${against.join("; ")}.` : "",
    unknown.length ? `Not measured: ${unknown.join("; ")}.` : ""].filter(Boolean).join(" ");
}
