// Spot the fake: a person tells real pictures from those of a model; the round counts in the model's human figure.

import { get, post, Problem } from "../api.js";
import { bar, empty, factBoxes, fill, h, setText, skeleton } from "../dom.js";
import { count } from "../format.js";
import { humanFigure } from "../human.js";
import { keep, shared } from "../main.js";
import { comparableWithData, versionOptions } from "../model_versions.js";
import { answered, LEAST_MS, median, orderOf, picturesOf } from "../round.js";
import { diceButton, randomSeed } from "../seed_dice.js";
import { shareButton } from "../share.js";

/** @typedef {import("../round.js").Answer} Answer */
/** @typedef {import("../round.js").Word} Word */

const SIZES = [10, 20, 40, 100];
const MOST = 200;
const JUDGE = "forger-judge";
const KEYS = /** @type {Record<string, Word>} */ ({ ArrowLeft: "real", ArrowRight: "fake" });

/** @type {import("../main.js").Room} */
export async function room(main, { query, signal }) {
  const data = shared ? [await sharedModel(shared.target, signal)] : (await get("/models", {}, signal)).data;
  const usable = data.filter((/** @type {any} */ model) => comparableWithData(model.latest));
  if (!usable.length) {
    fill(main, h("h1", {}, "Spot the fake"), empty("No model can be judged yet. Train one; this takes a minute:", "forger train cdcgan", h("a", { class: "button", href: "new?family=cdcgan" }, "Train one here")));
    return;
  }
  const view = { model: query.get("model") ?? usable[0].latest.model, n: query.get("n") ?? "20", seed: query.get("seed") ?? "1" };
  view.model = usable.find((/** @type {any} */ one) => one.name === view.model)?.latest.model ?? view.model;
  const place = h("div", { class: "stack" });
  fill(main, h("h1", {}, "Spot the fake"), place);
  setUp();

  /** Show the settings of the next round. */
  function setUp() {
    const model = h("select", { id: "model" }, versionOptions(usable));
    model.value = view.model;
    const amount = h("select", { id: "n" }, [...new Set([...SIZES, Number(view.n)])].sort((a, b) => a - b).map((size) => h("option", { value: size, selected: String(size) === view.n }, size)));
    const seed = h("input", { id: "seed", inputMode: "numeric", size: 12, value: view.seed });
    const judge = h("input", { id: "judge", size: 14, value: judgeName(), required: true, maxLength: 63, pattern: "[a-z0-9][a-z0-9._\\-]*", title: "Letters a to z, digits and . _ -", autocomplete: "off", spellcheck: false });
    const refusal = h("p", { class: "refusal", role: "alert" });
    const changed = () => {
      Object.assign(view, { model: model.value || view.model, n: amount.value, seed: seed.value.trim() });
      keep(view);
    };
    const form = h("form", {
      class: "card", onchange: changed,
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        changed();
        localStorage.setItem(JUDGE, judge.value.trim());
        void start(refusal).catch((error) => signal.aborted || setText(refusal, error instanceof Problem ? error.message : String(error)));
      },
    },
    h("p", {}, "You see real pictures and fakes, as many of each, one after the other. Say of each which it is. Nobody tells you whether you are right before the end."),
    h("div", { class: "row bottom" },
      h("label", { class: "field", for: "model" }, "Model", model),
      h("label", { class: "field", for: "n" }, "Pictures", amount),
      h("label", { class: "field", for: "seed" }, "Seed", seed),
      diceButton("Another seed", (value) => { seed.value = value; changed(); }),
      h("label", { class: "field", for: "judge" }, "Judge", judge)),
    refusal,
    h("div", { class: "row" }, h("button", { class: "main" }, "Start"), classLink()),
    h("p", { class: "hint" }, "A link gives everybody the same round. The judge is any name that tells people apart; a judge counts once for each model and seed."));
    fill(place, form);
    if (!model.value) setText(refusal, `There is no model ${view.model} that draws pictures. Choose another one.`);
  }

  /** A link to this round for a class. */
  function classLink() {
    return h("span", { class: "writes" }, shareButton("model", () => { keep(view); return view.model; }, "Share this round"));
  }

  /** Read the pictures and play. @param {HTMLElement} refusal */
  async function start(refusal) {
    const n = Number(view.n);
    if (!/^\d+$/.test(view.seed) || !Number.isSafeInteger(Number(view.seed))) return setText(refusal, `The seed is a whole number from 0 to ${Number.MAX_SAFE_INTEGER}.`);
    if (!Number.isInteger(n / 2) || n < SIZES[0] || n > MOST) return setText(refusal, `A round has an even number of pictures, ${SIZES[0]} to ${MOST}.`);
    const version = await get(`/models/${view.model}`, {}, signal);
    const loading = h("div", { "aria-busy": "true" }, skeleton(true));
    place.append(loading);
    try {
      const pictures = await picturesOf(version, view.seed, n, signal);
      const answers = await play(place, orderOf(view.seed, n), pictures, signal);
      await finish(version, answers, pictures);
    } finally {
      loading.remove();
    }
  }

  /** Send the round and show how it went. @param {any} version @param {Answer[]} answers @param {Record<Word, ImageBitmap[]>} pictures */
  async function finish(version, answers, pictures) {
    const everybody = h("div", { class: "card" }, skeleton());
    const again = h("button", { class: "main", onclick: () => { view.seed = randomSeed(); keep(view); setUp(); } }, "Another round");
    fill(place, own(answers), everybody,
      h("div", { class: "row" }, again, classLink(), h("span", { class: "writes" }, h("a", { class: "button", href: `models/${version.name}` }, "The model's card"))),
      h("section", { class: "stack", "aria-label": "The pictures" }, h("h2", {}, "The pictures"),
        h("div", { class: "tiles" }, answers.map((answer) => tile(answer, pictures[answer.truth][answer.index])))));
    again.focus();
    const send = async () => {
      try {
        await post(`/models/${version.model}/judgements`, { seed: Number(view.seed), judge: judgeName(), answers }, signal);
        const { figure } = await get(`/models/${version.model}/judgements`, { limit: 1 }, signal);
        fill(everybody, humanFigure(figure, `Everybody on ${version.model}`));
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        fill(everybody, h("p", { class: "refusal", role: "alert" }, `This round is not counted. ${error.message}`),
          error.status === 0 || error.status >= 429 ? h("button", { onclick: send }, "Send it again") : null);
      }
    };
    await send();
  }
}

