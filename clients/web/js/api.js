/**
 * Calls as the signed-in user. A call without a response is retried where that is safe: reads always are, and writes are
 * because each carries an idempotency key. A write whose outcome is unknown keeps its key, so that the same write, started
 * again by the user, is applied once.
 */

import { Failure, request, send } from "./http.js";
import { authorization, renew, session } from "./session.js";
import { verifyAgain } from "./step_up.js";

/** Pauses between attempts, in milliseconds. */
const PAUSES = [300, 1000, 3000];
const WORTH_ANOTHER_TRY = new Set([0, 502, 503, 504]);

/** Idempotency keys of writes whose outcome is unknown, by user, method, path and body. */
const openKeys = new Map();

/** Reads from the API. Throws Failure, and AbortError once `signal` is aborted. */
export function read(path, query, signal) {
  return repeated(() => asUser((headers) => request("GET", path, { query, headers, signal })), signal);
}

/** Searches by criteria in the body, because names and email addresses must not appear in a URL. Throws like `read`. */
export function seek(path, body, signal) {
  return repeated(() => asUser((headers) => request("POST", path, { body, headers, signal })), signal);
}

/** Writes with an idempotency key, so that a retry is applied once. Throws Failure. */
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

/** Calls a method that takes no idempotency key, such as using a code. It is never retried. Throws Failure. */
export function post(method, path, body = {}) {
  return asUser((headers) => request(method, path, { body, headers }));
}

/** Returns the raw response of a read: an image, or a stream that `signal` ends. Throws Failure. */
export function open(path, query, signal) {
  return asUser((headers) => send("GET", path, { query, headers, signal }));
}

/** Returns 128 random bits in hexadecimal. crypto.randomUUID is missing on pages that are not served over TLS. */
export function randomText() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function asUser(call) {
  try {
    return await asSession(call);
  } catch (error) {
    if (error.type !== "STEP_UP_REQUIRED" || !(await verifyAgain((values) => post("POST", "/auth/second-factors/verify", values)))) throw error;
    return asSession(call);
  }
}

async function asSession(call) {
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
