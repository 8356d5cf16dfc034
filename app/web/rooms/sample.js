// Draw from a model: the address holds every setting, so a link draws the same pictures.

import { address, get, Problem, send } from "../api.js";
import { copyButton, empty, fill, h, setText, skeleton, stateWord, toast } from "../dom.js";
import { hasLatents, latentTools } from "../latent_tools.js";
import { go, keep } from "../main.js";
import { comparableWithData, newestOf, readVersionOr, samples, versionOptions } from "../model_versions.js";
import { showNearest } from "../nearest.js";
import { pictureSettings } from "../png.js";
import { diceButton } from "../seed_dice.js";
import { debounced } from "../soon.js";

const SIZES = [1, 4, 16, 64];
const SWEEP = [0.1, 0.25, 0.4, 0.6, 0.8, 1];
const ROWS_OF_CLASSES = 8;
const WAIT_MS = 120;
/** the end of the truncation's scale, where nothing is truncated: beyond it almost no number of a normal latent is */
const NOT_TRUNCATED = 3;

/** @type {import("../main.js").Room} */
export async function room(main, { query, signal }) {
  const [models, datasets] = await Promise.all([get("/models", {}, signal), get("/datasets", {}, signal)]);
  const usable = models.data.filter((/** @type {any} */ model) => samples(model.latest));
  if (!usable.length) {
    fill(main, h("h1", {}, "Sample"), empty("No model can be sampled yet. Train one; this takes a minute:", "forger train cdcgan", h("a", { class: "button", href: "new?family=cdcgan" }, "Train one here")));
    return;
  }
  const newest = newestOf(usable);
  const settings = {
    model: query.get("model") ?? newest.model, class: query.get("class"), n: query.get("n") ?? "16",
    seed: query.get("seed") ?? "1", temperature: query.get("temperature") ?? "1", truncation: query.get("truncation"), view: query.get("view") ?? "pictures",
    picked: query.get("picked"),
  };
  /** @type {any} */
  let version;
  /** why another model is shown than the one that was asked for */
  let instead = "";
  /** @type {Record<string, any>[]} */
  const pins = [];

  const chosen = h("select", { id: "model", onchange: () => change({ model: chosen.value, class: null }) },
    versionOptions(usable));
  const classes = h("div", { class: "row", role: "group", "aria-label": "Class" });
  const health = h("span");
  const seed = h("input", { id: "seed", inputMode: "numeric", pattern: "[0-9]{1,19}", title: "A whole number of at most 19 digits", size: 16, onchange: () => (seed.reportValidity() ? change({ seed: seed.value }) : undefined) });
  const temperature = h("input", { id: "temperature", type: "range", min: 0.05, max: 1, step: 0.05, oninput: () => change({ temperature: temperature.value }) });
  const temperatureText = h("output", { class: "number" });
  const truncation = h("input", {
    id: "truncation", type: "range", min: 0.05, max: NOT_TRUNCATED, step: 0.05, title: "Numbers of the latent beyond this are drawn again. Lower is more typical and less varied.",
    oninput: () => change({ truncation: Number(truncation.value) < NOT_TRUNCATED ? truncation.value : null }),
  });
  const truncationText = h("output", { class: "number" });
  const amount = h("select", { id: "n", onchange: () => change({ n: amount.value }) });
  const views = h("div", { class: "tabs", role: "group", "aria-label": "View" });
  const result = h("div", { class: "stack", "aria-live": "polite" }, skeleton(true));
  const refusal = h("p", { class: "refusal", role: "alert" });
  const pinned = h("div", { class: "grid narrow" });
  /** the tools of the latent space that were opened, by tab: each keeps its work @type {Record<string, import("../latent_tools.js").Tool>} */
  const tools = {};
  const sheetTools = h("div", { class: "stack", hidden: settings.view in latentTools },
    h("div", { class: "row" },
      h("button", { type: "button", onclick: pin }, "Pin these"),
      copyButton(asCurl, "curl"), copyButton(asCommand, "CLI"), copyButton(asPython, "Python"),
      h("label", { class: "button" }, "Open a picture's settings", h("input", {
        type: "file", accept: "image/png", "aria-label": "Open a picture's settings", class: "unseen",
        onchange: (/** @type {any} */ event) => void open(event.target.files[0]),
      }))),
    h("p", { class: "hint" }, "Every PNG carries its model, seed, class and temperature. Drop one on this page to have them back."));
  const page = h("section", { class: "card" },
    h("div", { class: "row bottom" },
      h("label", { class: "field", for: "model" }, "Model", chosen), health,
      h("label", { class: "field", for: "n" }, "Pictures", amount),
      h("label", { class: "field", for: "seed" }, "Seed", seed),
      diceButton("Another seed", (value) => change({ seed: value })),
      h("label", { class: "field", for: "temperature" }, "Temperature", h("span", { class: "row" }, temperature, temperatureText)),
      h("label", { class: "field", for: "truncation" }, "Truncation", h("span", { class: "row" }, truncation, truncationText))),
    classes);
  await readModel(); // every setting of the page follows from the model
  fill(main,
    h("div", { class: "spread" }, h("h1", {}, "Sample"), views), page, refusal, result,
    sheetTools, pinned);

  main.addEventListener("dragover", (event) => event.preventDefault(), { signal });
  main.addEventListener("drop", (event) => {
    event.preventDefault();
    void open(event.dataTransfer?.files[0]);
  }, { signal });

  /** Take the settings of a picture that Forger drew. @param {File | undefined} file */
  async function open(file) {
    if (!file) return;
    const found = await pictureSettings(file);
    if (!found?.model) toast("This file carries no settings of Forger. Only its PNG files do.");
    else if (found.direction) go(`translate?model=${encodeURIComponent(found.model)}&direction=${found.direction}`);
    else if (found.seed === undefined) toast("No seed draws this picture alone. Drop it on a slot of Arithmetic, which takes its latent.");
    else {
      await change({
        model: found.model, class: found.class === null || found.class === undefined ? null : String(found.class), seed: String(found.seed),
        temperature: String(found.temperature ?? 1), truncation: found.truncation ? String(found.truncation) : null, n: String(found.n ?? 1),
      });
      toast(`These are the settings of ${file.name}.`);
    }
  }

  /** @param {Partial<typeof settings>} values */
  async function change(values) {
    const other = values.model !== undefined && values.model !== settings.model;
    Object.assign(settings, values);
    keep(settings);
    if (other) await readModel();
    else showSettings();
    drawSoon();
  }

  async function readModel() {
    const wanted = settings.model;
    const found = await readVersionOr(wanted, newest, (named) => !samples(named) && `${named.model} draws no pictures from noise.`, signal);
    if (settings.model !== wanted) return; // another was chosen since
    ({ version, why: instead } = found);
    settings.model = version.model;
    if (!version.classes) settings.class = null;
    showSettings();
  }

  /** Fill a group of buttons anew; the one with the focus keeps it. @param {HTMLElement} group @param {any[]} buttons */
  function refocus(group, buttons) {
    const place = [...group.children].indexOf(/** @type {Element} */ (document.activeElement));
    fill(group, buttons);
    /** @type {HTMLElement | undefined} */ (group.children[place])?.focus();
  }

  function showSettings() {
    chosen.value = settings.model;
    seed.value = settings.seed;
    temperature.value = settings.temperature;
    setText(temperatureText, Number(settings.temperature).toFixed(2));
    truncation.value = settings.truncation ?? String(NOT_TRUNCATED);
    setText(truncationText, settings.truncation ? Number(settings.truncation).toFixed(2) : "none");
    truncation.setAttribute("aria-valuetext", truncationText.textContent);
    fill(amount, [...new Set([...SIZES, Number(settings.n)])].sort((a, b) => a - b).map((size) => h("option", { value: size, selected: String(size) === settings.n }, size)));
    fill(health, version.health && stateWord(version.health.state));
    health.title = version.health?.message ?? "";
    const names = datasets.data.find((/** @type {any} */ one) => one.name === version.dataset)?.class_names ?? [];
    const conditional = version.classes && version.recipe.game.conditional;
    refocus(classes, conditional ? [null, ...Array(Math.min(version.classes, 100)).keys(), "each"].map((value) =>
      h("button", { type: "button", "aria-pressed": String(String(value) === String(settings.class)), onclick: () => change({ class: value === null ? null : String(value) }) },
        value === null ? "any" : value === "each" ? "each" : names[value] ?? value)) : []);
    const choices = [["pictures", "Pictures"], ...(conditional ? [["grid", "Classes × variations"]] : []), ["sweep", "Temperature sweep"],
      ...(comparableWithData(version) ? [["nearest", "Nearest training picture"]] : []),
      ...(hasLatents(version) ? Object.entries(latentTools).map(([name, { title }]) => [name, title]) : [])];
    if (!choices.some(([value]) => value === settings.view)) settings.view = "pictures";
    refocus(views, choices.map(([value, title]) => h("button", { type: "button", "aria-pressed": String(value === settings.view), onclick: () => change({ view: value }) }, title)));
    amount.disabled = settings.view === "grid";
    sheetTools.hidden = pinned.hidden = settings.view in latentTools;
  }

  /** The parameters of GET /sample. @param {Record<string, any>} [changes] */
  const parameters = (changes = {}) => {
    const { model, n, seed: from, temperature: heat, truncation: threshold } = settings;
    return { model, class: settings.class, n, seed: from, temperature: heat === "1" ? null : heat, truncation: threshold, ...changes };
  };

  /** @param {Record<string, any>} asked @param {string} title */
  const sheet = (asked, title) => {
    const points = version.recipe.data.kind !== "images";
    const scale = points ? null : Math.max(1, Math.min(8, Math.floor(64 / version.recipe.data.side)));
    const source = address("/sample", { ...asked, scale, format: "png" });
    const name = `${asked.model}-${asked.class ?? "any"}-${asked.seed}.png`;
    return h("figure", { class: "stack" },
      h("img", { class: "sheet", src: source, alt: title }),
      h("figcaption", { class: "row muted small" }, title, h("a", { href: source, download: name }, "Download")));
  };

  async function draw() {
    const words = inWords(parameters());
    try {
      const latents = latentTools[settings.view];
      result.setAttribute("aria-live", latents ? "off" : "polite"); // a film would be read out frame by frame
      if (latents) {
        const tool = tools[settings.view] ??= latents.open({ signal });
        if (!tool.element.isConnected) fill(result, tool.element);
        await tool.update({ version, asked: parameters() });
      } else if (settings.view === "nearest") {
        await showNearest(result, { version, asked: parameters(), picked: Number(settings.picked), onPick, signal });
      } else if (settings.view === "sweep") {
        const n = String(Math.min(16, Number(settings.n)));
        await check(parameters({ n }));
        fill(result, h("div", { class: "grid narrow" }, SWEEP.map((heat) => sheet(parameters({ n, temperature: heat }), `temperature ${heat}, ${words}`))));
      } else {
        const asked = settings.view === "grid" ? parameters({ class: "each", n: ROWS_OF_CLASSES }) : parameters();
        await check(asked);
        fill(result, sheet(asked, `${settings.model}, ${settings.view === "grid" ? `each class, seed ${settings.seed}` : words}`));
      }
      setText(refusal, instead);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setText(refusal, error.message);
    }
  }

  /** @param {number} picked */
  function onPick(picked) {
    settings.picked = String(picked);
    keep({ picked });
  }

  /** Ask for the pictures once, so that a refusal is a sentence. @param {Record<string, any>} asked */
  const check = (asked) => send("HEAD", "/sample", { query: { ...asked, format: "png" }, signal })
    .catch(() => send("GET", "/sample", { query: { ...asked, format: "png" }, signal })); // only a GET says why

  const drawSoon = debounced(() => void draw().catch((error) => signal.aborted || console.error(error)), WAIT_MS, signal);

  function pin() {
    const asked = parameters();
    pins.push(asked);
    savePins();
    showPin(asked);
  }

  const savePins = () => sessionStorage.setItem("pins", JSON.stringify(pins));

  /** @param {Record<string, any>} asked */
  function showPin(asked) {
    const card = h("div", { class: "card" }, sheet(asked, `${asked.model}, ${inWords(asked)}`),
      h("div", { class: "row" },
        h("button", { type: "button", onclick: () => change({ ...settings, ...asked, temperature: asked.temperature ?? "1" }) }, "Use"),
        h("button", { type: "button", onclick: () => { card.remove(); pins.splice(pins.indexOf(asked), 1); savePins(); } }, "Unpin")));
    pinned.prepend(card);
  }

  /** @returns {[string, any][]} */
  const given = () => Object.entries(parameters()).filter(([, value]) => value !== null && value !== undefined);
  function asCurl() {
    return `curl -o sample.png '${address("/sample", parameters())}'`;
  }
  function asCommand() {
    const { model, class: of, n, seed: from, temperature: heat, truncation: threshold } = settings;
    return ["forger sample", of === null ? null : `--class ${of}`, `-n ${n}`, `--seed ${from}`, heat === "1" ? null : `--temperature ${heat}`, threshold && `--truncation ${threshold}`, `--model ${model}`, "--out sample.png"]
      .filter(Boolean).join(" ");
  }
  function asPython() {
    const named = given().map(([name, value]) => `${name === "class" ? "class_" : name}=${/^[0-9.]+$/.test(value) ? value : JSON.stringify(value)}`);
    return `from forger import Forger\n\nForger(${JSON.stringify(new URL(".", address("/")).href)}).sample(${named.join(", ")})`;
  }

  await draw();
  for (const asked of JSON.parse(sessionStorage.getItem("pins") ?? "[]")) {
    pins.push(asked);
    showPin(asked);
  }
}

/** The settings of pictures, but for their model. @param {Record<string, any>} asked */
const inWords = (asked) => [asked.class === null ? null : `class ${asked.class}`, `seed ${asked.seed}`, asked.temperature && `temperature ${asked.temperature}`, asked.truncation && `truncation ${asked.truncation}`].filter(Boolean).join(", ");
