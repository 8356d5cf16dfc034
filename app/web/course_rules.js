// How the course's answers are checked: pure functions of an answer and of the student's own trainings.

import { number } from "./format.js";
import { endLoss, HIGH_REVERSE_KL, isNonSaturating, last, losses, LOW_COVERAGE, LOW_VARIETY, points } from "./run_facts.js";

/** @typedef {import("./run_facts.js").Run} Run */
/** @typedef {{right: boolean, text: string}} Verdict */

/** how far a number that is read off a chart may lie from the stored one, as a share of it */
const READING = 0.03;
/** of the ring */
const MODES = 8;

/** @param {string} text @returns {Verdict} */
const right = (text) => ({ right: true, text });
/** @param {string} text @returns {Verdict} */
const wrong = (text) => ({ right: false, text });
/** @param {number | null} value */
const short = (value) => (value === null ? "not measured" : number(Number(value.toPrecision(3))));
/** @param {number | null} share */
const percent = (share) => (share === null ? "–" : `${short(100 * share)} %`);
/** @param {number} answer @param {number} value */
const reads = (answer, value, least = 0.005) => Math.abs(answer - value) <= Math.max(least, READING * Math.abs(value));

/** What an optimal critic that is fooled loses: ln 2 for real examples, and ln 2 for generated ones. @param {number} answer @param {Run[]} runs @returns {Verdict} */
export function fooledCritic(answer, [run]) {
  const own = endLoss(run, "critic");
  const yours = `Over the last fifth of your run the critic's loss is ${short(own)}`;
  if (Math.abs(answer - 2 * Math.LN2) <= 0.01) {
    return right(`2 ln 2 = 1.386: ln 2 for the real examples and ln 2 for the generated ones. ${yours}${own === null ? "" : own < 2 * Math.LN2 ? ": below it, so the critic still sees a difference" : ": not below it, so on average the critic does no better than a coin"}.`);
  }
  if (Math.abs(answer - Math.LN2) <= 0.01) return wrong("ln 2 is the loss on one kind of examples. The curve adds the losses on real and on generated ones.");
  if (own !== null && reads(answer, own, 0.02)) return wrong(`${yours}, but the question is about an ideal critic. Put D = 1/2 into −ln D(real) − ln(1 − D(generated)).`);
  return wrong("Put D = 1/2 for every example into the critic's loss, −ln D(real) − ln(1 − D(generated)).");
}

/** The first evaluation that draws all modes and puts half of the points near them. @param {Run} run @param {number} modes @returns {{covered: number | null, good: number | null}} */
function firstSteps(run, modes = MODES) {
  const quality = new Map(points(run, "figure/high_quality"));
  const covered = points(run, "figure/modes").filter(([, value]) => value >= modes).map(([step]) => step);
  return { covered: covered[0] ?? null, good: covered.find((step) => (quality.get(step) ?? 0) >= 0.5) ?? null };
}

/** @param {number} answer @param {Run[]} runs @returns {Verdict} */
export function coveredWell(answer, [run]) {
  const { covered, good } = firstSteps(run);
  const quality = new Map(points(run, "figure/high_quality"));
  if (good === null) return wrong(covered === null ? "No evaluation of this run draws all 8 modes. Train longer, or choose another run." : `All 8 modes are drawn from step ${covered} on, but half of the points are never near a mode. Train longer, or choose another run.`);
  if (answer === good) {
    return right(`At step ${good} all 8 modes are drawn, and ${percent(quality.get(good) ?? null)} of the points lie near one.${covered !== null && covered < good ? ` At step ${covered} all 8 were drawn too, but only ${percent(quality.get(covered) ?? null)} of the points lay near one: a cloud touches every mode.` : ""}`);
  }
  if (answer === covered) return wrong(`At step ${covered} all 8 modes are drawn, but only ${percent(quality.get(covered) ?? null)} of the points lie near one. Look at the share of high quality too.`);
  if (!quality.has(answer)) return wrong(`Nothing was measured at step ${answer}. The run was evaluated at ${[...quality.keys()].join(", ")}.`);
  return wrong(answer < good ? `At step ${answer} only ${percent(quality.get(answer) ?? null)} of the points lie near a mode.` : `Step ${answer} is not the first one.`);
}