/** The one version that a link shows, as a model of one version. @param {string} reference @param {AbortSignal} signal */
async function sharedModel(reference, signal) {
  const latest = await get(`/models/${reference}`, {}, signal);
  return { name: latest.name, latest, versions: [latest.version] };
}

/**
 * Show one picture after the other until each is answered.
 * @param {HTMLElement} place @param {import("../round.js").Shown[]} order @param {Record<Word, ImageBitmap[]>} pictures @param {AbortSignal} signal
 * @returns {Promise<Answer[]>}
 */
function play(place, order, pictures, signal) {
  const canvas = h("canvas", { class: "pixels judged", role: "img" });
  const progress = h("p", { class: "number", role: "status" });
  const done = h("div");
  /** @type {Answer[]} */
  const answers = [];
  let since = Infinity;
  const ended = new AbortController();
  return new Promise((resolve) => {
    /** @param {Word} word */
    const say = (word) => {
      const ms = performance.now() - since;
      if (!(ms >= LEAST_MS)) return; // no person is as quick: the same press twice
      answers.push(answered(order[answers.length], word, ms));
      if (answers.length < order.length) return next();
      ended.abort();
      resolve(answers);
    };
    const next = () => {
      const { truth, index } = order[answers.length];
      drawn(canvas, pictures[truth][index]);
      const text = `Picture ${answers.length + 1} of ${order.length}`;
      canvas.setAttribute("aria-label", text);
      setText(progress, text);
      fill(done, bar(answers.length / order.length));
      since = Infinity;
      requestAnimationFrame(() => { since = performance.now(); });
    };
    document.addEventListener("keydown", (event) => {
      if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
      event.preventDefault();
      say(KEYS[event.key]);
    }, { signal: AbortSignal.any([signal, ended.signal]) });
    const buttons = [h("button", { class: "main", onclick: () => say("real") }, "← Real"), h("button", { class: "main", onclick: () => say("fake") }, "Fake →")];
    fill(place, h("section", { class: "card round", "aria-label": "The round" }, progress, done, canvas,
      h("div", { class: "row" }, buttons), h("p", { class: "hint" }, "Keys: ← real, → fake. Your time counts from picture to answer.")));
    next();
  });
}

/** What one round says. @param {Answer[]} answers */
function own(answers) {
  const hits = answers.filter(right).length;
  const fakes = answers.filter(({ truth }) => truth === "fake");
  const facts = /** @type {[string, string][]} */ ([
    ["fakes taken for real", `${fakes.filter(({ guess }) => guess === "real").length} of ${fakes.length}`],
    ["real taken for fake", `${answers.filter(({ truth, guess }) => truth === "real" && guess === "fake").length} of ${fakes.length}`],
    ["median time", `${count(Math.round(median(answers.map(({ ms }) => ms))))} ms`],
  ]);
  return h("section", { class: "card", "aria-label": "Your round" },
    h("h2", {}, `You were right ${hits} times out of ${answers.length}`),
    h("div", { class: "facts" }, factBoxes(facts)),
    h("p", { class: "hint" }, "Guessing is right half of the time, and one round says little: the interval below tells how much all rounds say."));
}

/** @param {Answer} answer */
const right = ({ truth, guess }) => truth === guess;

/** A picture of the round with its truth. @param {Answer} answer @param {ImageBitmap} picture */
function tile(answer, picture) {
  return h("figure", { class: right(answer) ? "tile" : "tile wrong" },
    drawn(h("canvas", { class: "pixels", role: "img", "aria-label": `A ${answer.truth} picture` }), picture),
    h("figcaption", { class: "small" }, h("b", {}, answer.truth), h("br"), right(answer) ? "right" : `you took it for ${answer.guess}`));
}

/** Draw real pictures and fakes alike. @param {any} canvas @param {ImageBitmap} picture */
function drawn(canvas, picture) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return canvas;
}

/** The judge's name in this browser; a random one at first. */
function judgeName() {
  const name = localStorage.getItem(JUDGE) || `judge-${Math.floor(Math.random() * 16 ** 6).toString(16).padStart(6, "0")}`;
  localStorage.setItem(JUDGE, name);
  return name;
}
