// Datasets: those that are built in and those that people upload, with what the service found in them.

import { address, get, Problem, remove, upload } from "../api.js";
import { augmentPart, canAugment } from "../augmentation_form.js";
import { bar, confirmed, empty, fill, h, setText, toast } from "../dom.js";
import { count, size } from "../format.js";
import { go, keep } from "../main.js";

const LAYOUTS = ["auto", "flat", "classes", "unpaired", "paired", "side_by_side"];
const SHOWN = 36;
const SMALL = 32; // pixels: smaller pictures are shown larger

/** @type {import("../main.js").Room} */
export async function room(main, place) {
  if (place.parts[0]) return showDataset(main, place.parts[0], place);
  const { signal } = place;
  const list = h("div", { class: "grid narrow" });
  fill(main, h("h1", {}, "Datasets"), uploadForm((name) => go(`datasets/${name}`)), list);
  const { data } = await get("/datasets", {}, signal);
  fill(list, data.map((/** @type {any} */ one) => h("a", { class: "card", href: `datasets/${one.name}` },
    h("h2", {}, one.name), h("p", {}, one.title), h("p", { class: "muted small" }, summary(one)), one.uploaded && h("p", { class: "muted small" }, "uploaded"))));
}

/** @param {any} dataset */
function summary(dataset) {
  const parts = [dataset.kind, dataset.side ? `${dataset.side} px` : null, dataset.channels === 3 ? "colour" : dataset.channels === 1 ? "grey" : null,
    dataset.classes ? `${count(dataset.classes)} classes` : null, dataset.size ? `${count(dataset.size)} examples` : null];
  return parts.filter(Boolean).join(", ");
}

/** @param {(name: string) => void} done */
function uploadForm(done) {
  const file = h("input", { type: "file", accept: ".zip,application/zip", required: true, id: "file", class: "unseen", onchange: () => chosen(file.files[0]) });
  const name = h("input", { id: "name", required: true, pattern: "[a-z0-9][a-z0-9._\\-]*", placeholder: "my-pictures", title: "Small letters, digits, dots, dashes and underscores; a letter or digit first" });
  const layout = h("select", { id: "layout" }, LAYOUTS.map((one) => h("option", { value: one }, one)));
  const words = h("p", { class: "muted" }, "Drop a ZIP of pictures here, or ");
  const progress = h("div");
  const refusal = h("p", { class: "refusal", role: "alert" });
  const drop = h("div", { class: "drop" }, words, h("label", { class: "button" }, "Choose a ZIP", file));
  /** @param {File | undefined} picked */
  function chosen(picked) {
    if (!picked) return;
    setText(words, `${picked.name}, ${size(picked.size)}. `);
    if (!name.value) name.value = picked.name.replace(/\.zip$/i, "").toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+/, "");
  }
  for (const type of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(type, (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      drop.classList.toggle("over", type === "dragover");
      if (type === "drop" && event.dataTransfer?.files.length) {
        file.files = event.dataTransfer.files;
        chosen(file.files[0]);
      }
    });
  }
  return h("details", { class: "card" }, h("summary", {}, "Upload a dataset"), h("form", {
    class: "stack",
    onsubmit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      if (!file.files[0]) return setText(refusal, "Choose a ZIP file first.");
      const form = new FormData();
      form.set("name", name.value);
      if (layout.value !== "auto") form.set("layout", layout.value);
      form.set("file", file.files[0]);
      setText(refusal, "");
      try {
        const dataset = await upload("/datasets", form, (share) => fill(progress, bar(share),
          h("p", { class: "muted small", role: "status" }, share < 1 ? `Sent ${Math.round(100 * share)} %` : "Sent. The service reads every picture now.")));
        done(dataset.name);
      } catch (error) {
        fill(progress);
        setText(refusal, /** @type {Error} */ (error).message);
      }
    },
  }, drop, h("div", { class: "row bottom" }, h("label", { class: "field", for: "name" }, "Name", name),
    h("label", { class: "field", for: "layout" }, "What the folders mean", layout), h("button", { class: "main" }, "Upload")), refusal, progress));
}

