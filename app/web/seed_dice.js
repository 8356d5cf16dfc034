// A seed by chance: the button beside a field of a seed.

import { h } from "./dom.js";

/** A random seed below 2^53. */
export const randomSeed = () => String(Math.floor(Math.random() * Number.MAX_SAFE_INTEGER));

/** @param {string} title what the button brings @param {(seed: string) => void} onSeed */
export const diceButton = (title, onSeed) => h("button", { type: "button", title, "aria-label": title, onclick: () => onSeed(randomSeed()) }, "⚄ Dice");
