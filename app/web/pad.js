// A pad to draw on: dark lines on white for models that paint drawings, or a hole over a picture for models that fill
// holes. It works with a pen, a finger, a mouse, and by keyboard.

import { fill, h, setText } from "./dom.js";
import { draw, encode, pixelsOf, sheet } from "./pixels.js";

const MOST_STEPS_BACK = 50;
const MOST_BYTES_BACK = 64e6;
/** pixels of the screen that a small pad is enlarged to */
const LARGE = 384;
/** a hole is where the ink covers a pixel by half or more */
const HALF = 128;
const HELP = "Arrow keys move, with Shift further. Space puts the pen down and lifts it. Ctrl+Z undoes.";
const ARROWS = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });

/** @typedef {{x: number, y: number}} Point in pixels of the picture */
/** @typedef {"lines" | "hole"} What the ink means */

/** @param {{onChange: () => void}} options `onChange` is called after each stroke */
export function pad({ onChange }) {
  /** @type {What} */
  let what = "lines";
  let erasing = false;
  let down = false;
  /** @type {Point} */
  let at = { x: 0, y: 0 };
  let ground = sheet(1, 1, true).canvas;
  let ink = sheet(1, 1);
  let chequers = ground;
  /** @type {{ground: HTMLCanvasElement, ink: ImageData}[]} */
  let past = [];

  const shown = h("canvas", { tabIndex: 0, role: "application", "aria-describedby": "pad-help" });
  const cursor = h("i", { "aria-hidden": "true" });
  const surface = h("div", { class: "pad" }, shown, cursor);
  const place = h("span", { class: "hint number", role: "status" });
  const pen = h("button", { type: "button", onclick: () => choose(false) }, "Pen");
  const eraser = h("button", { type: "button", onclick: () => choose(true) }, "Eraser");
  const width = h("input", { type: "range", min: 1, id: "pad-width", oninput: () => setText(widthText, `${width.value} px`) });
  const widthText = h("output", { class: "number" });
  const undoing = h("button", { type: "button", onclick: undo }, "Undo");
  const holes = h("div", { class: "row", role: "group", "aria-label": "A hole" },
    h("button", { type: "button", onclick: () => box(0.25, 0.25, 0.5, 0.5) }, "Hole in the middle"),
    h("button", { type: "button", onclick: () => box(0, 0, 0.5, 1) }, "Left half"));
  const element = h("div", { class: "stack" },
    h("div", { class: "row" }, h("div", { class: "row", role: "group", "aria-label": "Tool" }, pen, eraser),
      h("label", { for: "pad-width" }, "Width", width, widthText), undoing, h("button", { type: "button", onclick: clear }, "Clear")),
    holes, surface, h("div", { class: "spread" }, h("p", { class: "hint", id: "pad-help" }, HELP), place));

  /** @param {boolean} eraserChosen */
  function choose(eraserChosen) {
    erasing = eraserChosen;
    pen.setAttribute("aria-pressed", String(!erasing));
    eraser.setAttribute("aria-pressed", String(erasing));
  }

  function remember() {
    past.push({ ground, ink: pixelsOf(ink.canvas) });
    const most = Math.max(1, Math.min(MOST_STEPS_BACK, Math.floor(MOST_BYTES_BACK / past[0].ink.data.length)));
    past = past.slice(-most);
  }

  function undo() {
    const before = past.pop();
    if (!before) return;
    ground = before.ground;
    setSize(before.ink.width, before.ink.height);
    ink.context.putImageData(before.ink, 0, 0);
    changed();
  }

  function clear() {
    remember();
    if (what === "lines") ground = sheet(ground.width, ground.height, true).canvas;
    ink = sheet(ground.width, ground.height);
    changed();
  }

  function changed() {
    paint();
    onChange();
  }

  /** Paint over a part of the picture, given in shares of its sides. @param {number} left @param {number} top @param {number} wide @param {number} high */
  function box(left, top, wide, high) {
    remember();
    const { width: across, height: along } = ground;
    ink = sheet(across, along);
    ink.context.fillRect(Math.floor(left * across), Math.floor(top * along), Math.floor(wide * across), Math.floor(high * along));
    changed();
  }

  function paint() {
    const context = /** @type {CanvasRenderingContext2D} */ (shown.getContext("2d"));
    context.globalAlpha = 1;
    context.drawImage(ground, 0, 0);
    if (what === "hole") context.drawImage(hatched(ink.canvas, chequers), 0, 0);
    else context.drawImage(ink.canvas, 0, 0);
    undoing.disabled = past.length === 0;
    cursor.style.left = `${(100 * at.x) / ground.width}%`;
    cursor.style.top = `${(100 * at.y) / ground.height}%`;
    cursor.classList.toggle("down", down);
  }

  /** Put ink on a line; the caller paints. @param {Point} from @param {Point} to */
  function stroke(from, to) {
    const { context } = ink;
    context.globalCompositeOperation = erasing && what === "hole" ? "destination-out" : "source-over";
    context.strokeStyle = erasing && what === "lines" ? "#fff" : "#000";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = Number(width.value);
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y + (from.x === to.x && from.y === to.y ? 0.01 : 0)); // a click leaves a dot
    context.stroke();
    context.globalCompositeOperation = "source-over";
  }

  /** @param {PointerEvent} event @returns {Point} */
  function pointOf(event) {
    const area = shown.getBoundingClientRect();
    return { x: ((event.clientX - area.left) / area.width) * ground.width, y: ((event.clientY - area.top) / area.height) * ground.height };
  }

  shown.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (event.button) return;
    shown.setPointerCapture(event.pointerId);
    down = false;
    remember();
    at = pointOf(event);
    stroke(at, at);
    paint();
  });
  shown.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!shown.hasPointerCapture(event.pointerId)) return;
    for (const part of event.getCoalescedEvents?.() ?? [event]) {
      const to = pointOf(part);
      stroke(at, to);
      at = to;
    }
    paint();
  });
  shown.addEventListener("lostpointercapture", onChange);
  shown.addEventListener("keydown", onKey);

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const arrow = ARROWS[event.key];
    if (arrow) {
      const far = Math.max(1, Math.round(ground.width / 64)) * (event.shiftKey ? 8 : 1);
      const to = { x: Math.min(ground.width, Math.max(0, at.x + far * arrow[0])), y: Math.min(ground.height, Math.max(0, at.y + far * arrow[1])) };
      const from = at;
      at = to;
      if (down) stroke(from, to);
      paint();
      if (down) onChange();
    } else if (event.key === " " || event.key === "Enter") {
      down = !down;
      if (down) {
        remember();
        stroke(at, at);
        onChange();
      }
      paint();
    } else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) undo();
    else return;
    event.preventDefault();
    event.stopPropagation();
    setText(place, `${down ? (erasing ? "eraser" : "pen") + " down" : "pen up"}, ${Math.round(at.x)} right, ${Math.round(at.y)} down`);
  }

  /** @param {number} wide @param {number} high in pixels */
  function setSize(wide, high) {
    shown.width = wide;
    shown.height = high;
    ink = sheet(wide, high);
    chequers = chequered(wide, high);
    const scale = Math.max(1, Math.floor(LARGE / Math.max(wide, high)));
    surface.style.maxWidth = `${wide * scale}px`;
    shown.classList.toggle("pixels", scale > 1);
    const least = what === "hole" ? Math.max(1, Math.round(Math.min(wide, high) / 8)) : Math.max(1, Math.round(Math.min(wide, high) / 64));
    width.max = String(Math.max(8, 4 * least));
    width.value = String(least);
    setText(widthText, `${width.value} px`);
    at = { x: wide / 2, y: high / 2 };
  }

  choose(false);
  return {
    element,
    /**
     * Begin with a picture, or with white; transparent parts of a picture become its hole. What was there comes back by Undo.
     * @param {What} meaning @param {ImageBitmap | HTMLCanvasElement | {width: number, height: number}} picture
     */
    start(meaning, picture, { keepPast = true } = {}) {
      if (keepPast && meaning === what && ground.width > 1) remember();
      else past = [];
      what = meaning;
      holes.hidden = what !== "hole";
      shown.setAttribute("aria-label", what === "hole" ? "The picture and its hole" : "Drawing pad");
      const isPicture = picture instanceof HTMLCanvasElement || picture instanceof ImageBitmap;
      ground = isPicture ? draw(picture) : sheet(picture.width, picture.height, true).canvas;
      setSize(ground.width, ground.height);
      if (isPicture && what === "hole") ink.context.putImageData(holeOf(picture), 0, 0);
      paint();
    },
    /** Cut the hole that this training used. */
    cutMiddle: () => box(0.25, 0.25, 0.5, 0.5),
    /** Whether a hole is painted, or a line drawn by hand. */
    inked: () => pixelsOf(ink.canvas).data.some((value, index) => index % 4 === 3 && value >= HALF),
    /** The picture to send: a PNG whose hole is transparent, or the drawing. */
    picture: () => encode(result()),
    /** The hole as a mask: white on black. */
    mask,
  };

  function mask() {
    const { canvas, context } = sheet(ground.width, ground.height);
    const image = pixelsOf(ink.canvas);
    for (let at = 0; at < image.data.length; at += 4) {
      image.data.fill(image.data[at + 3] < HALF ? 0 : 255, at, at + 3);
      image.data[at + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  function result() {
    const { canvas, context } = sheet(ground.width, ground.height);
    context.drawImage(ground, 0, 0);
    if (what === "lines") context.drawImage(ink.canvas, 0, 0);
    else {
      const image = pixelsOf(canvas);
      const cover = pixelsOf(ink.canvas).data;
      for (let index = 3; index < cover.length; index += 4) image.data[index] = cover[index] >= HALF ? 0 : 255;
      context.putImageData(image, 0, 0);
    }
    return canvas;
  }
}

/** Ink where a picture is transparent. @param {ImageBitmap | HTMLCanvasElement} picture */
function holeOf(picture) {
  const image = pixelsOf(draw(picture, true));
  for (let at = 0; at < image.data.length; at += 4) image.data.set([0, 0, 0, image.data[at + 3] < HALF ? 255 : 0], at);
  return image;
}

/** A chequered area. @param {number} width @param {number} height */
function chequered(width, height) {
  const { canvas, context } = sheet(width, height);
  const size = Math.max(1, Math.round(Math.min(width, height) / 32));
  for (let y = 0; y < height; y += size) {
    for (let x = 0; x < width; x += size) {
      context.fillStyle = (x / size + y / size) % 2 ? "#8a93a6" : "#c9cfdb";
      context.fillRect(x, y, size, size);
    }
  }
  return canvas;
}

/** Show a hole as a chequered area, which stands out from every picture. @param {HTMLCanvasElement} ink @param {HTMLCanvasElement} chequers */
function hatched(ink, chequers) {
  const { canvas, context } = sheet(ink.width, ink.height);
  context.drawImage(chequers, 0, 0);
  context.globalCompositeOperation = "destination-in";
  context.drawImage(ink, 0, 0);
  return canvas;
}
