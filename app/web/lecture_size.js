// How long a lecture's run should train here: steps that fit into some minutes, by the service's own estimate.

/** What a training of so many steps takes here; null before the first training. @typedef {{steps: number, minutes: number | null}} Cost */

/** the least steps that a person may judge a run by */
export const LEAST = 100;

/**
 * The steps that fit into `minutes`: two digits, at least 100, never more than `all`. A training has a cost of its own
 * beside its steps, so two estimates are asked for: of `few` steps and of `all`. Without them, before the first training on a machine,
 * a tenth of all steps.
 * @param {Cost} few @param {Cost} all @param {number | null} minutes null: no limit
 */
export function fittingSteps(few, all, minutes) {
  if (minutes === null) return all.steps;
  const known = few.minutes !== null && all.minutes !== null && all.minutes > few.minutes;
  const fitting = known ? few.steps + ((minutes - Number(few.minutes)) * (all.steps - few.steps)) / (Number(all.minutes) - Number(few.minutes)) : all.steps / 10;
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, fitting))) - 1);
  return Math.min(all.steps, Math.max(LEAST, Math.floor(fitting / unit) * unit));
}

/** The request of a run on another dataset and for so many steps. @param {Record<string, any>} request @param {string} dataset @param {number} steps */
export const sized = (request, dataset, steps) => ({ ...request, dataset, budget: { steps } });
