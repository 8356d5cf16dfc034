// Many pictures at once: a job translates them, and its pictures come back in a ZIP.

import { address, get, post, Problem, upload } from "./api.js";
import { bar, fill, h, refill, setText, stateWord } from "./dom.js";
import { count, duration, size } from "./format.js";
import { ENDED } from "./job_states.js";
import { follow } from "./log.js";

const LOOK_MS = 1000;

/**
 * @param {{asked: () => {model: string, direction: string}, onJob: (id: string | null) => void, signal: AbortSignal}} options
 */
export function manyPictures({ asked, onJob, signal }) {
  /** @type {File[]} */
  let files = [];
  /** the job that is shown; another one ends its watch */
  let watched = "";
  const words = h("p", { role: "status" });
  const list = h("ul", { class: "small files" });
  const refusal = h("p", { class: "refusal", role: "alert" });
  const send = h("button", { type: "button", class: "main", onclick: () => void start().catch(report) });
  const forget = h("button", { type: "button", onclick: () => setFiles([]) }, "Remove all");
  const sent = h("div", { class: "sent", role: "status" });
  const result = h("div", { class: "stack", role: "status" });
  const source = h("div");
  const element = h("section", { class: "card", "aria-label": "Many pictures" }, h("h2", {}, "Many pictures"), source, words, list, h("div", { class: "row" }, send, forget), sent, refusal, result);

  /** @param {File[]} chosen */
  function setFiles(chosen) {
    files = chosen;
    setText(words, files.length ? `${count(files.length)} pictures, ${size(files.reduce((sum, file) => sum + file.size, 0))}` : "Choose or drop several pictures. A job translates them, so you may close this page.");
    fill(list, files.slice(0, 12).map((file) => h("li", {}, file.name)), files.length > 12 && h("li", {}, `and ${count(files.length - 12)} more`));
    setText(send, files.length === 1 ? "Translate 1 picture" : `Translate ${count(files.length)} pictures`);
    send.hidden = forget.hidden = files.length === 0;
    setText(refusal, "");
  }

  /** @param {unknown} error */
  function report(error) {
    if (signal.aborted) return;
    send.disabled = false;
    if (!(error instanceof Problem)) throw error;
    setText(refusal, error.message);
  }

  async function start() {
    const form = new FormData();
    form.set("job", JSON.stringify({ kind: "translate", ...asked() }));
    for (const [index, name] of namesOf(files).entries()) form.append("file", files[index], name);
    send.disabled = true;
    setText(refusal, "");
    try {
      const job = await upload("/jobs", form, (share) => fill(sent, bar(share), h("p", { class: "muted small" }, share < 1 ? `Sent ${Math.round(100 * share)} %` : "Sent. The service stores the pictures.")));
      onJob(job.id);
      setFiles([]);
      void watch(job.id).catch(report);
    } finally {
      send.disabled = false;
      fill(sent);
    }
  }

  let wake = () => {};
  follow(({ job }) => job === watched && wake(), signal);

  /** Watch a job until it ends; its events bring the state at once. @param {string} id */
  async function watch(id) {
    watched = id;
    while (!signal.aborted && watched === id) {
      const job = await get(`/jobs/${encodeURIComponent(id)}`, {}, signal);
      await show(job);
      if (ENDED.includes(job.state)) return;
      await new Promise((resolve) => {
        wake = () => resolve(undefined);
        setTimeout(wake, LOOK_MS);
      });
    }
  }

  const state = h("span", { class: "row" });
  const progress = h("div");
  const ending = h("div", { class: "stack" });

  /** @param {any} job */
  async function show(job) {
    const { step, total, eta_s: left } = job.progress;
    const ended = ENDED.includes(job.state);
    const shards = job.state === "succeeded" ? (await get(`/jobs/${job.id}/artifacts`, { kind: "shard" }, signal)).data : [];
    const all = total ?? job.spec.files;
    const waiting = job.state === "queued" && job.queue_position ? `, place ${job.queue_position} in the queue` : "";
    fill(state, stateWord(job.state), h("span", { class: "number" }, `${count(step)} of ${count(all)} pictures${waiting}${left && !ended ? `, ${duration(left)} left` : ""}`));
    fill(progress, bar(all ? step / all : 0));
    // Built once for each job and once at its end, so that a look at the job takes no focus.
    refill(result, [job.id], () => [state, progress, ending]);
    refill(ending, [job.id, ended], () => [
      job.status_reason && h("p", { class: "refusal" }, job.status_reason.message),
      h("div", { class: "row" }, shards.map((/** @type {any} */ shard) =>
        h("a", { class: "button", href: address(shard.href), download: shard.name }, `Download the ZIP${shards.length > 1 ? ` ${shard.name}` : ""} (${size(shard.size)})`))),
      job.state === "succeeded" && h("p", { class: "hint" }, "Each picture has its own name in the ZIP. If a picture could not be translated, left_out.csv in the ZIP says why."),
      h("div", { class: "row" }, h("a", { class: "button", href: `jobs/${job.id}` }, "Open the job"),
        !ended && h("button", { type: "button", onclick: () => void post(`/jobs/${job.id}/cancel`).catch(report) }, "Cancel")),
    ]);
  }

  setFiles([]);
  return {
    element,
    /** The place of what chooses pictures. */
    source,
    setFiles,
    /** Go on with a job of the address. @param {string} id */
    follow: (id) => void watch(id).catch((error) => {
      if (error instanceof Problem) onJob(null);
      report(error);
    }),
  };
}

/** The files' names, each once: a second `a.png` is `a-2.png`. @param {File[]} files */
function namesOf(files) {
  /** @type {Set<string>} */
  const taken = new Set();
  return files.map(({ name }) => {
    let [own, number] = [name, 1];
    while (taken.has(own)) own = name.replace(/(\.[^.]*)?$/, `-${(number += 1)}$1`);
    taken.add(own);
    return own;
  });
}
