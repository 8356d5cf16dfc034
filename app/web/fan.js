// The fan of a curve over the seeds of a case: mean and sample standard deviation at the steps that its seeds share.

/** @typedef {Map<number, number | null>} Points values by step */
/** @typedef {{mean: Points, low: Points, high: Points, seeds: Map<number, {n: number, deviation: number | null}>}} Fan */

/**
 * Join the curves of seeds. A step counts only if every seed that has come so far was measured at it: nothing is
 * interpolated, and the mean does not jump where one seed is missing. Values that are not finite leave the step out.
 * @param {Points[]} curves one for each seed; those without points are left out @returns {Fan}
 */
export function fanOf(curves) {
  const started = curves.filter((curve) => curve.size).map((curve) => ({ curve, last: Math.max(...curve.keys()) }));
  const steps = [...new Set(started.flatMap(({ curve }) => [...curve.keys()]))].sort((a, b) => a - b);
  /** @type {Fan} */
  const fan = { mean: new Map(), low: new Map(), high: new Map(), seeds: new Map() };
  for (const step of steps) {
    const values = started.filter(({ last }) => last >= step).map(({ curve }) => curve.get(step));
    const finite = values.filter((value) => typeof value === "number");
    if (finite.length < values.length) continue;
    const { mean, deviation } = spread(/** @type {number[]} */ (finite));
    fan.mean.set(step, mean);
    fan.seeds.set(step, { n: finite.length, deviation });
    if (deviation === null) continue;
    fan.low.set(step, mean - deviation);
    fan.high.set(step, mean + deviation);
  }
  return fan;
}

/** The mean, and the sample standard deviation; null for one value. @param {number[]} values */
export function spread(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null };
}
