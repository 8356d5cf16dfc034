// Call the public API: every path starts at the service's root, whatever prefix a proxy adds.

export const root = new URL("..", document.baseURI);

/** @param {string} path of the API, such as /jobs @param {Record<string, any>} [query] null values are left out */
export function address(path, query = {}) {
  const url = new URL(path.replace(/^\//, ""), root);
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") url.searchParams.append(name, one);
    }
  }
  return url.href;
}

/** An error of the API (RFC 9457): its message is a sentence for the person. */
export class Problem extends Error {
  /** @param {any} body @param {number} status */
  constructor(body, status) {
    super(body.detail ?? `The service answered ${status}.`);
    this.status = status;
    this.code = body.code ?? "";
    /** @type {{pointer: string, message: string}[]} */
    this.errors = body.errors ?? [];
    this.requestId = body.request_id ?? "";
  }
}

/**
 * Send a request and return the response. Throws Problem; a 401 also fires `signed-out` on the window.
 * @param {string} method @param {string} path @param {{query?: Record<string, any>, body?: any, signal?: AbortSignal, headers?: Record<string, string>}} [options]
 */
export async function send(method, path, { query, body, signal, headers = {} } = {}) {
  const form = body instanceof FormData;
  const response = await fetch(address(path, query), {
    method,
    signal,
    headers: body === undefined || form ? headers : { "Content-Type": "application/json", ...headers },
    body: body === undefined || form ? body : JSON.stringify(body),
  }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: "The service does not answer. It may be restarting; try again soon.", code: "unreachable" }, 0);
  });
  if (!response.ok) {
    const problem = new Problem(await response.json().catch(() => ({})), response.status);
    if (response.status === 401 && path !== "/session") window.dispatchEvent(new CustomEvent("signed-out", { detail: problem.code === "link_ended" ? problem.message : "" }));
    throw problem;
  }
  return response;
}

/** @param {string} path @param {Record<string, any>} [query] @param {AbortSignal} [signal] */
export const get = async (path, query, signal) => (await send("GET", path, { query, signal })).json();

/** @param {string} path @param {any} [body] @param {AbortSignal} [signal] */
export async function post(path, body, signal) {
  const response = await send("POST", path, { body, signal });
  return response.status === 204 ? null : response.json();
}

/**
 * Return a function that creates something: sent again after a lost answer, an equal request creates no second one.
 * @param {string} path
 */
export function posterOnce(path) {
  let sent = { text: "", key: "" };
  return async (/** @type {any} */ body, /** @type {AbortSignal} */ signal) => {
    const text = JSON.stringify(body);
    if (sent.text !== text) sent = { text, key: `studio-${crypto.getRandomValues(new Uint32Array(4)).join("-")}` };
    return (await send("POST", path, { body, signal, headers: { "Idempotency-Key": sent.key } })).json();
  };
}

/** @param {string} path */
export const remove = (path) => send("DELETE", path);

/**
 * Upload a form with progress. @param {string} path @param {FormData} form @param {(share: number) => void} onProgress
 * @returns {Promise<any>}
 */
export function upload(path, form, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address(path));
    request.responseType = "json";
    request.upload.onprogress = (event) => onProgress(event.loaded / event.total);
    request.onload = () => (request.status < 400 ? resolve(request.response) : reject(new Problem(request.response ?? {}, request.status)));
    request.onerror = () => reject(new Problem({ detail: "The upload was cut off. Send it again." }, 0));
    request.send(form);
  });
}
