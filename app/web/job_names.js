// Short names for trainings that stand beside each other.

/** `model` may hold a version, and is null until it is published. @typedef {{id: string, family: string | null, dataset: string, seed: number, model: string | null, case: any}} Named */

const TAIL = 6;

/** Name each job by its case, the name that a person gave its model, or its family, and by its seed, with the end of the id where two are equal. @param {Named[]} jobs @returns {Map<string, string>} by id */
export function shortNames(jobs) {
  const plain = jobs.map((job) => `${variant(job)}, seed ${job.seed}`);
  return new Map(jobs.map(({ id }, index) => [id, plain.filter((name) => name === plain[index]).length > 1 ? `${plain[index]} (${id.slice(-TAIL)})` : plain[index]]));
}

/** What a job is besides its seed. @param {Named} job */
export function variant({ case: of, family, dataset, model }) {
  const [name] = (model ?? "").split("@");
  return of?.name ?? (name && name !== `${family ?? "custom"}-${dataset}` ? name : family ?? "own recipe");
}
