// The curves of a job: points by name and step. A point that comes twice is kept once.

/** @typedef {{name: string, points: [number, number | null][], thinned: boolean}} Curve */

export class Curves {
  constructor() {
    /** @type {Map<string, Map<number, number | null>>} */
    this.byName = new Map();
    this.thinned = false;
  }

  /** Add curves that the service has read from its database. @param {Curve[]} curves */
  read(curves) {
    for (const { name, points, thinned } of curves) {
      const curve = this.#curve(name);
      for (const [step, value] of points) curve.set(step, value);
      this.thinned ||= thinned;
    }
  }

  /** Add a report. @param {number} step @param {Record<string, number | null>} values */
  report(step, values) {
    for (const [name, value] of Object.entries(values)) this.#curve(name).set(step, value);
  }

  /** Forget what lies after a step: training goes on from there. @param {number} step @param {string} [name] of one curve; else all */
  rewind(step, name) {
    for (const [known, curve] of this.byName) {
      if (name !== undefined && known !== name) continue;
      for (const later of [...curve.keys()]) if (later > step) curve.delete(later);
    }
  }

  /** The names, in order. */
  get names() {
    return [...this.byName.keys()].sort();
  }

  get points() {
    let sum = 0;
    for (const curve of this.byName.values()) sum += curve.size;
    return sum;
  }

  /** Columns on common steps, as uPlot reads them. @param {string[]} names @returns {(number | null | undefined)[][]} */
  aligned(names) {
    const steps = [...new Set(names.flatMap((name) => [...(this.byName.get(name)?.keys() ?? [])]))].sort((a, b) => a - b);
    return [steps, ...names.map((name) => {
      const curve = this.byName.get(name) ?? new Map();
      return steps.map((step) => curve.get(step)); // undefined: not measured at this step; null: not finite
    })];
  }

  /** The last step at or before a step at which a curve was measured; null if there is none. @param {string} name @param {number} step @returns {number | null} */
  stepBefore(name, step) {
    let best = -1;
    for (const known of this.byName.get(name)?.keys() ?? []) if (known <= step && known > best) best = known;
    return best < 0 ? null : best;
  }

  /** The value at a step, or at the last step before it. @param {string} name @param {number} step */
  at(name, step) {
    const known = this.stepBefore(name, step);
    return known === null ? undefined : this.byName.get(name)?.get(known);
  }

  /** The last step of all curves; 0 without points. */
  get last() {
    let last = 0;
    for (const curve of this.byName.values()) for (const step of curve.keys()) if (step > last) last = step;
    return last;
  }

  /** @param {string} name */
  #curve(name) {
    let curve = this.byName.get(name);
    if (!curve) this.byName.set(name, (curve = new Map()));
    return curve;
  }
}

/** Smooth by an exponential average over points, without the bias of its start. @param {(number | null | undefined)[]} values @param {number} weight from 0 to 1 */
export function smoothed(values, weight) {
  let sum = 0;
  let total = 0;
  return values.map((value) => {
    if (typeof value !== "number") return value;
    sum = weight * sum + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return sum / total;
  });
}
