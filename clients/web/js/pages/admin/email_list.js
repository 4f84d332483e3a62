/** The list of emails, kept current by a stream of their changes. */

import { Listing } from "../../listing.js";
import { badge, html, label, moment, nothing } from "../../view.js";

export class EmailList {
  #listing;
  #status = "";
  // The latest change of each email since the list was fetched; it is at least as new as the fetched email.
  #changes = new Map();

  constructor(page) {
    this.#listing = new Listing(page, "/events/emails", "emails");
  }

  /** Fetches the emails in the selected state, or all. Throws Failure. */
  load() {
    return this.#listing.load({ status: this.#status });
  }

  /** Shows the emails in another state. */
  narrow(status = this.#status) {
    this.#status = status;
    this.#changes.clear();
    return this.#listing.narrow({ status });
  }

  /** Applies the change of an email's state. */
  change(change) {
    this.#changes.delete(change.id); // keeps the latest change last
    this.#changes.set(change.id, change);
  }

  /** Renders the list. retry: called with a failed email. */
  show(retry) {
    const fetched = new Set(this.#listing.items.map((email) => email.id));
    const wanted = ({ id, status }) => !fetched.has(id) && [status, ""].includes(this.#status);
    const others = [...this.#changes.values()].filter(wanted).toReversed();
    const current = (email) => row({ ...email, ...this.#changes.get(email.id) }, retry);
    return html`${others.length ? html`<ul class="list">${others.map((email) => html`<li>${current(email)}</li>`)}</ul>` : nothing}
      ${this.#listing.show(current, others.length ? "" : "No emails match.")}`;
  }
}

function row(email, retry) {
  return html`<div class="row"><strong>${label(email.kind)}</strong> ${badge(email.status)}</div>
    <p>${email.recipient} <span class="quiet small">${moment(email.changedAt ?? email.finishedAt ?? email.createdAt)}</span></p>
    ${email.error ? html`<p class="small">${tries(email.attempts)}: ${email.error}</p>` : nothing}
    ${email.status === "failed"
      ? html`<p class="actions"><button type="button" class="second" @click=${() => retry(email)}>Try again</button></p>`
      : nothing}`;
}

function tries(attempts) {
  return attempts === 1 ? "After 1 attempt" : `After ${attempts} attempts`;
}
