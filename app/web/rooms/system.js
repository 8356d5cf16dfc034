// The machine: its parts, its workers and what they do, its disk, its versions, its links and limits.

import { get, Problem, remove, root } from "../api.js";
import { bar, fill, h, stateWord, toast } from "../dom.js";
import { ago, clock, count, size } from "../format.js";

const EVERY_MS = 5000;

/** The address that a link shows, for who has the key. @param {string} href */
function withoutToken(href) {
  const url = new URL(href, root);
  url.searchParams.delete("link");
  return url.href;
}

/** @type {import("../main.js").Room} */
export async function room(main, { signal }) {
  const parts = h("section", { class: "card" });
  const work = h("section", { class: "card" });
  const disk = h("section", { class: "card" });
  const versions = h("section", { class: "card" });
  const shared = h("section", { class: "card wide", hidden: true });
  const limits = h("section", { class: "card wide" });
  fill(main, h("h1", {}, "System"), h("div", { class: "grid" }, parts, disk, versions, work), shared, limits);

  async function draw() {
    const [ready, system] = await Promise.all([get("/readyz", {}, signal).catch((problem) => problem), get("/system", {}, signal)]);
    const checks = ready.checks ?? {};
    const broken = Object.values(checks).filter((/** @type {any} */ check) => !check.ok).length;
    fill(parts, h("h2", {}, "Parts"), ready.checks && h("p", {}, broken ? `${broken} of ${Object.keys(checks).length} parts do not work. The line says why.` : "All parts work."), ready.checks
      ? h("dl", {}, Object.entries(checks).map(([name, check]) => [h("dt", {}, name), h("dd", {}, stateWord(/** @type {any} */ (check).ok ? "ok" : "missing"), /** @type {any} */ (check).detail === "ok" ? "" : ` ${/** @type {any} */ (check).detail}`)]))
      : h("p", { class: "refusal" }, ready.message));
    fill(work, h("h2", {}, "Work"),
      h("dl", {}, system.queues.map((/** @type {any} */ queue) => [h("dt", {}, `queue ${queue.name}`), h("dd", {}, `${count(queue.queued)} queued, ${count(queue.running)} running`)])),
      system.attempts.length
        ? h("table", { class: "table" }, h("thead", {}, h("tr", {}, ["job", "worker", "heartbeat"].map((name) => h("th", {}, name)))),
          h("tbody", {}, system.attempts.map((/** @type {any} */ one) => h("tr", {}, h("td", {}, h("a", { href: `jobs/${one.job}` }, one.kind)), h("td", { class: "long" }, one.worker), h("td", {}, ago(one.heartbeat_at))))))
        : h("p", { class: "muted" }, "No worker has a job."));
    fill(disk, h("h2", {}, "Disk"), bar(1 - system.disk.free_bytes / system.disk.total_bytes),
      h("dl", {}, h("dt", {}, "free"), h("dd", {}, `${size(system.disk.free_bytes)} of ${size(system.disk.total_bytes)} (${Math.round((100 * system.disk.free_bytes) / system.disk.total_bytes)} %)`),
        h("dt", {}, "kept by Forger"), h("dd", {}, size(system.disk.stored_bytes))));
    fill(versions, h("h2", {}, "Versions"), h("dl", {}, Object.entries(system.versions).map(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value ?? "not installed"))]),
      h("dt", {}, "memory"), h("dd", {}, size(system.memory_bytes)), h("dt", {}, "GPUs"), h("dd", {}, count(system.gpus))));
  }

  async function drawLinks() {
    const { data } = await get("/links", {}, signal);
    shared.hidden = !data.length;
    fill(shared, h("h2", {}, "Links that show something without the key"), h("table", { class: "table" },
      h("thead", {}, h("tr", {}, ["shows", "ends", ""].map((name) => h("th", {}, name)))),
      h("tbody", {}, data.map((/** @type {any} */ link) => h("tr", { data: { link: link.id } },
        h("td", {}, h("a", { href: withoutToken(link.href) }, `${link.kind} ${link.target}`)), h("td", {}, clock(link.expires_at)),
        h("td", {}, h("button", { type: "button", class: "danger", onclick: () => void revoke(link.id) }, "Revoke")))))));
  }

  /** @param {string} id */
  async function revoke(id) {
    try {
      await remove(`/links/${id}`);
      toast("The link is revoked.");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toast(error.message);
    }
    await drawLinks();
  }

  await Promise.all([draw(), drawLinks()]);
  const { data } = await get("/limits", {}, signal);
  fill(limits, h("h2", {}, "Limits"), h("div", { class: "scroll" }, h("table", { class: "table" },
    h("tbody", {}, data.map((/** @type {any} */ one) => h("tr", {}, h("td", {}, one.name), h("td", { class: "number" }, count(one.value)), h("td", { class: "muted" }, one.unit), h("td", {}, one.meaning)))))));
  const timer = setInterval(() => document.hidden || void draw().catch(() => undefined), EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}
