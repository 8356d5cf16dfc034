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

  /** Forget what lies after a step: training goes on from there. @param {number} step */
  rewind(step) {
    for (const curve of this.byName.values()) {
      for (const known of [...curve.keys()]) if (known > step) curve.delete(known);
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

  /** The value at a step, or at the last step before it. @param {string} name @param {number} step */
  at(name, step) {
    let best = -1;
    /** @type {number | null | undefined} */
    let found;
    for (const [known, value] of this.byName.get(name) ?? []) {
      if (known <= step && known > best) {
        best = known;
        found = value;
      }
    }
    return found;
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
