/** The user's own sessions on the account page, and the buttons that end them. */

import { write } from "../../api.js";
import { ask } from "../../dialog.js";
import { Listing } from "../../listing.js";
import { sessionRow } from "../../parts/sessions.js";
import { html, nothing } from "../../view.js";

export class OwnSessions {
  #list;
  #said;

  /** said: called with the text to show after a session was ended. */
  constructor(page, said) {
    this.#list = new Listing(page, "/auth/sessions", "sessions");
    this.#said = said;
  }

  /** Loads the list. Throws Failure. */
  load() {
    return this.#list.load();
  }

  /** Renders the list. */
  show() {
    const others = this.#list.items.some((session) => !session.current);
    return html`<section aria-labelledby="sessions">
      <h2 id="sessions">Where you are signed in</h2>
      ${this.#list.show((session) => sessionRow(session, session.current ? nothing : this.#button(session)), "No sessions.")}
      ${others ? html`<button type="button" class="danger" @click=${this.#askAboutOthers}>Sign out all other devices</button>` : nothing}
    </section>`;
  }

  #button(session) {
    return html`<p class="actions">
      <button type="button" class="second" aria-label="Sign out ${session.device}" @click=${() => this.#askAbout(session)}>Sign out</button>
    </p>`;
  }

  #askAbout(session) {
    ask({
      title: `Sign out ${session.device}?`,
      text: "It is signed out immediately. If you do not know this device, change your password too.",
      button: "Sign out",
      work: () => this.#end(`/auth/sessions/${session.id}/end`, `${session.device} was signed out.`),
    });
  }

  #askAboutOthers = () => {
    ask({
      title: "Sign out all other devices?",
      text: "They are signed out immediately. This device stays signed in.",
      button: "Sign out",
      work: () => this.#end("/auth/sessions/end-others", "All other devices were signed out."),
    });
  };

  async #end(path, text) {
    await write("POST", path);
    this.#said(text);
    await this.#list.load();
  }
}
