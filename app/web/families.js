// The families as cards: what each is known for, what its default run costs, and what it draws.

import { fill, h, setText } from "./dom.js";
import { duration } from "./format.js";
import { dryRun } from "./plan.js";

/** @typedef {{name: string, title: string, use: string, paper: string, game: string, conditional: boolean}} Family */

const GAMES = /** @type {Record<string, string>} */ ({
  synthesis: "noise to examples", unpaired: "two sets of pictures", paired: "picture to picture", reconstruction: "autoencoder",
});
/** minutes of a family's default run; null where the service cannot say @type {Map<string, Promise<number | null>>} */
const costs = new Map();

/** A picture of what a family draws; nothing where the service has none. @param {string} name */
export const familyPicture = (name) => {
  const picture = h("img", { src: `families/${encodeURIComponent(name)}.png`, alt: "", loading: "lazy", onerror: () => picture.remove() });
  return h("div", { class: "sample" }, picture);
};

/** What a family is, in a few words. @param {Family} family */
export const traits = ({ game, conditional }) => [GAMES[game] ?? game, conditional && "classes to choose"].filter(Boolean).join(" · ");

/**
 * Cards of all families, with a search.
 * @param {Family[]} families @param {{dataset: string | null, search: string, link: (name: string) => string, onSearch: (text: string) => void, signal: AbortSignal}} options
 */
export function familyCards(families, { dataset, search, link, onSearch, signal }) {
  const found = h("span", { class: "muted small", role: "status" });
  const input = h("input", { type: "search", value: search, placeholder: "conditional, collapse, 2014 …", oninput: () => { filter(); onSearch(input.value.trim()); } });
  const cards = families.map((family) => {
    const cost = h("span", { class: "number" });
    const element = h("a", { class: "card family", href: link(family.name), data: { family: family.name } }, familyPicture(family.name),
      h("div", { class: "stack" }, h("h3", {}, family.title), h("p", { class: "small" }, family.use),
        h("p", { class: "hint" }, h("code", {}, family.name), " · ", traits(family), h("br"), family.paper), h("p", { class: "hint" }, cost)));
    const words = [family.name, family.title, family.use, family.paper, family.game, family.conditional ? "conditional" : ""].join(" ").toLowerCase();
    return { family, element, words, cost };
  });

  function filter() {
    const parts = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const card of cards) card.element.hidden = !parts.every((/** @type {string} */ part) => card.words.includes(part));
    const count = cards.filter((card) => !card.element.hidden).length;
    setText(found, count ? `${count} of ${cards.length} families` : "No family matches. Search for a word of its title, its paper or its game. The data are chosen in the next step.");
  }

  /** Ask for the costs one after the other, in the order of the cards. */
  async function tellCosts() {
    for (const { family, cost } of cards) {
      if (signal.aborted) return;
      const key = `${family.name} ${dataset ?? ""}`;
      let minutes = costs.get(key);
      if (!minutes) costs.set(key, (minutes = dryRun({ recipe: family.name, ...(dataset && { dataset }) }).then(({ estimate }) => estimate?.minutes ?? null)));
      const known = await minutes.catch(() => costs.delete(key) && null);
      if (typeof known === "number") setText(cost, `about ${duration(60 * known)} here by default`);
    }
  }

  filter();
  void tellCosts();
  return fill(h("section", { class: "stack" }),
    h("form", { class: "row search", role: "search", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
      h("label", { class: "field" }, "Find a family", input), found),
    h("div", { class: "grid" }, cards.map((card) => card.element)));
}
