// The course's eight exercises: what to train, what to watch, and a question that one's own runs answer (docs/course.md).

import { coveredWell, equalLosses, floorOfSmoothing, fooledCritic, lowerDivergence, mended, seedDifference, varietyOf } from "./course_rules.js";

/** @typedef {import("./run_facts.js").Run} Run */
/** @typedef {{title: string, request: Record<string, any>}} Training the name of the model tells whose place it takes */
/** @typedef {{title: string, curves: string[], guides?: {value: number, text: string}[]}} Shown */
/**
 * `choices`: value and text of each; without them the answer is a number.
 * @typedef {{name: string, title: string, aim: string, trainings: Training[], watch: string, shown: Shown[], question: string, choices?: [string, string][], check: (answer: any, runs: Run[]) => import("./course_rules.js").Verdict}} Exercise
 */

const CRITIC = "critic/non_saturating";
const DIVERGENCE = "figure/divergence";
const ADAM = { kind: "adam", rate: 0.001, beta1: 0.5, beta2: 0.999 };

/** A plain GAN on eight points in a ring, evaluated every hundred steps. @param {string} model @param {Record<string, any>} [changes] @param {number} [seed] */
const ring = (model, changes = {}, seed = 1) => ({
  recipe: "gan", dataset: "ring8", seed, budget: { steps: 800 }, model,
  overrides: { checkpoint_every: 100, watch: { every: 100, samples: 1000 }, ...changes },
});
const RING = { title: "The ring", request: ring("course-ring") };

const RING_2 = { title: "The ring, seed 2", request: ring("course-ring-2", {}, 2) };

/** The ring with latents of a smaller spread and a faster pair of players: it loses modes. @param {string} model @param {Record<string, any>} [changes] */
const lost = (model, changes = {}) => ({
  ...ring(model, {
    critic: { input_scale: 1 }, latent: { kind: "normal", size: 2, scale: 1 }, generator_optimizer: ADAM, critic_optimizer: ADAM, ema: { decay: 0 }, ...changes,
  }), budget: { steps: 600 },
});
const CHANGES = ["smoothed labels", "an R1 penalty"];

/** The lecture's runs on small digits, at their own settings. */
const COLLAPSE = {
  recipe: "gan", dataset: "digits", seed: 1, budget: { steps: 300 }, model: "course-collapse",
  overrides: { critic: { kind: "dcgan", width: 8, norm: "batch" }, generator_optimizer: ADAM, critic_optimizer: ADAM, ema: { decay: 0 } },
};
const FAILS = {
  recipe: "dcgan", dataset: "digits", seed: 1, budget: { steps: 300 }, model: "course-fails",
  overrides: {
    latent: { kind: "uniform", size: 100 }, generator: { kind: "dcgan", width: 32, norm: "batch" }, critic: { kind: "mlp", hidden: [4] },
    generator_optimizer: ADAM, critic_optimizer: ADAM, batch_size: 128, checkpoint_every: 60, watch: { every: 60 }, ema: { decay: 0 },
  },
};

