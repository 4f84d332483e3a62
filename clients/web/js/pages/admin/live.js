/** Streams that a page follows while it is open, and the state of their connection. */

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

  /** Follows a stream and calls `heard` with each message. query: see `messages`. */
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

  /** Renders the state of the connection. */
  show() {
    if (this.#failure) return problem(this.#failure);
    if (!this.#heardAt) return html`<p class="quiet small">Connecting …</p>`;
    if (!this.#lost.size) return html`<p class="quiet small">Live: changes appear automatically.</p>`;
    const seen = moment(this.#heardAt.toISOString());
    return notice("busy", html`Connection lost. Reconnecting … Last updated ${seen}.`);
  }

  #isLost(path) {
    if (!this.#lost.size) this.#page.say("Connection lost.");
    this.#lost.add(path);
    this.#page.update();
  }

  #isThere(path) {
    if (this.#lost.delete(path) && !this.#lost.size) this.#page.say("Reconnected.");
    this.#heardAt = new Date();
    this.#page.update();
  }
}
