// Follow the events of all jobs. One tab holds the connection and shares it: browsers allow six per service.
//
// Positions have no gaps while events are kept, so a tab that missed some reads them before it goes on: every listener
// gets each event once and in order, whatever happens to the connection or to the tab that held it.

import { address, get } from "./api.js";

/** @typedef {{position: number, job: string, seq: number, type: string, data: any, at: string}} LogEvent */

const PAGE = 500;
/** @type {Set<(event: LogEvent) => void>} */
const listeners = new Set();
/** @type {Set<(live: boolean) => void>} */
const watchers = new Set();
const channel = new BroadcastChannel("forger-events");
let position = -1;
/** @type {string[]} jobs that are followed; none: all */
let only = [];
let live = false;
let holder = false;
/** @type {Promise<void>} */
let queue = Promise.resolve();

/** Start to follow, from the end of the log, only some jobs if they are named. Returns when the position is known. @param {string[]} [jobs] */
export async function start(jobs = []) {
  if (position >= 0) return;
  only = jobs;
  position = (await get("/events", { limit: 0, job: only })).newest;
  channel.onmessage = ({ data }) => {
    if (data.event) enqueue(data.event);
    else if (!holder) setLive(data.live ?? live);
    else if (data.hello) channel.postMessage({ live });
  };
  channel.postMessage({ hello: true });
  void navigator.locks.request("forger-events", hold);
}

/** Call `listener` with every event from now on, until the signal aborts. @param {(event: LogEvent) => void} listener @param {AbortSignal} signal */
export function follow(listener, signal) {
  listeners.add(listener);
  signal.addEventListener("abort", () => listeners.delete(listener));
}

/** Call `watcher` when the connection comes or goes. @param {(live: boolean) => void} watcher */
export function watchConnection(watcher) {
  watchers.add(watcher);
  watcher(live);
}

/** Hold the connection while this tab is open; the lock passes to another tab when it closes. */
function hold() {
  holder = true;
  return new Promise(() => connect());
}

function connect() {
  const source = new EventSource(address("/events", { after: position, job: only }));
  const say = (/** @type {boolean} */ value) => {
    setLive(value);
    channel.postMessage({ live: value });
  };
  source.onopen = () => {
    say(true);
    queue = queue.then(catchUp).catch(() => undefined);
  };
  source.onerror = () => {
    say(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    channel.postMessage({ event });
    enqueue(event);
  };
}

/** @param {LogEvent} event */
function enqueue(event) {
  queue = queue.then(() => take(event)).catch(() => undefined);
}

/** @param {LogEvent} event */
async function take(event) {
  if (event.position > position + 1 && !only.length) await catchUp();
  deliver(event);
}

/** Read the events that this tab has missed. */
async function catchUp() {
  let page;
  do {
    page = await get("/events", { after: position, limit: PAGE, job: only });
    page.data.forEach(deliver);
  } while (page.data.length === PAGE);
}

/** @param {LogEvent} event */
function deliver(event) {
  if (event.position <= position) return;
  position = event.position;
  for (const listener of listeners) listener(event);
}

/** @param {boolean} value */
function setLive(value) {
  live = value;
  for (const watcher of watchers) watcher(value);
}
