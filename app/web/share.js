// Share one thing with people without the key: by a link that ends, and that can be revoked before.

import { get, post, Problem, remove, root } from "./api.js";
import { copyText, fill, h, setText, toast } from "./dom.js";
import { clock } from "./format.js";

const LIFETIMES = /** @type {[string, number][]} */ ([["an hour", 1], ["a day", 24], ["a week", 168], ["a term (20 weeks)", 3360]]);

/** A button that opens the dialog of links. @param {"job" | "experiment" | "model"} kind @param {() => string} target @param {string} [words] */
export const shareButton = (kind, target, words = "Share") => h("button", { type: "button", onclick: () => open(kind, target()) }, words);

/** @param {"job" | "experiment" | "model"} kind @param {string} target */
function open(kind, target) {
  const dialog = h("dialog", { "aria-label": "Share" });
  const hours = h("select", { id: "hours" }, LIFETIMES.map(([words, value]) => h("option", { value, selected: value === 168 }, words)));
  const refusal = h("p", { class: "refusal", role: "alert" });
  const links = h("div", { class: "stack" });
  const whole = h("button", { type: "button", onclick: () => copy(location.href) }, "Copy the address of this view");

  async function show() {
    const { data } = await get("/links");
    const own = data.filter((/** @type {any} */ link) => link.kind === kind && link.target === target);
    fill(links, own.map((/** @type {any} */ link) => h("div", { class: "row", data: { link: link.id } },
      h("span", {}, `Ends ${clock(link.expires_at)}`),
      h("input", { readOnly: true, value: withView(link.href), "aria-label": "Link" }),
      h("button", { type: "button", onclick: () => copy(withView(link.href)) }, "Copy the link"),
      h("button", { type: "button", class: "danger", onclick: () => attempt(async () => { await remove(`/links/${link.id}`); toast("The link is revoked."); }) }, "Revoke"))));
  }

  /** @param {() => Promise<any>} work */
  async function attempt(work) {
    try {
      setText(refusal, "");
      await work();
      await show();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setText(refusal, error.message);
    }
  }

  async function create() {
    const link = await post("/links", { kind, target, hours: Number(hours.value) });
    await copy(withView(link.href));
  }

  fill(dialog, h("div", { class: "stack" }, h("h2", {}, "Share"),
    h("p", {}, "Whoever has the key opens the address itself; it holds the whole view."), h("div", { class: "row" }, whole),
    h("p", {}, kind === "model" ? "Anybody who has a link plays rounds with this model, without the key, and sees nothing else." : `Anybody who has a link reads this ${kind}, its files among it, without the key, and can change nothing.`),
    h("div", { class: "row bottom" }, h("label", { class: "field", for: "hours" }, "The link ends after", hours),
      h("button", { type: "button", class: "main", onclick: () => attempt(create) }, "Create a link")),
    refusal, links,
    h("div", { class: "row end" }, h("button", { type: "button", onclick: () => dialog.close() }, "Close"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  void attempt(async () => undefined);
}

/** The address of a link, with the view that this page shows. @param {string} href */
function withView(href) {
  const url = new URL(href, root);
  for (const [name, value] of new URLSearchParams(location.search)) if (!url.searchParams.has(name)) url.searchParams.set(name, value);
  return url.href;
}

/** @param {string} text */
const copy = (text) => copyText(text, "The address is in the clipboard.");
