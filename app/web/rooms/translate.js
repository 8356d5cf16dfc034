// Translate pictures: one at once, with the way back, a drawing or a hole; enlarge them; fill holes by search; or many by a job.

import { get } from "../api.js";
import { empty, fill, h, refill, setText, stateWord, toast } from "../dom.js";
import { holeSearch, keptSearch, searchSettings } from "../hole_search.js";
import { go, keep } from "../main.js";
import { manyPictures } from "../many_pictures.js";
import { readVersionOr } from "../model_versions.js";
import { exampleStrip, pictureSource } from "../picture_source.js";
import { pictureSettings } from "../png.js";
import { debounced } from "../soon.js";
import { sourceBoard } from "../source_board.js";
import { PLAIN, translationResult } from "../translation_result.js";
import { domainNames, grouped, groupOptions, request, takesPictures, translatorOf } from "../translators.js";

/** milliseconds after the last stroke */
const WAIT_MS = 150;

/** @type {import("../main.js").Room} */
export async function room(main, { query, signal }) {
  const models = (await get("/models", {}, signal)).data;
  const groups = grouped(models.filter((/** @type {any} */ model) => takesPictures(model.latest)));
  if (!groups.length) return nothing(main);
  const first = groups[0][1][0].latest;
  const onlySearches = translatorOf(first).searches;
  const settings = {
    model: query.get("model") ?? first.model, direction: /** @type {"a2b" | "b2a"} */ (query.get("direction") === "b2a" ? "b2a" : "a2b"),
    back: query.get("back"), size: query.get("size") === "training" ? "training" : null, view: query.get("view") === "many" ? "many" : null, job: query.get("job"),
    plain: query.get("plain") === "bilinear" ? "bilinear" : null,
  };
  const search = searchSettings(query);
  /** @type {any} */
  let version;
  /** @type {import("../translators.js").Translator} */
  let translator;
  /** @type {[string, string]} */
  let names = ["a", "b"];

  /** Let an act of the person fail in silence only when the room was left. @param {Promise<void>} act */
  const attempt = (act) => void act.catch((error) => signal.aborted || console.error(error));

  const chosen = h("select", { id: "model", onchange: () => attempt(change({ model: chosen.value })) },
    groupOptions(groups));
  const health = h("span");
  const directions = h("div", { class: "row", role: "group", "aria-label": "Direction" });
  const back = h("input", { type: "checkbox", onchange: () => attempt(change({ back: back.checked ? "on" : null })) });
  const backLabel = h("label", {}, back, "The way back");
  const size = h("select", { id: "size", onchange: () => attempt(change({ size: size.value || null })) });
  const plain = h("select", { id: "plain", onchange: () => attempt(change({ plain: plain.value === "bilinear" ? "bilinear" : null })) }, PLAIN.map(([value, title]) => h("option", { value }, title)));
  const hint = h("p", { class: "hint" });
  const views = h("div", { class: "tabs", role: "group", "aria-label": "View" }, [["", "One picture"], ["many", "Many pictures"]].map(([value, title]) =>
    h("button", { type: "button", value, onclick: () => attempt(change({ view: value || null })) }, title)));
  const refusal = h("p", { class: "refusal", role: "alert" });
  const board = sourceBoard({ onChange: () => translateSoon() });
  const result = translationResult({ plain: () => (settings.plain ? "bilinear" : "pixels"), signal });
  const filling = holeSearch({ settings: search, onSettings: keepView, parts: () => board.parts(), name: () => board.name(), signal });
  const examples = exampleStrip({ onPicture: (file) => attempt(use(file, true)), signal });
  const many = manyPictures({
    asked: () => ({ model: settings.model, direction: settings.direction }), signal,
    onJob: (job) => {
      settings.job = job;
      keep({ job });
    },
  });
  const pictures = pictureSource(main, { onFiles: (files) => attempt(takeAll(files)), signal });
  const source = h("div");
  const one = h("div", { class: "stack" }, h("div", { class: "halves" }, h("div", { class: "stack" }, board.element, h("section", { class: "card", "aria-label": "Pictures" }, source, examples.element)), result.element, filling.element), result.journey.element);
  fill(main,
    h("div", { class: "spread" }, h("h1", {}, "Translate"), views),
    h("section", { class: "card", "aria-label": "Translator" },
      h("div", { class: "row bottom" }, h("label", { class: "field", for: "model" }, "Model", chosen), health, directions,
        h("label", { class: "field", for: "size" }, "Size of the picture", size),
        h("label", { class: "field", for: "plain" }, "Compare with", plain), backLabel), hint, refusal,
      onlySearches && h("p", { class: "hint" }, "This model fills holes, below. No model translates, paints or enlarges yet. Train one to:"), onlySearches && trainings()),
    one, many.element);

  /** @param {File[]} files */
  async function takeAll(files) {
    await ready;
    if ((files.length > 1 || settings.view === "many") && !translator.searches) {
      await change({ view: "many" });
      many.setFiles(files);
    } else await take(files[0]);
  }

  /** Take one picture; a PNG of Forger brings its settings. @param {File} file */
  async function take(file) {
    const found = await pictureSettings(file);
    if (found?.direction) {
      await change({ model: found.model, direction: found.direction === "b2a" ? "b2a" : "a2b" });
      if (settings.model === found.model) toast(`These are the settings of ${file.name}.`, ["Translate this picture", () => attempt(use(file, false))], 12);
    } else {
      await use(file, false);
      if (found?.seed !== undefined) toast(`${file.name} is a sample of ${found.model}.`, ["Open its settings", () => go(sampleAddress(found))], 12);
    }
  }

  /** @param {File} file @param {boolean} example */
  async function use(file, example) {
    await ready;
    filling.clear();
    await board.use(file, example);
    translateSoon(0);
    if (!result.element.hidden && result.element.getBoundingClientRect().top > 0.8 * innerHeight) result.element.scrollIntoView({ block: "nearest" });
  }

  /** @param {Partial<typeof settings>} values */
  async function change(values) {
    await ready;
    const other = values.model !== undefined && values.model !== settings.model;
    Object.assign(settings, values);
    if (other) await follow();
    else show();
    if ("size" in values) await board.follow(translator, settings.size !== null);
    if ("plain" in values) await result.compare();
    else translateSoon(0);
  }

  async function readModel() {
    const wanted = settings.model;
    const found = await readVersionOr(wanted, first, (named) => !takesPictures(named) && `${named.model} neither translates pictures nor generates them.`, signal);
    if (settings.model !== wanted) return; // another was chosen since
    version = found.version;
    settings.model = version.model;
    setText(refusal, found.why);
    translator = translatorOf(version);
    if (!translator.both) settings.direction = "a2b";
    if (translator.searches) settings.view = settings.job = null;
    if (!translator.dataKnown) settings.size = null;
    const dataset = (translator.twoDomains || translator.searches) && translator.dataKnown ? await get(`/datasets/${encodeURIComponent(version.dataset)}`, {}, signal).catch(() => null) : null;
    names = translator.twoDomains ? domainNames(dataset) : ["a", "b"];
    filling.follow(translator.searches ? version : null, dataset?.class_names ?? []);
    show();
  }

  function keepView() {
    keep({ ...settings, direction: settings.direction === "a2b" ? null : settings.direction, ...keptSearch(translator.searches ? search : null) });
  }

  /** Show the settings, and keep them in the address. */
  function show() {
    const { model, direction, size: chosenSize, view } = settings;
    keepView();
    chosen.value = model;
    fill(health, version.health && stateWord(version.health.state));
    health.title = version.health?.message ?? "";
    const [a, b] = names;
    refill(directions, [translator.both, names], () => translator.both && [["a2b", `${a} → ${b}`], ["b2a", `${b} → ${a}`]].map(([value, title]) =>
      h("button", { type: "button", value, onclick: () => attempt(change({ direction: /** @type {any} */ (value) })) }, title)));
    press(directions, direction);
    backLabel.hidden = !translator.both || view === "many";
    back.checked = settings.back !== null;
    fill(size, [["", "its own"], ["training", `${translator.side === translator.learned ? "that of training" : "the least"}, ${translator.side} px`]].map(([value, title]) => h("option", { value, selected: value === (chosenSize ?? "") }, title)));
    size.parentElement.hidden = view === "many" || translator.searches || !translator.dataKnown;
    plain.value = settings.plain ?? "pixels";
    plain.parentElement.hidden = view === "many" || translator.factor === 1;
    result.element.hidden = views.hidden = translator.searches;
    setText(hint, request(translator));
    press(views, view ?? "");
    many.element.hidden = view !== "many";
    one.hidden = view === "many";
    (view === "many" ? many.source : source).append(pictures);
    examples.show(version, translator.twoDomains ? (direction === "a2b" ? "a" : "b") : null, translator.searches ? "one click puts it on the pad" : undefined);
  }

  const translateAfter = debounced(() => attempt(translate()), WAIT_MS, signal);
  function translateSoon(wait = WAIT_MS) {
    if (translator.searches) return result.stop();
    result.wait();
    translateAfter(wait);
  }

  async function translate() {
    const picture = settings.view === "many" ? null : await board.picture();
    const { model, direction } = settings;
    if (!picture) return result.stop(board.drawing() ? (translator.reads === "hole" ? "Paint over the part that the model should fill." : "Draw a line, and it is translated.") : "");
    await result.run(picture, board.name(), {
      model, direction, back: settings.back !== null && translator.both, grey: translator.grey, factor: translator.factor,
      names: direction === "a2b" ? names : [names[1], names[0]],
    });
  }

  /** Follow the model that was chosen. */
  async function follow() {
    await readModel();
    await board.follow(translator, settings.size !== null);
    result.begin(["lines", "hole"].includes(translator.reads));
  }

  /** every act of the person waits for the first model */
  const ready = follow();
  await ready;
  if (settings.job) many.follow(settings.job);
}

