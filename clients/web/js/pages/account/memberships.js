/** The user's own memberships on the account page: the organisation for which the session acts, and its members. */

import { read, write } from "../../api.js";
import { renew } from "../../session.js";
import { day, definitionList, html, label, nothing } from "../../view.js";

export class OwnMemberships {
  #page;
  #said;
  #memberships = [];

  /** said: called with the text to show after another organisation was chosen. */
  constructor(page, said) {
    this.#page = page;
    this.#said = said;
  }

  /** Loads the memberships. Throws Failure. */
  async load() {
    this.#memberships = (await read("/auth/memberships", {}, this.#page.signal)).memberships;
    this.#page.update();
  }

  /** Renders the memberships; nothing for a user without any. */
  show() {
    if (!this.#memberships.length) return nothing;
    return html`<section aria-labelledby="memberships">
      <h2 id="memberships">Where you work</h2>
      <ul class="list">${this.#memberships.map((one) => html`<li>${this.#row(one)}</li>`)}</ul>
    </section>`;
  }

  #row({ organisation, memberRight, since, current }) {
    return html`<div class="row"><strong>${organisation.name}</strong> <span>${current ? "You act for it now" : nothing}</span></div>
      ${definitionList([["Address", organisation.address], ["Right", label(memberRight)], ["Member since", day(since)]])}
      <p class="actions">
        ${current ? nothing : html`<button type="button" class="second" aria-label="Act for ${organisation.name}" @click=${() => this.#choose(organisation)}>Act for it</button>`}
        ${memberRight === "administrator" ? html`<a class="button second" href="#/members/${organisation.id}" aria-label="Show members of ${organisation.name}">Show members</a>` : nothing}
      </p>`;
  }

  async #choose({ id, name }) {
    await write("POST", `/auth/memberships/${id}/choose`);
    await renew();
    await this.load();
    this.#said(`You now act for ${name}.`);
  }
}
