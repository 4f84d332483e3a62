/**
 * The nonce that binds a password reset code to this browser: the code works only together with it. Stored for the lifetime
 * of a code, because the link in the email opens another tab.
 */

import { randomText } from "../../api.js";

const KEPT = "medconnect.resetNonce";
const CODE_LIFE_MS = 600_000;

/** Returns the nonce of codes that this browser requested and that may still be valid; null if there is none. */
export function keptNonce() {
  const [nonce, until] = (localStorage.getItem(KEPT) ?? "").split(" ");
  return nonce && Date.now() < Number(until) ? nonce : null;
}

/** Returns the nonce for requesting a code: the stored one, so that an earlier code stays valid here, or a new one. */
export function nonceForAsking() {
  const nonce = keptNonce() ?? randomText();
  localStorage.setItem(KEPT, `${nonce} ${Date.now() + CODE_LIFE_MS}`);
  return nonce;
}

/** Deletes the nonce after its code was used. */
export function forgetNonce() {
  localStorage.removeItem(KEPT);
}