/** @type {Exercise[]} */
export const EXERCISES = [
  {
    name: "balance", title: "A game in balance", aim: "Know the number at which a fooled critic rests.",
    trainings: [RING],
    watch: "The critic's loss. It starts near a number, leaves it while the critic learns faster, and comes back as the generator catches up.",
    shown: [{ title: "Loss of the critic", curves: [CRITIC] }],
    question: "A critic that is fooled and makes the best of it says 1/2 to every example. What is its loss then, as this curve counts it: real and generated examples together?",
    check: (answer, runs) => fooledCritic(answer, runs),
  },
  {
    name: "modes", title: "All modes, and well", aim: "Tell a cloud that touches every mode from points that lie at every mode.",
    trainings: [RING],
    watch: "The number of modes, and the share of high quality: the points within three deviations of a mode.",
    shown: [{ title: "Modes with points", curves: ["figure/modes"] }, { title: "Share of high quality", curves: ["figure/high_quality"] }],
    question: "At which step does an evaluation for the first time find points at all 8 modes and at least half of all points near a mode?",
    check: (answer, runs) => coveredWell(answer, runs),
  },
  {
    name: "seeds", title: "Only the seed", aim: "See how much luck is in one run.",
    trainings: [RING, RING_2],
    watch: "The divergence of both runs at their end. Nothing differs but the seed.",
    shown: [{ title: "Divergence", curves: [DIVERGENCE] }],
    question: "How far apart are the two divergences at the end?",
    check: (answer, runs) => seedDifference(answer, runs),
  },
  {
    name: "objectives", title: "Two objectives", aim: "Compare two runs without claiming more than they show.",
    trainings: [RING, RING_2, { title: "The ring, minimax", request: ring("course-minimax", { objective: { kind: "minimax" } }) }],
    watch: "The divergence of the three runs at their end: two of one objective, which differ in their seed, and one of the other.",
    shown: [{ title: "Divergence", curves: [DIVERGENCE] }],
    question: "With seed 1, which objective ends with the lower divergence, by more than the seed alone moves it?",
    choices: [["first", "Non-saturating"], ["second", "Minimax"], ["neither", "These runs cannot say"]],
    check: (answer, runs) => lowerDivergence(answer, runs),
  },
  {
    name: "equal-losses", title: "It converges, and it fails", aim: "Learn what losses cannot say.",
    trainings: [{ title: "A tiny critic", request: FAILS }],
    watch: "Both losses, which come near ln 2 and 2 ln 2. Then the picture, and coverage: the share of real pictures that a generated one is near to.",
    shown: [
      { title: "Loss of the critic", curves: [CRITIC], guides: [{ value: 2 * Math.LN2, text: "2 ln 2" }] },
      { title: "Loss of the generator", curves: ["generator/non_saturating"], guides: [{ value: Math.LN2, text: "ln 2" }] },
      { title: "Coverage", curves: ["figure/coverage"] },
    ],
    question: "The losses are nearly those of the equilibrium. What do they prove?",
    choices: [["good", "The generated pictures are as good as real ones"], ["fooled", "This critic hardly sees a difference, and no more"], ["collapsed", "The generator has collapsed"]],
    check: (answer, runs) => equalLosses(answer, runs),
  },
  {
    name: "collapse", title: "Mode collapse", aim: "Recognise a collapse by a figure, not by a feeling.",
    trainings: [{ title: "The lecture's collapse", request: COLLAPSE }],
    watch: "Pixel variety: how far each picture lies from its nearest generated neighbour, divided by the same of real pictures. And the critic's share of pairs in the right order.",
    shown: [{ title: "Pixel variety", curves: ["figure/pixel_variety"] }, { title: "Share of pairs that the critic orders correctly", curves: ["gauge/critic_accuracy"] }],
    question: "How many times as far apart as real pictures do the generated ones lie at the end?",
    check: (answer, runs) => varietyOf(answer, runs),
  },
  {
    name: "mend", title: "Mend it", aim: "Change one thing at a time, and judge by a figure.",
    trainings: [
      { title: "The lost ring", request: lost("course-lost") },
      { title: "With smoothed labels", request: lost("course-lost-smoothed", { objective: { kind: "non_saturating", smoothing: 0.1 } }) },
      { title: "With an R1 penalty", request: lost("course-lost-r1", { penalties: [{ kind: "r1", weight: 0.1 }] }) },
    ],
    watch: "The number of modes, and the reverse KL divergence: 0 if every mode gets its share, 2.08 = ln 8 if one gets all. The watch reports a collapse above 0.65.",
    shown: [{ title: "Modes with points", curves: ["figure/modes"] }, { title: "Reverse KL divergence", curves: ["figure/reverse_kl"] }],
    question: "Which change mended the collapse: all 8 modes at the end, and no collapse reported?",
    choices: [["1", "Smoothed labels"], ["2", "The R1 penalty"], ["none", "Neither"]],
    check: (answer, runs) => mended(answer, runs, CHANGES),
  },
  {
    name: "smoothing", title: "The floor of a smoothed critic", aim: "Know what a changed target does to the numbers.",
    trainings: [{ title: "The ring, smoothed", request: ring("course-smoothed", { objective: { kind: "non_saturating", smoothing: 0.1 } }) }],
    watch: "The critic's loss. Compare it with that of exercise 1: the game is another, so equal losses no longer mean the same.",
    shown: [{ title: "Loss of the critic", curves: [CRITIC], guides: [{ value: 2 * Math.LN2, text: "2 ln 2" }] }],
    question: "The target of real examples is 0.9 in place of 1. How low can the critic's loss get, as this curve counts it, if it tells every example apart?",
    check: (answer, runs) => floorOfSmoothing(answer, runs),
  },
];