/** @param {HTMLElement} main @param {string} name @param {{query: URLSearchParams, signal: AbortSignal}} place */
async function showDataset(main, name, place) {
  const { query, signal } = place;
  const path = `/datasets/${encodeURIComponent(name)}`;
  const dataset = await get(path, {}, signal);
  const settings = { class: query.get("class"), seed: query.get("seed") ?? "1", domain: query.get("domain") };
  const pictures = h("div");
  const classes = h("div", { class: "row", role: "group", "aria-label": "Class" });
  const domains = h("div", { class: "row", role: "group", "aria-label": "Domain" });
  const twoDomains = ["unpaired", "paired"].includes(dataset.kind);
  fill(main,
    h("div", { class: "spread" }, h("h1", {}, dataset.name), h("div", { class: "row" },
      h("a", { class: "button", href: `new?dataset=${encodeURIComponent(dataset.name)}` }, "Train on it"),
      dataset.uploaded && h("button", { class: "danger", onclick: erase }, "Delete"))),
    h("p", {}, dataset.title), h("p", { class: "muted" }, summary(dataset)), dataset.source && h("p", { class: "muted small long" }, dataset.source),
    h("section", { class: "card" },
      h("div", { class: "spread" }, h("h2", {}, "As training sees it"), h("div", { class: "row" },
        domains,
        h("button", { onclick: () => change({ seed: String(Number(settings.seed) + 1) }) }, "Other examples"))),
      classes, pictures),
    canAugment(dataset) && augmentPart(dataset, place),
    dataset.report && report(dataset, path));

  /** @param {Partial<typeof settings>} values */
  function change(values) {
    Object.assign(settings, values);
    keep(settings);
    draw();
  }

  function draw() {
    fill(domains, twoDomains && ["a", "b"].map((one) => h("button", { "aria-pressed": String((settings.domain ?? "a") === one), onclick: () => change({ domain: one }) }, `domain ${one}`)));
    fill(classes, dataset.classes > 1 && dataset.classes <= 100 ? [null, ...dataset.class_names].map((one, index) =>
      h("button", { "aria-pressed": String((one === null ? null : String(index - 1)) === settings.class), onclick: () => change({ class: one === null ? null : String(index - 1) }) }, one ?? "all")) : []);
    const source = address(`${path}/pictures`, { n: SHOWN, ...settings });
    const image = h("img", { class: dataset.kind === "images" && dataset.side <= SMALL ? "sheet small-pictures" : "sheet", alt: `Examples of ${dataset.name}`, src: source });
    image.addEventListener("error", async () => {
      const error = await get(`${path}/pictures`, { n: 1, format: "json", ...settings }, signal).catch((problem) => problem);
      fill(pictures, empty(error instanceof Problem ? error.message : "These pictures cannot be shown."));
    });
    fill(pictures, image);
  }

  async function erase() {
    if (!(await confirmed(`Delete ${dataset.name}?`, "Models that were trained on it stay.", "Delete the dataset"))) return;
    try {
      await remove(path);
      go("datasets");
    } catch (error) {
      toast(/** @type {Error} */ (error).message);
    }
  }
  draw();
}

/** What the service found in an upload. @param {any} dataset @param {string} path */
function report(dataset, path) {
  const { report: found } = dataset;
  const plain = Object.entries(found).filter(([, value]) => typeof value !== "object" || value === null);
  const leftOut = [["left out, damaged", found.corrupt], ["left out, no pictures", found.ignored], ["nearly one colour", found.near_constant]];
  return h("section", { class: "card" }, h("h2", {}, "What was found"),
    leftOut.filter(([, listed]) => listed?.total).map(([words, listed]) => h("div", {}, h("h3", {}, `${count(listed.total)} ${words}`),
      h("ul", { class: "small" }, listed.first.map((/** @type {any} */ one) => h("li", {}, one.name ? [h("b", {}, one.name), `: ${one.reason}`] : one))))),
    found.classes?.total > 0 && h("p", {}, found.classes.first.map((/** @type {any} */ one) => `${one.name} ${count(one.pictures)}`).join(", "), found.classes.total > found.classes.first.length && ", …"),
    found.notes?.length > 0 && h("ul", {}, found.notes.map((/** @type {string} */ note) => h("li", {}, note))),
    h("dl", {}, plain.map(([name, value]) => [h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, String(value ?? "–"))])),
    h("details", {}, h("summary", {}, "Contact sheet"), h("img", { class: "sheet", loading: "lazy", alt: `Contact sheet of ${dataset.name}`, src: address(`${path}/sheet`) })),
    h("details", {}, h("summary", {}, "The whole report"), h("pre", { tabIndex: 0, "aria-label": "Report as JSON" }, JSON.stringify(found, null, 2))));
}
