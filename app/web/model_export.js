// Take a version away as a ZIP that other programs read, with the difference between its files and what the service draws.

import { address, Problem, send } from "./api.js";
import { fill, h, setText } from "./dom.js";
import { number } from "./format.js";

const FORMATS = [["onnx", "ONNX", "for onnxruntime and others"], ["torch_export", "torch.export", "for PyTorch"], ["safetensors", "safetensors", "weights and recipe, as the service keeps them"]];

/** @param {string} model name@version @param {AbortSignal} signal */
export function exportForm(model, signal) {
  const format = h("select", { "aria-label": `Format of ${model}` }, FORMATS.map(([value, title, meaning]) => h("option", { value }, `${title} (${meaning})`)));
  const button = h("button", {}, "Export");
  const words = h("p", { class: "muted", role: "status" });
  const refusal = h("p", { class: "refusal", role: "alert" });

  /** Have the files written, then leave the download to the browser, which saves them piece by piece. @param {Event} event */
  async function write(event) {
    event.preventDefault();
    const path = `/models/${model}/export`;
    const query = { format: format.value };
    button.disabled = true;
    setText(refusal, "");
    setText(words, "The service writes the files. The first time this takes seconds, for large models minutes.");
    try {
      const response = await send("GET", path, { query, signal });
      await response.body?.cancel();
      fill(words, parityInWords(response.headers.get("Forger-Parity")));
      h("a", { href: address(path, query), download: `${model}-${format.value}.zip` }).click();
    } catch (error) {
      setText(words, "");
      if (!(error instanceof Problem)) throw error;
      setText(refusal, error.message);
    } finally {
      button.disabled = false;
    }
  }

  return h("form", { class: "stack", "aria-label": `Export ${model}`, onsubmit: (/** @type {Event} */ event) => void write(event).catch((error) => signal.aborted || console.error(error)) },
    h("div", { class: "row" }, format, button), words, refusal);
}

/** @param {string | null} header such as `max_abs=1.9e-07; mean_abs=2.1e-08; inputs=64` */
function parityInWords(header) {
  const found = Object.fromEntries((header ?? "").split(";").map((part) => part.trim().split("=")));
  if (!found.max_abs) return "The ZIP holds the files and the model card.";
  const [largest, mean] = [found.max_abs, found.mean_abs].map((text) => (Number.isFinite(Number(text)) ? number(Number(text)) : text));
  return Number(found.max_abs) === 0
    ? `Parity: no difference between these files and what the service draws, over ${found.inputs} inputs.`
    : `Parity: the outputs of these files differ from those of the service by at most ${largest}, on average ${mean}, over ${found.inputs} inputs.`;
}
