/** For how long a prescription is this pharmacist's. The time is only shown: the service judges by its own clock. */

import { html, moment } from "../../view.js";

const WARN_MS = 120_000;

export class Claim {
  #page;
  #key;
  #warned = false;

  constructor(page, prescriptionId) {
    this.#page = page;
    // Only the answer to validating tells the end, and the page may be reloaded.
    this.#key = `medconnect.claim.${prescriptionId}`;
    page.every(1, () => this.#tick());
  }

  /** It is held until then. */
  begin(expiresAt) {
    sessionStorage.setItem(this.#key, expiresAt);
    this.#warned = false;
  }

  /** It is held no longer. */
  end() {
    sessionStorage.removeItem(this.#key);
  }

  show() {
    const end = sessionStorage.getItem(this.#key);
    if (!end) return said("new", "The prescription is yours. Renew, and you see for how long.");
    const left = this.#left();
    if (left <= 0) return said("busy", "Your time is over. Renew, to go on.");
    return said(left < WARN_MS ? "busy" : "new", html`The prescription is yours for <span role="timer">${clock(left)}</span>, until ${moment(end)}.`);
  }

  /** Milliseconds; NaN if it is not known. */
  #left() {
    return Date.parse(sessionStorage.getItem(this.#key)) - Date.now();
  }

  #tick() {
    const left = this.#left();
    if (Number.isNaN(left)) return;
    if (left < WARN_MS && !this.#warned) {
      this.#warned = true;
      this.#page.say("The prescription is yours for less than two minutes. Renew, to go on.");
    }
    this.#page.update();
  }
}

// No status for screen readers: it would be read out each second.
function said(tone, content) {
  return html`<p class="notice ${tone}">${content}</p>`;
}

function clock(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
