// The way from sample to sample: waypoints that a person clicks, the frames between them, and their animation.

import { get, Problem, root } from "./api.js";
import { copyButton, fill, h, setText, skeleton } from "./dom.js";
import { drawnBy, enlarged, legs, namesIn, readPoints, sourceOf, wayAddress } from "./latents.js";
import { keep } from "./main.js";
import { quoted } from "./request_text.js";
import { sampleTray } from "./sample_tray.js";

const MOST_WAYPOINTS = 16;
const FRAMES_A_SECOND = 12;
/** pixels of all frames of an animation together, as `GET /limits` has it under animation_pixels */
const ANIMATION_PIXELS = 4_194_304;

/** @param {{signal: AbortSignal}} options @returns {import("./latent_tools.js").Tool} */
export function interpolation({ signal }) {
  const query = new URLSearchParams(location.search);
  let names = namesIn(query.get("way")).slice(0, MOST_WAYPOINTS);
  /** @type {import("./latents.js").Chosen} */
  let chosen;
  /** @type {string[]} */
  let frames = [];
  let newest = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let playing;
  signal.addEventListener("abort", () => clearInterval(playing));

  const tray = sampleTray({ hint: "Click samples in the order of the way. Another seed or class above brings others.", onPick: (name) => change([...names, name]), signal });
  const waypoints = h("div", { class: "row", role: "group", "aria-label": "Waypoints" });
  const amount = h("input", { id: "frames", type: "number", min: 2, max: 240, value: query.get("frames") ?? 24, onchange: () => amount.reportValidity() && change() });
  const mode = h("select", { id: "mode", onchange: () => change() }, h("option", { value: "slerp" }, "on a great circle"), h("option", { value: "linear" }, "straight"));
  mode.value = query.get("mode") ?? "slerp";
  const loop = h("input", { id: "loop", type: "checkbox", checked: query.get("loop") === "true", onchange: () => change() });
  const picture = h("img", { class: "pixels moving", alt: "" });
  const scrub = h("input", { type: "range", min: 0, step: 1, value: 0, disabled: true, "aria-label": "Frame", oninput: () => showFrame(Number(scrub.value)) });
  const number = h("output", { class: "number" });
  const play = h("button", { type: "button", disabled: true, onclick: () => (playing ? stop() : start()) }, "Play");
  const strip = h("div", { class: "strip", role: "group", "aria-label": "Frames" });
  const refusal = h("p", { class: "refusal", role: "alert" });
  const downloads = h("div", { class: "row" });
  const film = h("div", { class: "halves", hidden: true },
    h("div", { class: "stack" }, picture, h("div", { class: "step" }, play, scrub, number)),
    h("div", { class: "stack" }, strip, downloads, h("div", { class: "row" }, copyButton(asCurl, "curl"), copyButton(asCommand, "CLI"), copyButton(asPython, "Python"))));
  const invitation = h("p", { class: "hint" }, "Choose two samples or more.");
  const element = h("div", { class: "stack" }, tray.element,
    h("section", { class: "card", "aria-label": "The way" },
      h("div", { class: "row bottom" }, h("label", { class: "field", for: "frames" }, "Frames", amount), h("label", { class: "field", for: "mode" }, "Between samples", mode),
        h("label", { for: "loop" }, loop, "Back to the first"), h("button", { type: "button", onclick: () => change([]) }, "Clear the way")),
      waypoints, invitation, refusal, film));

  /** The parameters of the way, but for its waypoints. */
  const way = () => ({ frames: amount.value, mode: mode.value === "slerp" ? null : mode.value, loop: loop.checked ? "true" : null });

  /** @param {string[]} [chosenNames] */
  function change(chosenNames = names) {
    names = chosenNames.slice(0, MOST_WAYPOINTS);
    keep({ way: names.join(","), ...way() });
    void draw().catch((error) => signal.aborted || console.error(error));
  }

  async function draw() {
    const own = ++newest;
    stop();
    setText(refusal, names.length === MOST_WAYPOINTS ? "A way has at most 16 waypoints." : "");
    invitation.hidden = names.length > 1;
    film.hidden = names.length < 2;
    try {
      const points = await readPoints(chosen, names, signal);
      if (own !== newest) return;
      fill(waypoints, points.map((point, at) => h("figure", { class: "waypoint" },
        h("img", { class: "pixels", src: sourceOf(point.image), alt: `Waypoint ${at + 1}: ${point.name}` }),
        h("figcaption", { class: "small" }, h("span", { class: "mono" }, point.name),
          h("button", { type: "button", class: "plain", "aria-label": `Remove waypoint ${at + 1}`, onclick: () => change(names.filter((_, other) => other !== at)) }, "Remove")))));
      if (names.length < 2) return;
      if (!frames.length) fill(strip, skeleton());
      const { images } = await get("/interpolate", { ...drawnBy(chosen), ...legs(names), ...way(), format: "json" }, signal);
      if (own !== newest) return;
      showFrames(images);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (own !== newest) return;
      film.hidden = true;
      setText(refusal, error.message);
      if (!waypoints.children.length) fill(waypoints, names.map((name) => h("span", { class: "mono" }, name)));
    }
  }

  /** @param {string[]} images */
  function showFrames(images) {
    frames = images.map(sourceOf);
    fill(strip, frames.map((source, at) => h("button", { type: "button", "aria-label": `Frame ${at + 1}`, onclick: () => { stop(); showFrame(at); } }, h("img", { class: "pixels", src: source, alt: "" }))));
    scrub.max = String(frames.length - 1);
    scrub.disabled = play.disabled = false;
    const { side } = chosen.version.recipe.data;
    const scale = Math.min(8, enlarged(chosen.version), Math.floor(Math.sqrt(ANIMATION_PIXELS / (frames.length * side * side))));
    const files = [...(scale ? [["webp", "WebP"], ["apng", "APNG"]] : []), ["png", "Strip"], ["zip", "ZIP of frames"]];
    fill(downloads, files.map(([format, title]) => h("a", {
      class: "button", href: wayAddress(chosen, names, { ...way(), scale: ["webp", "apng"].includes(format) ? scale : null, format }),
      download: `way.${format === "apng" ? "png" : format}`,
    }, title)), !scale && h("span", { class: "hint" }, "An animation of so many frames of this size is too large. Fewer frames make one."));
    showFrame(Math.min(frames.length - 1, Number(scrub.value)));
  }

  /** @param {number} at */
  function showFrame(at) {
    scrub.value = String(at);
    picture.src = frames[at];
    picture.alt = `Frame ${at + 1} of ${frames.length}`;
    setText(number, `${at + 1} of ${frames.length}`);
    scrub.setAttribute("aria-valuetext", picture.alt);
    [...strip.children].forEach((button, other) => {
      button.setAttribute("aria-pressed", String(other === at));
      const tile = /** @type {HTMLElement} */ (button);
      if (other === at) strip.scrollTo({ left: tile.offsetLeft - strip.offsetLeft - strip.clientWidth / 2, top: tile.offsetTop - strip.offsetTop - strip.clientHeight / 2 });
    });
  }

  function start() {
    setText(play, "Pause");
    let step = 1;
    playing = setInterval(() => {
      const at = Number(scrub.value);
      // A way that does not return is shown there and back.
      if (!loop.checked && (at + step < 0 || at + step >= frames.length)) step = -step;
      showFrame((at + step + frames.length) % frames.length);
    }, 1000 / FRAMES_A_SECOND);
  }

  function stop() {
    clearInterval(playing);
    playing = undefined;
    setText(play, "Play");
  }

  const options = () => Object.entries({ ...way(), ...drawnBy(chosen) }).filter(([, value]) => value !== null && value !== undefined);

  function asCurl() {
    return `curl -o way.webp '${wayAddress(chosen, names, { ...way(), format: "webp" })}'`;
  }

  function asCommand() {
    return ["forger interpolate", ...names.map(quoted), ...options().map(([name, value]) => (name === "loop" ? "--loop" : `--${name} ${quoted(String(value))}`)), "-o way.webp"].join(" ");
  }

  function asPython() {
    const named = options().map(([name, value]) => `${name}=${name === "loop" ? "True" : /^[0-9.]+$/.test(value) ? value : JSON.stringify(value)}`);
    return `from forger import Forger\n\nForger(${JSON.stringify(root.href)}).interpolate(${[...names.map((name) => JSON.stringify(name)), ...named, 'format="webp"'].join(", ")}).save("way.webp")`;
  }

  let drawnFor = "";
  return {
    element,
    async update(now) {
      chosen = now;
      const key = JSON.stringify(drawnBy(now));
      await Promise.all([tray.update(now), key === drawnFor || draw()]);
      drawnFor = key;
    },
  };
}
