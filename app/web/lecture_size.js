// How long a lecture's run should train here: steps that fit into some minutes, by the service's own estimate.

/** the least steps that a person may judge a run by */
const LEAST = 100;

/**
 * The steps that fit into `minutes` if `all` steps are estimated to take `estimated` minutes: two digits, never more than `all`.
 * Without an estimate, before the first training on a machine, a tenth of them.
 * @param {number} all @param {number | null} estimated @param {number | null} minutes null: no limit
 */
export function fittingSteps(all, estimated, minutes) {
  if (minutes === null) return all;
  const fitting = estimated ? (all * minutes) / estimated : all / 10;
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, fitting))) - 1);
  return Math.min(all, Math.max(LEAST, Math.floor(fitting / unit) * unit));
}

/** The request of a run on another dataset and for so many steps. @param {Record<string, any>} request @param {string} dataset @param {number} steps */
export const sized = (request, dataset, steps) => ({ ...request, dataset, budget: { steps } });
