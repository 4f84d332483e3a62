/** A list that is loaded page by page. */

import { read, seek } from "./api.js";
import { html, nothing, problem } from "./view.js";

export class Listing {
  #page;
  #path;
  #name;
  #token = "";
  #failure = null;
  #round = 0;

  /**
   * name: the list's member in the response, such as `patients`. query: the filter. A path that ends in `/search` takes the
   * filter in the body.
   */
  constructor(page, path, name, query = {}) {
    this.#page = page;
    this.#path = path;
    this.#name = name;
    this.query = query;
    this.items = [];
    /** The response with the latest page, including its members other than the list. */
    this.answer = null;
    this.total = null;
    this.busy = false;
  }

  /** Loads the first page of another query. Throws Failure. */
  async load(query = this.query) {
    this.query = query;
    this.#token = "";
    await this.#fetch([]);
  }

  /** Filters the list of a page that is already shown; a failure is shown in place of the list. */
  async narrow(query) {
    try {
      await this.load(query);
      this.#page.say(`${this.total} found.`);
    } catch (failure) {
      this.#fail(failure);
    }
  }

  /** Renders the list: `row` renders an item, `empty` is the text of an empty list. */
  show(row, empty) {
    if (this.#failure) return problem(this.#failure, () => this.narrow(this.query));
    if (this.total === 0) return html`<p class="quiet">${empty}</p>`;
    return html`<ul class="list">${this.items.map((item) => html`<li>${row(item)}</li>`)}</ul>
      ${this.#token ? html`<button type="button" class="second" ?disabled=${this.busy} @click=${this.#more}>Show more</button>` : nothing}`;
  }

  #more = async () => {
    try {
      await this.#fetch(this.items);
    } catch (failure) {
      this.#fail(failure);
    }
  };

  #fail(failure) {
    if (failure.name === "AbortError") return;
    this.#failure = failure;
    this.busy = false;
    this.#page.update();
  }

  async #fetch(before) {
    const round = ++this.#round;
    this.busy = true;
    this.#page.update();
    let answer;
    try {
      const ask = this.#path.endsWith("/search") ? seek : read;
      answer = await ask(this.#path, given({ ...this.query, pageToken: this.#token }), this.#page.signal);
    } catch (failure) {
      if (round === this.#round) throw failure;
    }
    if (round !== this.#round) return; // a newer filter has replaced this request
    this.answer = answer;
    this.items = [...before, ...answer[this.#name]];
    this.total = answer.totalSize;
    this.#token = answer.nextPageToken;
    this.#failure = null;
    this.busy = false;
    this.#page.update();
  }
}

function given(query) {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined && value !== ""));
}
