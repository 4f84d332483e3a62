/** A hospital or pharmacy, and its members. */

import { read, write } from "../api.js";
import { ask } from "../dialog.js";
import { Listing } from "../listing.js";
import { day, definitionList, html, label, nothing } from "../view.js";

const RIGHTS = [["member", "Member"], ["administrator", "Administrator"]];

/** Renders the facts of an organisation. */
export function organisationFacts({ registerNumber, address, phone, createdAt, closedAt }) {
  return definitionList([
    ["Register number", registerNumber], ["Address", address], ["Phone", phone],
    ["Created", day(createdAt)], ["Closed", day(closedAt)],
  ]);
}

/** Renders the fields of an organisation in a form. */
export function organisationFields(form, { name, registerNumber, address, phone } = {}) {
  return html`
    ${form.text("name", "Name", { value: name })}
    ${form.text("registerNumber", "Register number", { value: registerNumber, optional: true })}
    ${form.text("address", "Address", { value: address, optional: true })}
    ${form.text("phone", "Phone", { type: "tel", value: phone, optional: true })}`;
}

/** The current members of an organisation, and the dialogs that change them. */
export class Members {
  #page;
  #path;
  #list;

  constructor(page, organisationId) {
    this.#page = page;
    this.#path = `/organisations/${organisationId}/members`;
    this.#list = new Listing(page, this.#path, "members");
  }

  /** Loads the list. Throws Failure. */
  load() {
    return this.#list.load();
  }

  /** Renders the list; closed: without actions, because the organisation was closed. */
  show(closed = false) {
    return html`<section aria-labelledby="members">
      <h2 id="members">Members</h2>
      ${closed ? nothing : html`<p><button type="button" @click=${this.#add}>Add member</button></p>`}
      ${this.#list.show((member) => this.#row(member), "No members.")}
    </section>`;
  }

  #row(member) {
    return html`<div class="row"><strong>${member.fullName}</strong> <span>${label(member.memberRight)}</span></div>
      ${definitionList([["Email", member.email], ["Member since", day(member.since)]])}
      <p class="actions">
        <button type="button" class="second" aria-label="Change right of ${member.fullName}" @click=${() => this.#change(member)}>Change right</button>
        <button type="button" class="danger" aria-label="End membership of ${member.fullName}" @click=${() => this.#end(member)}>End membership</button>
      </p>`;
  }

  #add = () => ask({
    title: "Add a member",
    text: "The account must be active and its role must fit: doctors for hospitals, pharmacists for pharmacies.",
    button: "Add member",
    fields: (form) => html`${form.text("email", "Email", { type: "email" })}${form.choice("memberRight", "Right", RIGHTS, { value: "member" })}`,
    work: (values) => this.#done(write("POST", this.#path, values), "The member was added."),
  });

  #change({ userId, fullName, memberRight }) {
    ask({
      title: `Change the right of ${fullName}?`,
      text: "Administrators add members, change their rights and end their memberships.",
      button: "Change right",
      fields: (form) => form.choice("memberRight", "Right", RIGHTS, { value: memberRight }),
      work: (values) => this.#done(write("PUT", `${this.#path}/${userId}/right`, values), `The right of ${fullName} was changed.`),
    });
  }

  #end({ userId, fullName }) {
    ask({
      title: `End the membership of ${fullName}?`,
      text: "Every device of this person is signed out immediately, and the claims that they took end. They no longer see what the organisation sees.",
      button: "End membership",
      work: () => this.#done(write("POST", `${this.#path}/${userId}/end`), `The membership of ${fullName} has ended.`),
    });
  }

  async #done(written, said) {
    await written;
    this.#page.say(said);
    await this.#list.load();
  }
}

/** Returns an organisation. Throws Failure. */
export async function organisation(page, id) {
  return (await read(`/organisations/${id}`, {}, page.signal)).organisation;
}
