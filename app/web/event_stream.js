// Read the events of a reply that is a stream: EventSource sends no forms.

/**
 * Yield the events of a reply of type text/event-stream; their data are JSON.
 * @param {Response} response @returns {AsyncGenerator<{event: string, data: any}>}
 */
export async function* eventsOf(response) {
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
