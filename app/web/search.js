// Follow a search of the service: a form that is sent, its progress, and what was found. EventSource sends no forms.

import { Problem, send } from "./api.js";

/**
 * Send a form and return the result of the search. Throws Problem, also where the search fails after its start.
 * @param {string} path @param {FormData} form @param {(progress: {step: number, steps: number, psnr: number | null}) => void} onProgress
 * @param {AbortSignal} signal ends the search @returns {Promise<any>}
 */
export async function search(path, form, onProgress, signal) {
  const response = await send("POST", path, { body: form, headers: { Accept: "text/event-stream" }, signal });
  const reader = /** @type {ReadableStream<any>} */ (response.body).pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      if (signal.aborted) throw error;
      return { done: true, value: "" };
    });
    if (done) throw new Problem({ detail: "The search was cut off. Start it again." }, 0);
    const blocks = (unread + value).split("\n\n");
    unread = /** @type {string} */ (blocks.pop());
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2)));
      if (!fields.data) continue;
      const data = JSON.parse(fields.data);
      if (fields.event === "result") return data;
      if (fields.event === "error") throw new Problem(data, data.status);
      if (fields.event === "progress") onProgress(data);
    }
  }
}
