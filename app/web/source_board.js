// The picture to translate: a file as it is, or what a person draws or cuts on the pad.

import { fill, h } from "./dom.js";
import { pad } from "./pad.js";
import { decode, draw, encode, framed, resized, squared, traced } from "./pixels.js";

/** @typedef {import("./translators.js").Translator} Translator */
/** @typedef {{file: Blob, name: string, bitmap: ImageBitmap | null, example: boolean}} Source `bitmap` is null where this browser cannot decode the file */

/** @param {{onChange: () => void}} options `onChange` is called after each stroke */
export function sourceBoard({ onChange }) {
  /** @type {Source | null} */
  let source = null;
  /** @type {Translator | undefined} */
  let translator;
  let small = false;
  /** side of the white pad that a person draws on */
  let blankSide = 0;
  const board = pad({ onChange });
  const title = h("h2");
  const tracing = h("button", { type: "button", onclick: () => void trace() }, "Trace its edges");
  const element = h("section", { class: "card board", hidden: true, "aria-label": "Your picture" }, h("div", { class: "spread" }, title, tracing), board.element);

  const onPad = () => !element.hidden;

  /** Put the picture on the pad, if this model reads drawings or holes. */
  async function show(asLines = false) {
    if (!translator) return;
    const { reads, side, searches } = translator;
    const unreadable = source !== null && source.bitmap === null;
    element.hidden = !(reads === "lines" || (reads === "hole" && source)) || unreadable;
    if (element.hidden) return;
    fill(title, reads === "lines" ? "Draw" : "Paint the hole");
    tracing.hidden = reads !== "lines" || !source;
    if (reads === "lines" && !source && blankSide === side) return;
    blankSide = reads === "lines" && !source ? side : 0;
    const whole = source?.bitmap && (searches ? await squared(source.bitmap) : source.bitmap);
    const picture = whole && (small ? await resized(whole, side) : whole);
    if (reads === "lines") board.start("lines", picture ? (asLines ? traced(draw(picture)) : picture) : { width: side, height: side });
    else if (picture) {
      board.start("hole", picture);
      if (translator.needsHole && !board.inked()) board.cutMiddle();
    }
  }

  async function trace() {
    await show(true);
    onChange();
  }

  return {
    element,
    name: () => source?.name ?? "drawing.png",
    /** Whether a person may draw here now. */
    drawing: onPad,
    /**
     * Take a picture. An example is real: it is traced for a model that reads drawings and reduced for one that enlarges.
     * @param {File} file @param {boolean} example
     */
    async use(file, example) {
      const bitmap = await decode(file);
      source = { file, name: file.name, bitmap, example };
      if (example && bitmap && translator?.reads === "small" && Math.min(bitmap.width, bitmap.height) > translator.side) {
        const reduced = await resized(bitmap, translator.side);
        source = { file: await encode(draw(reduced)), name: file.name, bitmap: reduced, example };
      }
      await show(example);
    },
    /**
     * Follow the chosen model and size. @param {Translator} chosen @param {boolean} trainingSize whether pictures are resized to what the model learned from
     */
    async follow(chosen, trainingSize) {
      translator = chosen;
      small = trainingSize;
      await show(source?.example);
    },
    /** The picture's file and the mask of its hole, for a search; null if there is none yet. */
    parts: async () => (onPad() && source?.bitmap && board.inked() ? { picture: source.file, mask: await encode(framed(board.mask(), source.bitmap)) } : null),
    /** The picture to send, as a file; null if there is none yet, or no hole in it that the model needs. @returns {Promise<Blob | null>} */
    async picture() {
      if (onPad()) return source && !translator?.needsHole || board.inked() ? board.picture() : null;
      if (!source || !translator) return null;
      return small && source.bitmap ? encode(draw(await resized(source.bitmap, translator.side), true)) : source.file;
    },
  };
}
