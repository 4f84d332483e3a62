/** Streams that a page follows while it is open, and how the connection stands. */

import { asFailure } from "../../http.js";
import { messages } from "../../stream.js";
import { html, moment, notice, problem } from "../../view.js";

export class Live {
  #page;
  #heardAt = null;
  #lost = new Set();
  #failure = null;

  constructor(page) {
    this.#page = page;
  }

  /** Follow a stream: `heard` gets each message. query: see `messages`. */
  async follow(path, query, heard) {
    try {
      for await (const message of messages(path, query, this.#page.signal, () => this.#isLost(path))) {
        heard(message);
        this.#isThere(path);
      }
    } catch (thrown) {
      this.#failure = asFailure(thrown);
      this.#page.update();
    }
  }

  /** How the connection stands. */
  show() {
    if (this.#failure) return problem(this.#failure);
    if (!this.#heardAt) return html`<p class="quiet small">Connecting …</p>`;
    if (!this.#lost.size) return html`<p class="quiet small">Live: changes show by themselves.</p>`;
    const seen = moment(this.#heardAt.toISOString());
    return notice("busy", html`The connection is lost; it is being opened again. What you see is from ${seen}.`);
  }

  #isLost(path) {
    if (!this.#lost.size) this.#page.say("The connection is lost.");
    this.#lost.add(path);
    this.#page.update();
  }

  #isThere(path) {
    if (this.#lost.delete(path) && !this.#lost.size) this.#page.say("The connection is back.");
    this.#heardAt = new Date();
    this.#page.update();
  }
}
