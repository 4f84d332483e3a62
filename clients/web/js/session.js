/**
 * The session of the signed-in user. The access token exists only in this module's memory. The refresh token is a cookie
 * that scripts cannot read, so the session survives a reload. Browser storage only records that the cookie may exist.
 */

import { Failure, request } from "./http.js";
import { act, forget, hasActed, lastAct, reported, timeLeft } from "./presence.js";

const MAYBE_SIGNED_IN = "medconnect.signedIn";
/** Requests and sends the refresh token as a cookie. Pages of other sites cannot set this header. */
const BY_COOKIE = { "x-refresh-cookie": "true" };
/** How long before its expiry an access token is exchanged, at most; one that lives briefly, in its last fifth. */
const EARLY_MS = 30_000;
/** Tells the other tabs that the session has ended. */
const tabs = new BroadcastChannel("medconnect.session");

let token = "";
let endsAt = 0;
let early = EARLY_MS;
let exchange = null;

tabs.addEventListener("message", ({ data }) => {
  if (session.user) end(data.expired, false);
});

/** The session as pages see it; dispatches "change" when the user changes. */
export const session = Object.assign(new EventTarget(), {
  /** @type {null | {id: string, email: string, fullName: string, role: string, status: string, emailConfirmed: boolean}} */
  user: null,
  /** True if the last session expired or was revoked. */
  expired: false,
});

/** Signs in with email and password. Throws Failure. */
export async function signIn(email, password) {
  beginAttended(await request("POST", "/auth/login", { body: { email, password }, headers: BY_COOKIE }));
}

/** Completes a sign-in with the challenge of SECOND_FACTOR_REQUIRED and a code. Throws Failure. */
export async function completeSignIn(challenge, code) {
  beginAttended(await request("POST", "/auth/login/complete", { body: { challenge, code }, headers: BY_COOKIE }));
}

/** Creates an account and signs in to it. Throws Failure. */
export async function register(fields) {
  beginAttended(await request("POST", "/auth/register", { body: fields, headers: BY_COOKIE }));
}

/** Restores the session whose cookie the browser may still have. Throws Failure if the service cannot be reached. */
export async function restore() {
  if (!localStorage.getItem(MAYBE_SIGNED_IN)) return;
  if (timeLeft() <= 0) return end(true);
  act(); // a person has opened the page
  await renew();
}

/** Ends the session in this browser and on the server. */
export async function signOut() {
  try {
    await request("POST", "/auth/logout", { body: {}, headers: { ...BY_COOKIE, ...(await authorization()) } });
  } finally {
    end(false);
  }
}

/** Ends the session because no person has acted for too long: first in all tabs, then on the server. */
export async function timeOut() {
  const held = Date.now() < endsAt ? token : "";
  end(true);
  try {
    const bearer = held || (await request("POST", "/auth/refresh", { body: { unattended: true }, headers: BY_COOKIE })).accessToken;
    await request("POST", "/auth/logout", { body: {}, headers: { ...BY_COOKIE, authorization: `Bearer ${bearer}` } });
  } catch (error) {
    if (!(error instanceof Failure)) throw error; // the server ends the session by itself
  }
}

/** Publishes a change of the account to the page. */
export function userChanged(user) {
  session.user = user;
  session.dispatchEvent(new Event("change"));
}

/** Returns the authorization header with a valid token. Throws Failure if the service does not respond. */
export async function authorization() {
  if (session.user && Date.now() > endsAt - early) await renew();
  return session.user ? { authorization: `Bearer ${token}` } : {};
}

/**
 * Exchanges the refresh token, one exchange at a time across all tabs. The session ends if the service rejects it. Unless a
 * person has acted since the last exchange, this one does not postpone the session's idle end.
 */
export function renew() {
  exchange ??= alone(async () => {
    const [attended, latest] = [hasActed(), lastAct()];
    try {
      const answer = await request("POST", "/auth/refresh", { body: attended ? {} : { unattended: true }, headers: BY_COOKIE });
      if (attended) reported(latest, answer.idleSeconds);
      begin(answer);
    } catch (error) {
      if (!(error instanceof Failure) || error.maybeDone || error.status === 429) throw error;
      end(true);
    }
  }).finally(() => (exchange = null));
  return exchange;
}

function alone(work) {
  return navigator.locks ? navigator.locks.request("medconnect.refresh", work) : work();
}

function beginAttended(answer) {
  act();
  reported(lastAct(), answer.idleSeconds);
  begin(answer);
}

function begin(answer) {
  token = answer.accessToken;
  endsAt = Date.parse(answer.expiresAt);
  early = Math.min(EARLY_MS, Math.max(0, endsAt - Date.now()) / 5);
  session.expired = false;
  localStorage.setItem(MAYBE_SIGNED_IN, "yes");
  userChanged(answer.user);
}

function end(expired, tell = true) {
  token = "";
  session.expired = expired;
  localStorage.removeItem(MAYBE_SIGNED_IN);
  forget();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel reaches its own origin only
  if (tell) tabs.postMessage({ expired });
  userChanged(null);
}
