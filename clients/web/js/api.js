/**
 * Calls as the signed-in user. What got no answer is repeated where that is safe: reading always, writing because every
 * write carries an idempotency key. A write whose outcome is unknown keeps its key: the same write, tried again by hand,
 * is done once.
 */

import { Failure, request, send } from "./http.js";
import { authorization, renew, session } from "./session.js";

/** Waits between tries, in milliseconds. */
const PAUSES = [300, 1000, 3000];
const WORTH_ANOTHER_TRY = new Set([0, 502, 503, 504]);

/** Keys of writes whose outcome is unknown, by what they would write. */
const openKeys = new Map();

/** Read something. Throws Failure, and AbortError once `signal` is aborted. */
export function read(path, query, signal) {
  return repeated(() => asUser((headers) => request("GET", path, { query, headers, signal })), signal);
}

/** Read something that is sought by what stands in the body: words that people are found by belong in no address. */
export function seek(path, body, signal) {
  return repeated(() => asUser((headers) => request("POST", path, { body, headers, signal })), signal);
}

/** Write something, once. Throws Failure. */
export async function write(method, path, body = {}) {
  const what = JSON.stringify([session.user?.id, method, path, body]);
  const key = openKeys.get(what) ?? randomText();
  openKeys.set(what, key);
  const headers = { "idempotency-key": key };
  try {
    const data = await repeated(() => asUser((caller) => request(method, path, { body, headers: { ...headers, ...caller } })));
    openKeys.delete(what);
    return data;
  } catch (error) {
    if (!error.maybeDone) openKeys.delete(what);
    throw error;
  }
}

/** Do something that the service does not take a key for, such as using a code: it is never repeated. Throws Failure. */
export function tell(method, path, body = {}) {
  return asUser((headers) => request(method, path, { body, headers }));
}

/** The raw answer of a reading call: a picture, or a stream that `signal` ends. Throws Failure. */
export function open(path, query, signal) {
  return asUser((headers) => send("GET", path, { query, headers, signal }));
}

/** 128 random bits in hexadecimal; crypto.randomUUID is missing where a page is not served by TLS. */
export function randomText() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function asUser(call) {
  const user = session.user;
  try {
    return await call(await authorization());
  } catch (error) {
    if (error.status !== 401 || !user || !session.user) throw error;
    await renew();
    if (!session.user) throw error;
    return call(await authorization());
  }
}

async function repeated(call, signal) {
  for (const pause of PAUSES) {
    try {
      return await call();
    } catch (error) {
      const again = WORTH_ANOTHER_TRY.has(error.status) || error.type === "REQUEST_IN_PROGRESS";
      if (!(error instanceof Failure) || !again) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    signal?.throwIfAborted();
  }
  return call();
}
