/** The list of mails, kept up to date by their changes. */

import { Listing } from "../../listing.js";
import { badge, html, label, moment, nothing } from "../../view.js";

export class MailList {
  #listing;
  #status = "";
  // Each mail's newest change since the list was fetched: what was fetched is older, or as new.
  #changes = new Map();

  constructor(page) {
    this.#listing = new Listing(page, "/events/emails", "emails");
  }

  /** Fetch the mails in one state, or all. Throws Failure. */
  load() {
    return this.#listing.load({ status: this.#status });
  }

  /** Show the mails in another state. */
  narrow(status = this.#status) {
    this.#status = status;
    this.#changes.clear();
    return this.#listing.narrow({ status });
  }

  /** A mail has come into a state. */
  change(change) {
    this.#changes.delete(change.id); // the newest one stands last
    this.#changes.set(change.id, change);
  }

  /** retry: called with a failed mail. */
  show(retry) {
    const fetched = new Set(this.#listing.items.map((mail) => mail.id));
    const wanted = ({ id, status }) => !fetched.has(id) && [status, ""].includes(this.#status);
    const others = [...this.#changes.values()].filter(wanted).toReversed();
    const present = (mail) => row({ ...mail, ...this.#changes.get(mail.id) }, retry);
    return html`${others.length ? html`<ul class="list">${others.map((mail) => html`<li>${present(mail)}</li>`)}</ul>` : nothing}
      ${this.#listing.show(present, others.length ? "" : "There are no such mails.")}`;
  }
}

function row(mail, retry) {
  return html`<div class="row"><strong>${label(mail.kind)}</strong> ${badge(mail.status)}</div>
    <p>${mail.recipient} <span class="quiet small">${moment(mail.changedAt ?? mail.finishedAt ?? mail.createdAt)}</span></p>
    ${mail.error ? html`<p class="small">${tries(mail.attempts)}: ${mail.error}</p>` : nothing}
    ${mail.status === "failed"
      ? html`<p class="actions"><button type="button" class="second" @click=${() => retry(mail)}>Try again</button></p>`
      : nothing}`;
}

function tries(attempts) {
  return attempts === 1 ? "After one try" : `After ${attempts} tries`;
}
