/**
 * Who is signed in. The access token lives in this module's memory alone; the refresh token is a cookie that no script can
 * read, so a reload stays signed in. What is kept in the browser's storage is only that there may be such a cookie.
 */

import { Failure, request } from "./http.js";

const MAYBE_SIGNED_IN = "medconnect.signedIn";
/** Asks for, and sends, the refresh token as a cookie: no other site's page can set this header. */
const BY_COOKIE = { "x-refresh-cookie": "true" };
/** An access token is exchanged this long before it ends. */
const EARLY_MS = 30_000;

let token = "";
let endsAt = 0;
let exchange = null;

/** What pages see of the session; "change" is dispatched whenever the user does. */
export const session = Object.assign(new EventTarget(), {
  /** @type {null | {id: string, email: string, fullName: string, role: string, status: string, emailConfirmed: boolean}} */
  user: null,
  /** Whether the last session ended by itself. */
  expired: false,
});

/** Sign in with e-mail and password. Throws Failure. */
export async function signIn(email, password) {
  begin(await request("POST", "/auth/login", { body: { email, password }, headers: BY_COOKIE }));
}

/** Make an account and sign in with it. Throws Failure. */
export async function register(fields) {
  begin(await request("POST", "/auth/register", { body: fields, headers: BY_COOKIE }));
}

/** Go on with the session that the browser may still have a cookie for. Throws Failure if that cannot be found out. */
export async function restore() {
  if (!localStorage.getItem(MAYBE_SIGNED_IN)) return;
  await renew();
}

/** End the session here and on the server. */
export async function signOut() {
  try {
    await request("POST", "/auth/logout", { body: {}, headers: { ...BY_COOKIE, ...(await authorization()) } });
  } finally {
    end(false);
  }
}

/** Let the page know of a change to the account. */
export function userChanged(user) {
  session.user = user;
  session.dispatchEvent(new Event("change"));
}

/** The header that names the caller, with a token that is still good. Throws Failure when the service does not answer. */
export async function authorization() {
  if (session.user && Date.now() > endsAt - EARLY_MS) await renew();
  return session.user ? { authorization: `Bearer ${token}` } : {};
}

/** Exchange the refresh token; the session is over if the service says so. One exchange at a time, in all tabs together. */
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
