/**
 * What the service knows this browser by when it asks for a code for a new password: the code opens here alone. Kept in the
 * browser for as long as a code lives, because the email's link opens another tab.
 */

import { randomText } from "../../api.js";

const KEPT = "medconnect.resetNonce";
const CODE_LIFE_MS = 600_000;

/** The nonce of the codes that this browser asked for and that may still be good; null if there is none. */
export function keptNonce() {
  const [nonce, until] = (localStorage.getItem(KEPT) ?? "").split(" ");
  return nonce && Date.now() < Number(until) ? nonce : null;
}

/** The nonce to ask for a code with: the kept one, so that the code before stays good here, or a new one. */
export function nonceForAsking() {
  const nonce = keptNonce() ?? randomText();
  localStorage.setItem(KEPT, `${nonce} ${Date.now() + CODE_LIFE_MS}`);
  return nonce;
}

/** Forget it: its code was used. */
export function forgetNonce() {
  localStorage.removeItem(KEPT);
}
