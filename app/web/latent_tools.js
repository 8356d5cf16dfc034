// The tools of the latent space in the room of samples, each a tab there.

import { arithmetic } from "./arithmetic.js";
import { interpolation } from "./interpolation.js";
import { latentEdit } from "./latent_edit.js";
import { latentPad } from "./latent_pad.js";

/**
 * A tool keeps its own part of the address; `update` follows the room's settings and throws Problem.
 * @typedef {{element: HTMLElement, update: (chosen: import("./latents.js").Chosen) => Promise<void>}} Tool
 */

/** @type {Record<string, {title: string, open: (options: {signal: AbortSignal}) => Tool}>} */
export const latentTools = {
  interpolate: { title: "Interpolate", open: interpolation },
  arithmetic: { title: "Arithmetic", open: arithmetic },
  pad: { title: "Latent pad", open: latentPad },
  edit: { title: "Edit", open: latentEdit },
};

/** Whether a version draws pictures from a latent that a seed draws. @param {any} version */
export const hasLatents = (version) => version.recipe.data.kind === "images" && version.game === "synthesis";