/** How much two equal recipes differ by their seed. @param {number} answer @param {Run[]} runs @returns {Verdict} */
export function seedDifference(answer, runs) {
  const [first, second] = runs.map((run) => last(run, "figure/divergence"));
  if (first === null || second === null) return wrong("One of the runs has no divergence. Train both for their whole budget.");
  const [one, other] = runs.map((run) => run.job.recipe.seed);
  if (one === other) return wrong(`Both runs have the seed ${one}. Choose two with different seeds.`);
  const difference = Math.abs(first - second);
  const observed = `${short(first)} with seed ${one} and ${short(second)} with seed ${other}`;
  if (reads(answer, difference)) return right(`${observed}: ${short(difference)} apart, and nothing but the seed differs. A change of the recipe that gains less than this has shown nothing with one seed.`);
  if (answer < 0 && reads(-answer, difference)) return wrong("Give the distance, without a sign.");
  return wrong(`Subtract the last value of one run's divergence from that of the other. The first run ends at ${short(first)}.`);
}

/**
 * Which of two objectives ends with the lower divergence, by more than the seed moves it.
 * @param {string} answer first, second or neither @param {Run[]} runs the first objective with two seeds, and the second one @returns {Verdict}
 */
export function lowerDivergence(answer, runs) {
  const [first, again, second] = runs.map((run) => last(run, "figure/divergence"));
  if (first === null || again === null || second === null) return wrong("One of the runs has no divergence. Train all three for their whole budget.");
  const [one, repeated, other] = runs.map((run) => run.job.recipe.objective?.kind.replaceAll("_", " "));
  if (one === other || one !== repeated) return wrong(`The objectives are ${one}, ${repeated} and ${other}. Choose two runs of one objective that differ in their seed, and one of another.`);
  const luck = Math.abs(first - again);
  const gain = Math.abs(first - second);
  const truth = gain <= luck ? "neither" : first < second ? "first" : "second";
  const observed = `The divergence ends at ${short(first)} (${one}) and ${short(second)} (${other}): ${short(gain)} apart. The seed alone moves it by ${short(luck)}`;
  if (answer !== truth) return wrong(`${observed}. ${truth === "neither" ? "That is as much or more." : "Lower is better, and the gap is wider than that."}`);
  return right(`${observed}. ${truth === "neither" ? "So these runs say nothing about the objectives." : "That speaks for one of them, but two seeds are few: train an experiment over more seeds before you believe it."}`);
}

/** What equal losses prove. @param {string} answer good, fooled or collapsed @param {Run[]} runs @returns {Verdict} */
export function equalLosses(answer, [run]) {
  const coverage = last(run, "figure/coverage");
  const seen = `In your run the losses end at ${short(endLoss(run, "generator"))} and ${short((endLoss(run, "critic") ?? 0) / 2)} (the critic's halved), the critic orders ${percent(last(run, "gauge/critic_accuracy"))} of pairs correctly, and coverage is ${short(coverage)}`;
  if (answer === "fooled") return right(`${seen}. Equal losses say that this critic hardly sees a difference. Whether there is one, the pictures and the figures say: here ${coverage !== null && coverage < LOW_COVERAGE ? "they are far from the data" : "look at them"}.`);
  if (answer === "good") return wrong(`${seen}. ${coverage !== null && coverage < LOW_COVERAGE ? "A coverage below 0.2 is far from the data." : "Look at the pictures."} The losses know only what this critic can see, and it has four hidden units.`);
  return wrong(`${seen}. In a collapse the critic wins nearly always, and the losses are far apart.`);
}

