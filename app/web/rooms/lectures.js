// The lectures' six runs, the run that one's own job is nearest to, and a syllabus of exercises.

import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { exercises } from "../exercises.js";
import { failure } from "../failure.js";
import { runs } from "../lecture_runs.js";

const VIEWS = [["runs", "The six runs"], ["failure", "Is this my failure?"], ["exercises", "Exercises"]];

/** @type {import("../main.js").Room} */
export async function room(main, { query, signal }) {
  const view = VIEWS.some(([name]) => name === query.get("view")) ? query.get("view") : "runs";
  const place = h("div", { class: "stack" });
  fill(main, h("div", { class: "spread" }, h("h1", {}, "Lectures"),
    h("div", { class: "tabs" }, VIEWS.map(([name, title]) => h("a", { class: "button", href: `lectures?view=${name}`, "aria-current": name === view ? "true" : "false" }, title)))), place);
  if (view === "exercises") return exercises(place, { query, signal });
  const { data: lectures } = await get("/lectures", {}, signal);
  await (view === "failure" ? failure : runs)(place, lectures, { query, signal });
}
