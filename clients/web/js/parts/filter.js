/** Fields above a list that filter it while the user types or selects. */

import { html, nothing } from "../view.js";

const PAUSE_MS = 300;

/**
 * The values are stored in the entry of the browser's history, so that going back shows the same list. They are not in the
 * address, which others may read later. A link may filter a list by its address, such as `?patientId=…`.
 */
export class Filter {
  #page;
  #listing;
  #timer;

  constructor(page, listing) {
    this.#page = page;
    this.#listing = listing;
  }

  /** The filter's values. */
  get values() {
    return { ...Object.fromEntries(this.#page.query), ...history.state?.filter };
  }

  /** Loads the list for the first time. Throws Failure. */
  load() {
    return this.#listing.load(this.values);
  }

  /** Renders the form around its fields. */
  around(fields) {
    return html`<form class="filter" role="search" novalidate @input=${this.#soon} @submit=${this.#now}>${fields}</form>`;
  }

  /** Renders a search field. */
  search(label, hint) {
    return this.#field("search", label, hint, (id) => html`<input
      id=${id} name="search" type="search" .defaultValue=${this.values.search ?? ""} autocomplete="off" autocapitalize="none"
      spellcheck="false" aria-describedby="${id}-hint">`);
  }

  /** Renders a select field that begins with "All". choices: pairs of value and text. */
  choice(name, label, choices) {
    const chosen = this.values[name] ?? "";
    return this.#field(name, label, "", (id) => html`<select id=${id} name=${name} autocomplete="off">
      ${[["", "All"], ...choices].map(([value, text]) => html`<option value=${value} ?selected=${value === chosen}>${text}</option>`)}
    </select>`);
  }

  /** Renders the fields for the first and the last day. */
  days() {
    return [["from", "From"], ["to", "Until"]].map(([name, label]) => this.#field(name, label, "", (id) => html`<input
      id=${id} name=${name} type="date" .defaultValue=${this.values[name] ?? ""} autocomplete="off">`));
  }

  #field(name, label, hint, control) {
    const id = `filter-${name}`;
    return html`<div class="field">
      <label for=${id}>${label}</label>
      ${hint ? html`<p class="hint" id="${id}-hint">${hint}</p>` : nothing}
      ${control(id)}
    </div>`;
  }

  #soon = ({ currentTarget }) => {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#narrow(currentTarget), PAUSE_MS);
  };

  #now = (event) => {
    event.preventDefault();
    clearTimeout(this.#timer);
    this.#narrow(event.currentTarget);
  };

  #narrow(form) {
    if (this.#page.left) return;
    const filter = Object.fromEntries([...form.elements].map(({ name, value }) => [name, value.trim()]));
    history.replaceState({ filter }, "");
    this.#listing.narrow(this.values);
  }
}