/** How varied the pictures of a collapsed run are. @param {number} answer @param {Run[]} runs @returns {Verdict} */
export function varietyOf(answer, [run]) {
  const variety = last(run, "figure/pixel_variety");
  if (variety === null) return wrong("This run has no pixel variety. Choose a run on pictures that has ended.");
  const accuracy = last(run, "gauge/critic_accuracy");
  const observed = `the pictures lie ${short(variety)} times as far from their nearest neighbour as real ones, while the critic orders ${percent(accuracy)} of pairs correctly`;
  if (reads(answer, variety, 0.015)) return right(variety < LOW_VARIETY ? `Yes: ${observed}. Below 0.6 while the critic sees through them is what the watch calls a collapse.` : `Yes: ${observed}. That is above 0.6: this run has not collapsed. Compare it with the lecture's.`);
  if (accuracy !== null && reads(answer, accuracy)) return wrong("That is the critic's share of correct pairs. The question is about the pictures: read pixel variety.");
  return wrong("Read the last value of pixel variety. Real pictures have 1.");
}

/** What the watch calls a collapse of points (docs/health.md): about half of the modes get none. @param {Run} run */
const losesModes = (run) => run.job.health?.kind === "collapse" || (last(run, "figure/reverse_kl") ?? 0) > HIGH_REVERSE_KL;

/** Whether a run draws all modes at its end, and the watch reports no collapse. @param {Run} run */
const keepsModes = (run) => !losesModes(run) && (last(run, "figure/modes") ?? 0) >= MODES;

/** Which change mended the collapse of the first run. @param {string} answer the place of a run from 1 on, or none @param {Run[]} runs @param {string[]} changes in the order of the other runs @returns {Verdict} */
export function mended(answer, [before, ...tries], changes) {
  if (!losesModes(before)) return wrong("The first run has not collapsed at its end, so nothing can be mended. Train it as it stands, or choose another.");
  const modes = (/** @type {Run} */ run) => short(last(run, "figure/modes"));
  const seen = `Modes at the end: ${modes(before)} before; ${tries.map((run, index) => `${modes(run)} with ${changes[index]}`).join("; ")}`;
  const good = tries.flatMap((run, index) => (keepsModes(run) ? [String(index + 1)] : []));
  if (answer === "none") return good.length ? wrong(`${seen}. At least one run draws all ${MODES} without a report of collapse.`) : right(`${seen}. None draws all ${MODES} without a report of collapse.`);
  if (!good.includes(answer)) return wrong(`${seen}. That run does not draw all ${MODES}, or the watch still reports collapse.`);
  return right(`${seen}. ${good.length > 1 ? "More than one change did it here" : "Only this change did it here"}, with one seed each: train more seeds before you trust it.`);
}

/** The least loss of a critic whose target for real examples is below 1: the entropy of the target. @param {number} target */
const smoothedFloor = (target) => -target * Math.log(target) - (1 - target) * Math.log(1 - target);

/** @param {number} answer @param {Run[]} runs @returns {Verdict} */
export function floorOfSmoothing(answer, [run]) {
  const smoothing = run.job.recipe.objective?.smoothing ?? 0;
  if (!smoothing || !isNonSaturating(run)) return wrong("The labels of this run are not smoothed. Choose a run with objective.smoothing 0.1.");
  const floor = smoothedFloor(1 - smoothing);
  const least = Math.min(...losses(run, "critic").map(([, value]) => value));
  const target = number(1 - smoothing);
  if (Math.abs(answer - floor) <= 0.01) return right(`−${target} ln ${target} − ${number(smoothing)} ln ${number(smoothing)} = ${short(floor)} for the real examples; generated ones may cost nothing. The least loss of your critic is ${short(least)}.`);
  if (Math.abs(answer - floor / 2) <= 0.006) return wrong("That is half of it, as the course writes it. The curve adds the losses on real and generated examples.");
  if (reads(answer, least, 0.01)) return wrong(`${short(least)} is the least loss of your critic. The question is how low it could get: the best answer to a target of ${target} is ${target} itself.`);
  if (Math.abs(answer) < 0.005) return wrong("Only without smoothing. A critic that answers 1 to real examples is punished for the tenth that says generated.");
  return wrong(`For real examples the loss is −t ln D − (1 − t) ln(1 − D) with t = ${target}. It is least where D = t; generated examples can cost 0.`);
}