/** Mark the button of a value. @param {Element} group @param {string} value */
function press(group, value) {
  for (const button of group.children) button.setAttribute("aria-pressed", String(/** @type {HTMLButtonElement} */ (button).value === value));
}

/** The address of the sample room with the settings of a picture. @param {any} found */
function sampleAddress({ model, seed, n, temperature, class: of }) {
  const query = new URLSearchParams({ model, seed: String(seed), n: String(n ?? 1) });
  if (of !== null && of !== undefined) query.set("class", String(of));
  if (temperature) query.set("temperature", String(temperature));
  return `sample?${query}`;
}

/** Say how to get a translator. @param {HTMLElement} main */
function nothing(main) {
  fill(main, h("h1", {}, "Translate"), empty("No model translates pictures yet. Train one, or choose what it should do:", "forger train cyclegan",
    h("p", {}, "Quicker than photographs: a model that paints drawings, fills holes or enlarges pictures."),
    trainings()));
}

/** Links to the trainings of models that take pictures. */
const trainings = () => h("div", { class: "row" }, [["cyclegan", "Translate photographs"], ["pix2pix&dataset=digits", "Paint drawings"], ["inpaint", "Fill holes"], ["srgan", "Enlarge pictures"]].map(([family, title]) =>
  h("a", { class: "button", href: `new?family=${family}` }, title)));
