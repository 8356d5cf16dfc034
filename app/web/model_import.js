// Bring a model in: a file of weights, its name, and where it comes from.

import { Problem, upload } from "./api.js";
import { bar, fill, h, setText } from "./dom.js";
import { count, number, size } from "./format.js";

const LINE = { required: true, maxLength: 500 };

/** @param {{done: (name: string) => void}} options `done` is called with the name of the new version */
export function importForm({ done }) {
  const inputs = /** @type {Record<string, any>} */ ({
    file: h("input", { type: "file", id: "import-file", accept: ".safetensors,.zip,.pth,.pt", required: true, onchange: chosen }),
    name: h("input", { id: "import-name", required: true, pattern: "[a-z0-9][a-z0-9._\\-]*", placeholder: "horse2zebra", title: "Small letters, digits, dots, dashes and underscores; a letter or digit first" }),
    licence: h("input", { id: "import-licence", placeholder: "BSD-2-Clause", ...LINE }),
    source: h("input", { id: "import-source", placeholder: "https://…", ...LINE }),
    b2a: h("input", { type: "file", id: "import-b2a", accept: ".safetensors,.pth,.pt" }),
  });
  const refusals = Object.fromEntries(Object.keys(inputs).map((name) => [name, h("p", { class: "refusal", id: `import-${name}-refusal`, role: "alert" })]));
  const refusal = h("p", { class: "refusal", role: "alert" });
  const progress = h("div");
  const button = h("button", { class: "main" }, "Import");

  function chosen() {
    const [file] = inputs.file.files;
    if (file && !inputs.name.value) inputs.name.value = file.name.replace(/\.[^.]*$/, "").toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+/, "");
  }

  /** Show the refusals beside the fields that they name. @param {Problem} problem */
  function refuse(problem) {
    const placed = problem.errors.filter(({ pointer }) => pointer.slice(1) in inputs);
    for (const { pointer, message } of placed) {
      const name = pointer.slice(1);
      setText(refusals[name], message);
      inputs[name].setAttribute("aria-invalid", "true");
    }
    inputs[placed[0]?.pointer.slice(1)]?.focus();
    if (!placed.length) setText(refusal, problem.message);
  }

  /** @param {Event} event */
  async function send(event) {
    event.preventDefault();
    const form = new FormData();
    for (const name of ["name", "licence", "source"]) form.set(name, inputs[name].value.trim());
    form.set("file", inputs.file.files[0]);
    if (inputs.b2a.files[0]) form.set("b2a", inputs.b2a.files[0]);
    setText(refusal, "");
    for (const [name, input] of Object.entries(inputs)) {
      setText(refusals[name], "");
      input.removeAttribute("aria-invalid");
    }
    button.disabled = true;
    try {
      const version = await upload("/models/import", form, (share) => fill(progress, bar(share),
        h("p", { class: "muted small", role: "status" }, share < 1 ? `Sent ${Math.round(100 * share)} %` : "Sent. The service reads the weights and tries them.")));
      done(version.name);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      refuse(error);
    } finally {
      fill(progress);
      button.disabled = false;
    }
  }

  /** @param {string} name @param {string} title @param {string} hint */
  const field = (name, title, hint) => {
    inputs[name].setAttribute("aria-describedby", refusals[name].id);
    return h("div", { class: "setting" }, h("label", { class: "field", for: `import-${name}` }, title), inputs[name], h("p", { class: "hint" }, hint), refusals[name]);
  };
  return h("details", { class: "card" }, h("summary", {}, "Import a model"), h("form", { class: "stack", onsubmit: send },
    h("p", {}, "Exports of Forger (.zip or .safetensors), and the weights of CycleGAN, pix2pix and PyTorch's DCGAN example (safetensors or .pth), become a version that draws or translates here."),
    h("div", { class: "settings" },
      field("file", "File", "The weights"), field("name", "Name", "A name that exists gets a new version"),
      field("licence", "Licence", "Of the weights; “unknown” if you do not know"), field("source", "Source", "Where the file comes from; “unknown” if you do not know"),
      field("b2a", "Way back (optional)", "CycleGAN's second generator, if File is the first")),
    h("div", { class: "row" }, button), refusal, progress));
}

/** What is known of an imported version, as rows of its card. @param {any} imported `card.imported` */
export function importedFacts(imported) {
  const { layout, licence, source, parameters, trial, largest, notes } = imported;
  return [
    ["imported as", layout.replaceAll("_", " ")], ["licence", licence ?? "not stated"], ["source", source ?? "not stated"], ["weights", parameters && count(parameters)],
    ["one picture takes", trial && `${number(1000 * trial.seconds)} ms, ${size(trial.memory_bytes)}`],
    ["largest picture", largest?.width && `${count(largest.width)} × ${count(largest.height)} pixels, about ${number(largest.about_seconds)} s`], ["notes", notes?.join(" ")],
  ].filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}
