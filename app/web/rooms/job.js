// One job: what it learns, how well, what went wrong, and what it left. One step cursor drives all of it.

import { get, post, send } from "../api.js";
import { augmentationPart } from "../augmentation.js";
import { Chart, label } from "../chart.js";
import { chartControls, readView } from "../chart_view.js";
import { Curves } from "../curves.js";
import { bar, copyButton, empty, factBoxes, fill, h, refill, setText, skeleton, stateWord, toast } from "../dom.js";
import { ago, count, duration, number, size } from "../format.js";
import { film } from "../film.js";
import { ENDED } from "../job_states.js";
import { follow } from "../log.js";
import { go, keep, shared } from "../main.js";
import { probe } from "../probe.js";
import { commandLine, curl, python } from "../request_text.js";
import { scatter } from "../scatter.js";
import { shareButton } from "../share.js";
import { inNextFrame } from "../soon.js";
import { stepCursor } from "../step_cursor.js";
import { actions, linked } from "./jobs.js";

const POINTS = 2000;
const BALANCE = "gauge/critic_accuracy";

/** @type {import("../main.js").Room} */
export async function room(main, { parts: [id], query, signal }) {
  const path = `/jobs/${encodeURIComponent(id)}`;
  const view = readView(query);
  /** @type {Map<string, Chart>} */
  const byTitle = new Map();
  const controls = chartControls(view, () => [...byTitle.values(), probes]);
  const onHide = () => keep({ hidden: [...view.hidden].join() });
  const curves = new Curves();
  /** @type {any[]} */
  const events = [];
  let job = await get(path, {}, signal);
  const title = job.kind === "augment" ? `Augmentation of ${job.dataset}` : `${job.family ?? job.kind} on ${job.dataset}`;
  document.title = `${title} · Forger`;

  const head = h("section", { class: "stack" });
  const trouble = h("div", { class: "stack", role: "status" });
  const charts = h("div", { class: "charts" }, skeleton(true));
  const pictures = film({ onStep: (step) => setStep(step), signal });
  const probes = probe(path, { view, onStep: (step) => setStep(step), onZoom: controls.zoom, onHide, sync: `job-${id}`, layers: query.get("layers"), onLayers: (layers) => keep({ layers }), signal });
  const log = h("ol", { class: "events small" });
  const files = h("div", { class: "stack" }, skeleton());
  const play = h("button", { type: "button", onclick: () => playSteps(), "aria-pressed": "false" }, "Play");
  const points = h("span", { class: "muted small", data: { points: "0" } });
  const cursor = stepCursor(view, readAt, play);
  const setStep = cursor.set;
  const augmentation = job.kind === "augment" ? augmentationPart(job.id, linked, signal) : null;
  cursor.element.classList.toggle("still", augmentation !== null); // it would cover the report
  const isTraining = job.kind === "train" || (augmentation !== null && job.spec.weights === null);
  const isTranslator = ["unpaired", "paired"].includes(job.recipe.game?.kind);

  fill(main, head, trouble, augmentation?.element,
    isTraining && h("section", { class: "card" }, h("h2", {}, isTranslator ? "The same pictures, step by step" : "The same noise, step by step"), pictures.element),
    isTraining && probes.element,
    isTraining && h("section", { class: "stack" },
      h("div", { class: "spread" }, h("h2", {}, "Curves"), h("div", { class: "row" }, points, controls.element)),
      h("p", { class: "hint" }, "Click in a chart to choose a step, drag to zoom, click a curve's name to hide it. The address keeps all of it."), charts),
    isTraining && cursor.element,
    h("div", { class: "charts" },
      h("section", { class: "card" }, h("h2", {}, "What happened"), log), files,
      h("section", { class: "card wide" }, logPanel(path, signal)),
      h("section", { class: "card wide" }, h("details", {}, h("summary", {}, "Recipe"), h("div", { class: "row" }, copies()), h("pre", { tabIndex: 0, "aria-label": "Recipe as JSON" }, JSON.stringify(job.recipe, null, 2))))));

  const plane = scatter({ onStep: (step) => setStep(step) });

  /** The job's request, to train the same again elsewhere. */
  function copies() {
    const body = { recipe: job.recipe, model: job.model };
    return [copyButton(() => JSON.stringify(job.recipe, null, 2), "JSON"),
      ...job.kind === "train" ? [copyButton(() => curl(body), "curl"), copyButton(() => commandLine(body), "CLI"), copyButton(() => python(body), "Python")] : []];
  }

  /** Show all at a step; null: at the newest one. @param {number | null} step */
  function readAt(step) {
    pictures.show(step);
    probes.show(step);
    plane.mark(step);
    for (const chart of byTitle.values()) chart.mark();
  }

  /** @type {ReturnType<typeof setInterval> | undefined} */
  let playing;
  function playSteps() {
    play.setAttribute("aria-pressed", String(!playing));
    setText(play, playing ? "Play" : "Stop");
    if (playing) {
      clearInterval(playing);
      playing = undefined;
      return;
    }
    if (view.step === null || view.step >= pictures.last()) setStep(pictures.next(-1) ?? 0);
    playing = setInterval(() => {
      const next = pictures.next(view.step ?? -1);
      if (next === null) playSteps();
      else setStep(next);
    }, 250);
  }
  signal.addEventListener("abort", () => {
    clearInterval(playing);
    for (const chart of byTitle.values()) chart.destroy();
  });

  const titleRow = h("div", { class: "spread" });
  const progress = bar(0);
  const facts = h("div", { class: "facts" });
  const notes = h("div", { class: "stack" });
  fill(head, titleRow, progress, facts, notes);

  function drawHead() {
    const { step, total, eta_s: eta } = job.progress;
    refill(titleRow, [job.state, job.health?.state], () => [
      h("div", { class: "row" }, h("h1", {}, title), stateWord(job.state), job.health && stateWord(job.health.state)),
      h("div", { class: "row writes" }, shareButton("job", () => job.id), actions(job, (now) => {
        if (now === null) return go("jobs");
        job = now;
        drawAll();
      }, () => job))]);
    progress.firstChild.style.width = `${total ? (100 * step) / total : 0}%`;
    const shown = /** @type {[string, any][]} */ ([
      ["step", `${count(step)} of ${count(total)}`], ["left", job.state === "running" ? duration(eta) : "–"],
      ["best", job.best ? `${job.best.metric.replaceAll("_", " ")} ${number(job.best.value)} at ${count(job.best.step)}` : "–"],
      ["attempt", job.attempt], ["device", job.numerics ? `${job.numerics.device ?? ""} ${job.numerics.precision ?? ""}` : "–"],
      ["created", ago(job.created_at)], ["model", job.model],
    ]);
    refill(facts, shown, () => factBoxes(shown));
    const { queue_position: place, starts_in_s: starts, experiment } = job;
    const version = job.result?.model;
    refill(notes, [place, starts, version, experiment], () => [
      place && h("p", { class: "muted" }, `Number ${place} in the queue${starts === null ? "" : `; starts in about ${duration(starts)}`}.`),
      version && h("p", {}, "Published as ", shared ? version : h("a", { href: `models/${version.split("@")[0]}` }, version), ". ",
        h("span", { class: "writes" }, isTranslator ? h("a", { href: `translate?model=${encodeURIComponent(version)}` }, "Translate with it") : h("a", { href: `sample?model=${encodeURIComponent(version)}` }, "Sample it"))),
      experiment && h("p", { class: "muted" }, h("a", { href: `experiments/${experiment}` }, "Part of an experiment"), `: case ${job.case?.name ?? "of no name"}, seed ${job.recipe.seed}.`)]);
    const learned = augmentation ? job.recipe.budget.steps : total ?? step;
    cursor.setRange(Math.min(step, learned), learned);
  }

  function drawTrouble() {
    const { state, status_reason: reason, health } = job;
    refill(trouble, [state, reason, health], () => [
      reason && state !== "succeeded" && h("div", { class: "notice bad" }, h("b", {}, `Why it ${state === "failed" ? "failed" : "stopped"}: `), reason.message),
      reason && state === "succeeded" && h("div", { class: "notice" }, reason.message),
      health && h("div", { class: `notice ${health.state === "troubled" ? "warn" : ""}` },
        h("b", {}, health.kind ? `${health.kind.replaceAll("_", " ")}: ` : ""), health.message,
        health.state === "troubled" && h("span", { class: "writes" }, " ", h("a", { href: `new?clone=${job.id}` }, "Clone it with changes"), "."))]);
  }

  /** The charts, by title, with the curves of each. */
  function groups() {
    const { names } = curves;
    const of = (/** @type {string} */ beginning) => names.filter((name) => name.startsWith(beginning));
    const watched = `figure/${job.recipe.watch?.metric}`;
    const single = names.filter((name) => !/^(critic|generator)\//.test(name) && name !== BALANCE);
    single.sort((a, b) => Number(b === watched) - Number(a === watched));
    const logarithmic = ["minimax", "non_saturating"].includes(job.recipe.objective?.kind);
    const rest = logarithmic ? [{ value: Math.LN2, text: "ln 2" }] : [];
    /** @type {[string, string[], {value: number, text: string}[]][]} */
    const found = [
      ["Losses of the critic", of("critic/"), logarithmic ? [{ value: 2 * Math.LN2, text: "2 ln 2" }] : []],
      ["Losses of the generator", of("generator/"), rest],
      ["Balance: share of pairs that the critic orders correctly", names.filter((name) => name === BALANCE), [{ value: 0.5, text: "guesses" }, { value: 1, text: "always wins" }]],
      ...single.map((name) => /** @type {[string, string[], []]} */ ([name === watched ? `${label(name)} (decides which checkpoint is best)` : label(name), [name], []])),
    ];
    return found.filter(([, members]) => members.length);
  }

  const marks = () => [
    ...events.filter((event) => event.type === "health").map((event) => ({ step: event.data.step, text: event.data.message, colour: "--warn" })),
    ...(job.best ? [{ step: job.best.step, text: "best", colour: "--good" }] : []),
  ];

  function drawCharts() {
    if (!curves.names.length) {
      fill(charts, empty(ENDED.includes(job.state) ? "This job left no curves." : "The first report brings the curves."));
      return;
    }
    for (const [title, names, guides] of groups()) {
      let chart = byTitle.get(title);
      if (!chart) {
        if (!byTitle.size) fill(charts);
        chart = new Chart(title, curves, { view, onStep: setStep, onZoom: controls.zoom, onHide, marks, guides, sync: `job-${id}` });
        byTitle.set(title, chart);
        charts.append(chart.element);
      }
      chart.show(names);
    }
    plane.draw(curves, job.best?.step ?? null);
    if (plane.shown && !plane.element.isConnected) charts.insertBefore(plane.element, charts.children[3] ?? null);
    points.dataset.points = String(curves.points);
    setText(points, `${count(curves.points)} points${curves.thinned ? "; long curves are thinned, their extremes are kept" : ""}`);
  }

  const drawSoon = inNextFrame(drawAll, signal);

  function drawAll() {
    drawHead();
    drawTrouble();
    augmentation?.show(job);
    if (isTraining) drawCharts();
    if (view.step === null) readAt(null);
  }

  /** Add an event to the list. @param {any} event */
  function tell(event) {
    const text = sentence(event);
    if (!text) return;
    log.prepend(h("li", {}, h("time", { class: "muted number", dateTime: event.at }, new Date(event.at).toLocaleTimeString()),
      event.data.step === undefined || event.type === "augmentation" ? h("span", {}, text) : h("button", { type: "button", class: "plain", onclick: () => setStep(event.data.step) }, text)));
  }

  async function readFiles() {
    const [artifacts, checkpoints] = await Promise.all([get(`${path}/artifacts`, {}, signal), get(`${path}/checkpoints`, {}, signal)]);
    const left = artifacts.data.filter((/** @type {any} */ file) => !["sample", "probe", "part"].includes(file.kind));
    fill(files,
      h("section", { class: "card" }, h("h2", {}, "Checkpoints"), checkpoints.data.length ? checkpointTable(checkpoints.data) : h("p", { class: "muted" }, "None yet.")),
      h("section", { class: "card" }, h("h2", {}, "Files"), left.length
        ? h("table", { class: "table" }, h("tbody", {}, left.map((/** @type {any} */ file) => h("tr", {},
          h("td", {}, h("a", { href: linked(file.href), download: file.name }, file.name)), h("td", { class: "muted" }, file.kind), h("td", { class: "number" }, size(file.size))))))
        : h("p", { class: "muted" }, "None yet.")));
  }

  /** @param {any[]} checkpoints */
  function checkpointTable(checkpoints) {
    const metric = job.recipe.watch?.metric;
    return h("table", { class: "table" },
      h("thead", {}, h("tr", {}, h("th", { class: "number" }, "step"), metric && h("th", { class: "number" }, metric), h("th", { class: "number" }, "size"), h("th", {}, ""))),
      h("tbody", {}, checkpoints.map((one) => h("tr", {},
        h("td", { class: "number" }, one.step === job.best?.step && h("span", { title: "the best" }, "★ "), count(one.step)),
        metric && h("td", { class: "number" }, number(curves.byName.get(`figure/${metric}`)?.get(one.step))),
        h("td", { class: "number" }, size(one.size)),
        h("td", { class: "number" }, h("button", { type: "button", class: "writes", onclick: () => publish(one) }, "Publish"))))));
  }

  /** @param {any} checkpoint */
  async function publish(checkpoint) {
    try {
      const version = await post("/models", { name: job.model, checkpoint: checkpoint.id });
      const name = `${version.name}@${version.version}`;
      toast(`Step ${checkpoint.step} is ${name}.`, ["Open it", () => go(`models/${version.name}`)]);
    } catch (error) {
      toast(/** @type {Error} */ (error).message);
    }
  }

  const refreshJob = async () => {
    job = await get(path, {}, signal);
    drawSoon();
  };

  follow((event) => {
    if (event.job !== job.id) return;
    if (sentence(event)) events.push(event);
    tell(event);
    const { data } = event;
    if (event.type === "metrics") {
      curves.report(data.step, data.values);
      job.progress.step = Math.max(job.progress.step, data.step);
    } else if (event.type === "sample") pictures.add(data.step, linked(`${job.links.artifacts}/${data.artifact}`));
    else if (event.type === "probe") probes.add(data.step, data.artifact);
    else if (event.type === "best") job.best = data;
    else if (event.type === "rewound") {
      curves.rewind(data.to_step);
      pictures.rewind(data.to_step);
      probes.rewind(data.to_step);
    } else if (event.type === "state") void refreshJob().then(readFiles).catch(() => undefined);
    else if (event.type === "health") void refreshJob().catch(() => undefined);
    drawSoon();
  }, signal);

  drawHead();
  drawTrouble();
  const [metrics, samples, logged, artifacts] = await Promise.all([
    isTraining ? get(`${path}/metrics`, { points: POINTS }, signal) : { data: [] },
    isTraining ? get(`${path}/samples`, {}, signal) : { data: [] },
    readEvents(path, signal),
    get(`${path}/artifacts`, { kind: "probe" }, signal).catch(() => ({ data: [] })),
  ]);
  curves.read(metrics.data);
  for (const one of samples.data) pictures.add(one.step, linked(one.href));
  for (const one of artifacts.data) probes.add(one.step, one.id);
  const known = new Set(events.map((event) => event.seq));
  const earlier = logged.filter((event) => !known.has(event.seq));
  log.replaceChildren();
  events.unshift(...earlier);
  events.forEach(tell);
  drawAll();
  readAt(view.step);
  await readFiles();
  const timer = setInterval(() => {
    if (document.hidden) return;
    if (ENDED.includes(job.state)) drawHead(); // how long ago it was created
    else void refreshJob().catch(() => undefined);
  }, 3000);
  signal.addEventListener("abort", () => clearInterval(timer));
}

/** The end of the log, read when it is opened. @param {string} path of the job @param {AbortSignal} signal */
function logPanel(path, signal) {
  const text = h("pre", { tabIndex: 0, "aria-label": "End of the log" });
  const read = async () => setText(text, await send("GET", `${path}/log`, { signal }).then((reply) => reply.text(), (problem) => problem.message));
  const panel = h("details", {}, h("summary", {}, "Log"), h("button", { type: "button", onclick: read }, "Read again"), text);
  panel.addEventListener("toggle", () => panel.open && void read());
  return panel;
}

/** Read the events of a job but for its many reports. @param {string} path @param {AbortSignal} signal @returns {Promise<any[]>} */
async function readEvents(path, signal) {
  const found = [];
  let after = 0;
  for (;;) {
    const { data } = await get(`${path}/events`, { after, limit: 500 }, signal);
    found.push(...data.filter((/** @type {any} */ event) => !["metrics", "sample", "probe"].includes(event.type)));
    if (data.length < 500) return found;
    after = data[data.length - 1].seq;
  }
}

/** An event as a sentence; null for those that the curves and pictures show. @param {any} event */
function sentence({ type, data }) {
  switch (type) {
    case "state":
      return data.reason ? `${data.state}: ${data.reason.message}` : data.state;
    case "health":
      return `${data.kind.replaceAll("_", " ")} at step ${count(data.step)}: ${data.message}`;
    case "best":
      return `best so far at step ${count(data.step)}: ${data.metric.replaceAll("_", " ")} ${number(data.value)}`;
    case "rewound":
      return `went on from step ${count(data.to_step)}`;
    case "metrics": case "sample": case "checkpoint": case "probe":
      return null;
    default:
      return data.message ?? type.replaceAll("_", " ");
  }
}
