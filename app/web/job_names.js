// Short names for trainings that stand beside each other.

/** @typedef {{id: string, family: string | null, seed: number, model: string, case: any}} Named */

const TAIL = 6;

/** Name each job by its case or family and its seed, with the end of the id where two are equal. @param {Named[]} jobs @returns {Map<string, string>} by id */
export function shortNames(jobs) {
  const plain = jobs.map((job) => `${variant(job)}, seed ${job.seed}`);
  return new Map(jobs.map(({ id }, index) => [id, plain.filter((name) => name === plain[index]).length > 1 ? `${plain[index]} (${id.slice(-TAIL)})` : plain[index]]));
}

/** What a job is besides its seed. @param {Named} job */
export const variant = (job) => job.case?.name ?? job.family ?? "own recipe";
