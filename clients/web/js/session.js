/**
 * The session of the signed-in user. The access token exists only in this module's memory. The refresh token is a cookie
 * that scripts cannot read, so the session survives a reload. Browser storage only records that the cookie may exist.
 */

import { Failure, request } from "./http.js";

const MAYBE_SIGNED_IN = "medconnect.signedIn";
/** Requests and sends the refresh token as a cookie. Pages of other sites cannot set this header. */
const BY_COOKIE = { "x-refresh-cookie": "true" };
/** How long before its expiry an access token is exchanged. */
const EARLY_MS = 30_000;

let token = "";
let endsAt = 0;
let exchange = null;

/** The session as pages see it; dispatches "change" when the user changes. */
export const session = Object.assign(new EventTarget(), {
  /** @type {null | {id: string, email: string, fullName: string, role: string, status: string, emailConfirmed: boolean}} */
  user: null,
  /** True if the last session expired or was revoked. */
  expired: false,
});

/** Signs in with email and password. Throws Failure. */
export async function signIn(email, password) {
  begin(await request("POST", "/auth/login", { body: { email, password }, headers: BY_COOKIE }));
}

/** Creates an account and signs in to it. Throws Failure. */
export async function register(fields) {
  begin(await request("POST", "/auth/register", { body: fields, headers: BY_COOKIE }));
}

/** Restores the session whose cookie the browser may still have. Throws Failure if the service cannot be reached. */
export async function restore() {
  if (!localStorage.getItem(MAYBE_SIGNED_IN)) return;
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

/** Publishes a change of the account to the page. */
export function userChanged(user) {
  session.user = user;
  session.dispatchEvent(new Event("change"));
}

/** Returns the authorization header with a valid token. Throws Failure if the service does not respond. */
export async function authorization() {
  if (session.user && Date.now() > endsAt - EARLY_MS) await renew();
  return session.user ? { authorization: `Bearer ${token}` } : {};
}

/** Exchanges the refresh token, one exchange at a time across all tabs. The session ends if the service rejects it. */
export function renew() {
  exchange ??= alone(async () => {
    try {
      begin(await request("POST", "/auth/refresh", { body: {}, headers: BY_COOKIE }));
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

function begin(answer) {
  token = answer.accessToken;
  endsAt = Date.parse(answer.expiresAt);
  session.expired = false;
  localStorage.setItem(MAYBE_SIGNED_IN, "yes");
  userChanged(answer.user);
}

function end(expired) {
  token = "";
  session.expired = expired;
  localStorage.removeItem(MAYBE_SIGNED_IN);
  userChanged(null);
}
