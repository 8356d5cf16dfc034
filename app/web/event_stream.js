// Read the events of a reply that is a stream: EventSource sends no forms.

import { Problem, send } from "./api.js";

/**
 * Send a form to a search, and follow the search to its result. Throws Problem.
 * @param {string} path @param {FormData} form
 * @param {{onProgress: (news: {step: number, steps: number, psnr: number | null}) => void, signal: AbortSignal}} options `psnr` in dB
 * @returns {Promise<any>}
 */
export async function searchResult(path, form, { onProgress, signal }) {
  for await (const { event, data } of eventsOf(await send("POST", path, { body: form, headers: { Accept: "text/event-stream" }, signal }))) {
    if (event === "progress") onProgress(data);
    if (event === "error") throw new Problem(data, data.status);
    if (event === "result") return data;
  }
  throw new Problem({ detail: "The search was cut off. Start it again." }, 0);
}

/**
 * Yield the events of a reply of type text/event-stream; their data are JSON.
 * @param {Response} response @returns {AsyncGenerator<{event: string, data: any}>}
 */
async function* eventsOf(response) {
  const reader = /** @type {ReadableStream<any>} */ (response.body).pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split(/\r?\n/);
      const valuesOf = (/** @type {string} */ field) => lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).trimStart());
      const data = valuesOf("data");
      if (data.length) yield { event: valuesOf("event")[0] ?? "message", data: JSON.parse(data.join("\n")) };
    }
  }
}
