/** The remaining time of a pharmacist's claim. It is for display only: the service decides by its own clock. */

import { html, moment } from "../../view.js";

const WARN_MS = 120_000;

export class Claim {
  #page;
  #key;
  #warned = false;

  constructor(page, prescriptionId) {
    this.#page = page;
    // Stored because only the response to validating has the expiry, and the page may be reloaded.
    this.#key = `medconnect.claim.${prescriptionId}`;
    page.every(1, () => this.#tick());
  }

  /** Starts or renews the claim. */
  begin(expiresAt) {
    sessionStorage.setItem(this.#key, expiresAt);
    this.#warned = false;
  }

  /** Ends the claim. */
  end() {
    sessionStorage.removeItem(this.#key);
  }

  show() {
    const end = sessionStorage.getItem(this.#key);
    if (!end) return timeNotice("new", "You have claimed this prescription. Renew the claim to see its remaining time.");
    const left = this.#left();
    if (left <= 0) return timeNotice("busy", "Your claim has expired. Renew it to continue.");
    return timeNotice(left < WARN_MS ? "busy" : "new", html`You have claimed this prescription. Remaining: <span role="timer">${clock(left)}</span>, until ${moment(end)}.`);
  }

  /** Returns the remaining milliseconds; NaN if they are unknown. */
  #left() {
    return Date.parse(sessionStorage.getItem(this.#key)) - Date.now();
  }

  #tick() {
    const left = this.#left();
    if (Number.isNaN(left)) return;
    if (left < WARN_MS && !this.#warned) {
      this.#warned = true;
      this.#page.say("Your claim expires in less than two minutes. Renew it to continue.");
    }
    this.#page.update();
  }
}

// No status role: screen readers would announce it every second.
function timeNotice(tone, content) {
  return html`<p class="notice ${tone}">${content}</p>`;
}

function clock(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
