// Published models: what each can do, how well it was measured, its versions and its files.

import { address, get, remove } from "../api.js";
import { confirmed, empty, factBoxes, fill, h, stateWord, toast } from "../dom.js";
import { arrow } from "../figures.js";
import { fidelityCurve, measureCurve } from "../fidelity_curve.js";
import { clock, count, number } from "../format.js";
import { humanFigure } from "../human.js";
import { hasLatents } from "../latent_tools.js";
import { go } from "../main.js";
import { exportForm } from "../model_export.js";
import { featuresPart } from "../model_features.js";
import { importedFacts, importForm } from "../model_import.js";
import { comparableWithData, dataKnown } from "../model_versions.js";
import { translates } from "../translators.js";

const SHEET = 16;
const POINTS = 500;

/** @type {import("../main.js").Room} */
export async function room(main, { parts: [name], signal }) {
  if (name) return showModel(main, name, signal);
  const { data } = await get("/models", {}, signal);
  fill(main, h("h1", {}, "Models"), importForm({ done: (model) => go(`models/${model}`) }), data.length
    ? h("div", { class: "grid" }, data.map((/** @type {any} */ model) => h("a", { class: "card", href: `models/${model.name}` },
      h("div", { class: "spread" }, h("h2", {}, model.name), model.latest.health && stateWord(model.latest.health.state)),
      picture(model.latest, 9),
      h("p", { class: "muted small" }, `${model.latest.game}${dataKnown(model.latest) ? ` on ${model.latest.dataset}` : ", imported"}; ${count(model.versions.length)} ${model.versions.length === 1 ? "version" : "versions"}`),
      figures(model.latest.card, 3))))
    : empty("No model is published yet. Each training that ends well publishes one:", "forger train cdcgan", h("a", { class: "button", href: "new" }, "New job")));
}

/** @param {HTMLElement} main @param {string} name @param {AbortSignal} signal */
async function showModel(main, name, signal) {
  const model = await get(`/models/${encodeURIComponent(name)}`, {}, signal);
  fill(main,
    h("div", { class: "spread" }, h("h1", {}, model.name),
      h("button", { class: "danger", onclick: () => erase(`/models/${model.name}`, `Delete ${model.name} with all its versions?`, () => go("models")) }, "Delete the model")),
    model.versions.map((/** @type {any} */ version) => versionCard(version, () => showModel(main, name, signal), signal)));
}

/** @param {any} version @param {() => void} changed @param {AbortSignal} signal */
function versionCard(version, changed, signal) {
  const { card } = version;
  const measured = figures(card, 99);
  if (version.job) void get(`/jobs/${version.job}/figures`, {}, signal).then(({ data }) => measured.replaceWith(figures(card, 99, data))).catch(() => undefined);
  return h("section", { class: "card", "aria-label": version.model },
    h("div", { class: "spread" }, h("div", { class: "row" }, h("h2", {}, version.model), version.health && stateWord(version.health.state)),
      h("div", { class: "row" },
        version.game === "synthesis" && h("a", { class: "button", href: `sample?model=${encodeURIComponent(version.model)}` }, "Sample"),
        translates(version) && h("a", { class: "button", href: `translate?model=${encodeURIComponent(version.model)}` }, "Translate"),
        comparableWithData(version) && h("a", { class: "button", href: `spot?model=${encodeURIComponent(version.model)}` }, "Spot the fake"),
        h("button", { class: "danger", onclick: () => erase(`/models/${version.model}`, `Delete ${version.model}?`, changed) }, "Delete"))),
    version.health && h("p", { class: version.health.state === "troubled" ? "notice warn" : "muted" }, version.health.message),
    h("div", { class: "grid" }, picture(version, SHEET), (version.job || card.figures) && measured,
      h("dl", {},
        h("dt", {}, "game"), h("dd", {}, version.game),
        h("dt", {}, "dataset"), h("dd", {}, dataKnown(version) ? h("a", { href: `datasets/${version.dataset}` }, version.dataset) : "not known"),
        dataKnown(version) && [h("dt", {}, "step"), h("dd", {}, `${count(version.step)}${card.steps ? ` of ${count(card.steps)}` : ""}`)],
        card.best && [h("dt", {}, "why this one"), h("dd", {}, card.best.message)],
        version.job && [h("dt", {}, "trained by"), h("dd", {}, h("a", { href: `jobs/${version.job}` }, version.job))],
        h("dt", {}, "published"), h("dd", {}, clock(version.created_at)),
        h("dt", {}, "sha256"), h("dd", { class: "mono" }, version.export_sha256),
        card.imported && importedFacts(card.imported)),
      card.curve ? fidelityCurve(card.curve) : measurable(version) && measureCurve(version.model, signal)),
    exportForm(version.model, signal),
    featuresPart(version, signal),
    card.human && humanFigure(card.human, "Judged by people"));
}

/** Whether the service can compare a version with its data at other temperatures. @param {any} version */
const measurable = (version) => hasLatents(version) && dataKnown(version);

/** What the model draws; of a translator the last sample of its training. @param {any} version @param {number} n */
function picture(version, n) {
  const source = version.game === "synthesis"
    ? address("/sample", { model: version.model, seed: 1, n: version.recipe.data.kind === "points" ? POINTS : n, class: null, scale: version.recipe.data.kind === "images" ? Math.max(1, Math.floor(64 / version.recipe.data.side)) : null, format: "png" })
    : version.job && version.card.sample ? address(`/jobs/${version.job}/artifacts/${version.card.sample}`) : null;
  // A figure of points takes seconds: what is not there yet must not look like an empty sheet.
  const image = source && h("img", {
    class: "sheet skeleton", src: source, alt: `Samples of ${version.model}`, loading: "lazy",
    onload: () => image.classList.remove("skeleton"), onerror: () => image.remove(),
  });
  return image;
}

/** The figures of a card; those that are known have a title, and an arrow to the better side. @param {any} card @param {number} most @param {any[]} [known] */
function figures(card, most, known = []) {
  const listed = Object.entries(card.figures ?? {}).slice(0, most).map(([name, value]) => ({ name, value, about: known.find((one) => one.name === name) }));
  return h("div", { class: "facts" }, factBoxes(listed.map(({ name, value, about }) =>
    [h("span", { title: about?.title }, `${name.replaceAll("_", " ")}${about ? arrow(about) : ""}`), number(/** @type {number} */ (value))])));
}

/** @param {string} path @param {string} question @param {() => void} done */
async function erase(path, question, done) {
  if (!(await confirmed(question, "Requests for it are refused from then on. The job that trained it stays.", "Delete it"))) return;
  try {
    await remove(path);
    done();
  } catch (error) {
    toast(/** @type {Error} */ (error).message);
  }
}
