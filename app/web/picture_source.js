// Where a picture comes from: dropped, pasted, chosen, taken, or an example of a dataset.

import { get, Problem } from "./api.js";
import { cameraButton } from "./camera.js";
import { fill, h, setText } from "./dom.js";
import { dataKnown } from "./model_versions.js";
import { fileUrls, pngOf } from "./pixels.js";

const EXAMPLES = 8;

/**
 * A place for pictures; a drop anywhere in the room counts, and so does a paste.
 * @param {HTMLElement} main the room @param {{onFiles: (files: File[]) => void, many?: boolean, signal: AbortSignal}} options
 */
export function pictureSource(main, { onFiles, many = true, signal }) {
  const title = many ? "Choose pictures" : "Choose a picture";
  const words = h("span", {}, "Drop or paste a picture here, or");
  const input = h("input", {
    type: "file", accept: "image/*", multiple: many, class: "unseen", "aria-label": title,
    onchange: () => {
      take(input.files);
      input.value = "";
    },
  });
  const element = h("div", { class: "drop tight" }, words, h("div", { class: "row" },
    h("label", { class: "button" }, title, input), cameraButton((picture) => onFiles([picture]), signal),
    "read" in (navigator.clipboard ?? {}) && h("button", { type: "button", onclick: () => void paste() }, "Paste")));

  /** @param {FileList | null | undefined} files */
  function take(files) {
    if (files?.length) onFiles([...files]);
  }

  async function paste() {
    try {
      for (const item of await navigator.clipboard.read()) {
        const type = item.types.find((one) => one.startsWith("image/"));
        if (type) return onFiles([new File([await item.getType(type)], "pasted.png", { type })]);
      }
      setText(words, "The clipboard holds no picture. Copy one, or drop one here, or");
    } catch {
      setText(words, "The browser does not show its clipboard to this page. Press Ctrl+V, or");
    }
  }

  for (const type of ["dragover", "dragleave", "drop"]) {
    main.addEventListener(type, (event) => {
      event.preventDefault();
      element.classList.toggle("over", type === "dragover");
      if (type === "drop") take(/** @type {DragEvent} */ (event).dataTransfer?.files);
    }, { signal });
  }
  document.addEventListener("paste", (event) => {
    if (element.checkVisibility() && !(/** @type {Element} */ (event.target).closest?.("input, textarea"))) take(event.clipboardData?.files);
  }, { signal });
  return element;
}

/**
 * Examples of a dataset as buttons; nothing is chosen until a person clicks one.
 * @param {{onPicture: (picture: File) => void, signal: AbortSignal}} options
 */
export function exampleStrip({ onPicture, signal }) {
  const strip = h("div", { class: "examples", role: "group", "aria-label": "Examples" });
  const note = h("span", { class: "hint" });
  const others = h("button", { type: "button", class: "plain", onclick: () => void read(shown.dataset, shown.domain, shown.seed + 1) }, "Others");
  const element = h("div", { class: "stack", hidden: true }, h("div", { class: "row small" }, note, others), strip);
  let shown = { dataset: "", domain: /** @type {string | null} */ (null), seed: 1 };
  let meaning = "";
  const urls = fileUrls(signal);

  /** @param {string} dataset @param {string | null} domain @param {number} seed */
  async function read(dataset, domain, seed) {
    shown = { dataset, domain, seed };
    try {
      const { images } = await get(`/datasets/${encodeURIComponent(dataset)}/pictures`, { format: "json", n: EXAMPLES, domain, seed }, signal);
      if (shown.dataset !== dataset || shown.domain !== domain || shown.seed !== seed) return;
      const files = images.map((/** @type {string} */ text, /** @type {number} */ index) => new File([pngOf(text)], `${dataset}${domain ? `-${domain}` : ""}-${seed}-${index}.png`, { type: "image/png" }));
      const sources = urls(files);
      others.hidden = false;
      fill(strip, files.map((/** @type {File} */ file, /** @type {number} */ index) =>
        h("button", { type: "button", "aria-label": `Example ${index + 1}`, onclick: () => onPicture(file) }, h("img", { src: sources[index], alt: "", class: "pixels" }))));
      describe();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      fill(strip);
      others.hidden = true;
      setText(note, `No examples: ${error.message}`);
    }
  }

  function describe() {
    const { dataset, domain } = shown;
    setText(note, `Examples of ${dataset}${domain ? `, domain ${domain}` : ""}: ${meaning}.`);
  }

  return {
    element,
    /** Show pictures of the data of a version, if they are known. @param {any} version @param {string | null} domain @param {string} onClick what a click does, in words */
    show(version, domain, onClick = "one click translates") {
      const { dataset } = version;
      meaning = onClick;
      element.hidden = !dataKnown(version);
      if (element.hidden) return;
      if (shown.dataset !== dataset || shown.domain !== domain) void read(dataset, domain, 1).catch((error) => signal.aborted || console.error(error));
      else if (strip.childElementCount) describe();
    },
  };
}
