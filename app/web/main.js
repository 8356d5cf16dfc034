// The frame: navigation, the room of the address, and the sign-in of services with a key.

import { get, post, Problem, remove } from "./api.js";
import { fill, h, setText, skeleton } from "./dom.js";
import { clock } from "./format.js";
import * as log from "./log.js";

/**
 * A room shows one address. `signal` aborts when the person leaves it.
 * @typedef {(main: HTMLElement, place: {parts: string[], query: URLSearchParams, signal: AbortSignal}) => Promise<void> | void} Room
 */

const ROOMS = [
  ["jobs", "Jobs", "j"], ["new", "New job", "n"], ["compare", "Compare", "c"], ["experiments", "Experiments", "e"], ["sample", "Sample", "s"],
  ["translate", "Translate", "t"], ["spot", "Spot the fake", "f"], ["models", "Models", "m"], ["datasets", "Datasets", "d"],
  ["lectures", "Lectures", "l"], ["system", "System", "y"],
];
/** jobs that a stream of some jobs names at most */
const MOST_FOLLOWED = 100;
const here = new URL(document.baseURI);
const main = h("main", { tabIndex: -1, id: "main" });
const connection = h("span", { class: "state" }, "connecting");
const account = h("div");
/** @type {AbortController | undefined} */
let leaving;
/** @typedef {{kind: string, target: string, expires_at: string}} Shared */
/** what a link shows to a browser without the key @type {Shared | null} */
export let shared = null;

/** Go to a room. @param {string} path relative to the studio, such as `jobs/job_1?step=3` */
export function go(path) {
  history.pushState(null, "", new URL(path, here));
  void show();
}

/** Keep a part of the view in the address, so that a link shows the same. @param {Record<string, string | number | null | undefined>} values */
export function keep(values) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") url.searchParams.delete(name);
    else url.searchParams.set(name, String(value));
  }
  history.replaceState(null, "", url);
}

async function show() {
  leaving?.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const parts = location.pathname.slice(here.pathname.length).split("/").map(decodeURIComponent);
  const [name] = parts;
  for (const link of document.querySelectorAll("nav a")) {
    if (/** @type {HTMLAnchorElement} */ (link).dataset.room === name) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "center" });
    } else link.removeAttribute("aria-current");
  }
  document.title = `${ROOMS.find(([room]) => room === name)?.[1] ?? "Studio"} · Forger`;
  fill(main, skeleton(true));
  main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
  try {
    const { room } = await import(`./rooms/${name === "jobs" && parts[1] ? "job" : name}.js`);
    if (signal.aborted) return;
    fill(main);
    await room(main, { parts: parts.slice(1), query: new URLSearchParams(location.search), signal });
  } catch (error) {
    if (!signal.aborted) showError(main, error);
  }
}

/** Say what failed and what to do. @param {HTMLElement} place @param {unknown} error */
function showError(place, error) {
  if (error instanceof Problem && error.status === 401) return;
  if (!(error instanceof Problem)) console.error(error);
  const text = error instanceof Problem ? error.message : "This page failed. Reload it; if it fails again, report it with the browser's console.";
  fill(place, h("div", { class: "notice bad", role: "alert" }, h("p", {}, text),
    h("p", {}, shared ? h("button", { type: "button", onclick: () => history.back() }, "Back") : h("a", { href: "jobs" }, "Go to the jobs"))));
}

/** Follow links inside the studio without loading the page anew. @param {MouseEvent} event */
function onClick(event) {
  const link = /** @type {Element} */ (event.target).closest?.("a");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.hasAttribute("download") || !link.href.startsWith(here.href)) return;
  event.preventDefault();
  if (new URL(link.href).hash && link.href.split("#")[0] === location.href.split("#")[0]) return;
  go(link.href);
}

/** Go to a room with `g` and its letter, as in "g j" for the jobs. */
let waiting = false;
/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || /** @type {Element} */ (event.target).closest?.("input, select, textarea, dialog")) return;
  const room = waiting && ROOMS.find(([, , key]) => key === event.key);
  waiting = event.key === "g";
  if (room) go(room[0]);
}

/** @param {string} [reason] why the person has to sign in */
async function signIn(reason = "") {
  document.querySelector("dialog.sign-in")?.remove();
  const key = h("input", { type: "password", autocomplete: "current-password", required: true, id: "key" });
  const refusal = h("p", { class: "refusal", role: "alert" }, reason);
  const dialog = h("dialog", { class: "sign-in", "aria-label": "Sign in" });
  const form = h("form", {
    class: "stack",
    onsubmit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      try {
        await post("/session", { key: key.value });
        dialog.remove();
        await begin();
      } catch (error) {
        setText(refusal, /** @type {Error} */ (error).message);
        key.setAttribute("aria-invalid", "true");
        key.select();
      }
    },
  }, h("h1", {}, "Sign in"), h("label", { class: "field", for: "key" }, "The service's key (FORGER_API_KEY)", key), refusal,
    h("div", { class: "row end" }, h("button", { class: "main" }, "Sign in")));
  dialog.addEventListener("cancel", (/** @type {Event} */ event) => event.preventDefault());
  document.body.append(fill(dialog, form));
  dialog.showModal();
}

async function begin() {
  let session = await get("/session");
  const token = new URLSearchParams(location.search).get("link");
  if (session.key_required && !session.signed_in) {
    if (token) {
      try {
        await post("/session", { link: token });
      } catch (error) {
        return signIn(/** @type {Error} */ (error).message);
      }
      session = await get("/session");
    }
    if (!session.link) return signIn();
    return beginShared(session.link);
  }
  fill(account, session.signed_in && h("button", {
    onclick: async () => {
      await remove("/session");
      location.reload();
    },
  }, "Sign out"));
  await log.start();
  await show();
}

/** Show what a link shares, and nothing else. @param {Shared} link */
async function beginShared(link) {
  shared = link;
  document.body.dataset.shared = link.kind;
  fill(account, h("p", {}, `Shared with you until ${clock(link.expires_at)}.`), h("button", { onclick: () => signIn() }, "Sign in"));
  if (link.kind === "job") await log.start([link.target]);
  if (link.kind === "experiment") {
    const { jobs } = await get(`/experiments/${link.target}`);
    await log.start(jobs.slice(0, MOST_FOLLOWED).map((/** @type {any} */ job) => job.id));
  }
  await show();
}

fill(document.body,
  h("a", { class: "skip", href: "#main", onclick: (/** @type {Event} */ event) => { event.preventDefault(); main.focus(); } }, "Skip to the content"),
  h("div", { class: "frame" },
    h("nav", { "aria-label": "Rooms" },
      h("a", { class: "brand", href: "jobs" }, "Forger"),
      ROOMS.map(([room, title]) => h("a", { href: room, data: { room } }, title)),
      h("div", { class: "end stack" }, connection, h("a", { href: new URL("../docs", here).href, target: "_blank", rel: "noopener" }, "API reference"), account)),
    main));
log.watchConnection((live) => {
  connection.className = `state ${live ? "ok" : ""}`;
  setText(connection, live ? "live" : "reconnecting");
});
document.addEventListener("click", onClick);
document.addEventListener("keydown", onKey);
window.addEventListener("popstate", () => void show());
window.addEventListener("unhandledrejection", (event) => event.reason?.name === "AbortError" && event.preventDefault()); // a room that is left ends its requests
window.addEventListener("signed-out", (event) => void signIn(/** @type {CustomEvent<string>} */ (event).detail));
begin().catch((error) => showError(main, error));
