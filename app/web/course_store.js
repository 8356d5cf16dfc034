// What a student has trained and answered, kept in this browser and never sent.

/** @typedef {{right: boolean, answer: string}} Answered */
/** @typedef {{runs: Record<string, string>, answers: Record<string, Answered>}} Progress */

const KEY = "forger-course";

/** @returns {Progress} */
export function read() {
  try {
    const { runs = {}, answers = {} } = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return { runs, answers };
  } catch {
    return { runs: {}, answers: {} };
  }
}

/** @param {(progress: Progress) => void} change */
export function write(change) {
  const progress = read();
  change(progress);
  localStorage.setItem(KEY, JSON.stringify(progress));
}
