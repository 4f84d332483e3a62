/** The user's own second factors: adding an authenticator app, removing it, and recovery codes. */

import { post, read } from "../../api.js";
import { ask } from "../../dialog.js";
import { Form } from "../../form.js";
import { day, html, moment, notice, nothing } from "../../view.js";

export class SecondFactors {
  #page;
  #said;
  #found = null;
  #app = null;
  #codes = [];
  #begin;
  #confirm;

  /** said: called with a text after each change. */
  constructor(page, said) {
    this.#page = page;
    this.#said = said;
    this.#begin = new Form(page, async (values) => {
      this.#app = await post("POST", "/auth/second-factors/totp", values);
    });
    this.#confirm = new Form(page, async (values) => {
      const { recoveryCodes } = await post("POST", `/auth/second-factors/${this.#app.factorId}/confirm`, values);
      this.#app = null;
      this.#codes = recoveryCodes;
      this.#said("Your authenticator app was added. Signing in now needs its code.");
      await this.load();
    });
  }

  async load() {
    this.#found = await read("/auth/second-factors", {}, this.#page.signal);
    this.#page.update();
  }

  show() {
    const { factors, recoveryCodesLeft, required, requiredFrom } = this.#found;
    return html`<section class="card" aria-labelledby="factors">
      <h2 id="factors">Second factor</h2>
      ${requiredFrom ? notice("busy", html`Your account must have a second factor from ${moment(requiredFrom)} on.`) : nothing}
      ${this.#codes.length ? this.#showCodes() : nothing}
      ${factors.map((factor) => this.#row(factor, required && factors.length === 1))}
      ${factors.length ? html`<p>Recovery codes left: ${recoveryCodesLeft}.
        <button type="button" class="second" @click=${this.#renew}>Create new recovery codes</button></p>` : nothing}
      ${this.#app ? this.#scan() : this.#add()}
    </section>`;
  }

  #row(factor, last) {
    return html`<div class="row"><strong>${factor.label || "Authenticator app"}</strong> <span>added ${day(factor.createdAt)}</span></div>
      ${last ? nothing : html`<p class="actions"><button type="button" class="danger"
        aria-label="Remove ${factor.label || "authenticator app"}" @click=${() => this.#remove(factor)}>Remove</button></p>`}`;
  }

  #add() {
    return this.#begin.around(html`
      <p>An authenticator app on your phone shows a new code every 30 seconds. With it, a stolen password is not enough to sign in.</p>
      ${this.#begin.text("label", "Name of the phone", { optional: true })}
      ${this.#begin.text("currentPassword", "Current password", { type: "password", autocomplete: "current-password" })}
      ${this.#begin.button("Add an authenticator app")}`);
  }

  #scan() {
    return html`<p>Scan this code with your authenticator app:</p>
      <p><img class="qr" src=${this.#app.qrImage} alt="QR code for your authenticator app" width="225" height="225"></p>
      <p>Or enter this key: <span class="number">${this.#app.secret}</span></p>
      ${this.#confirm.around(html`
        ${this.#confirm.text("code", "Code that the app shows", { inputmode: "numeric", autocomplete: "one-time-code" })}
        ${this.#confirm.button("Confirm")}`)}`;
  }

  #showCodes() {
    return notice("new", html`<p>Keep these recovery codes in a safe place. Each signs you in once if you lose your phone. They are shown only now.</p>
      <ul>${this.#codes.map((code) => html`<li class="number">${code}</li>`)}</ul>`);
  }

  #renew = () => {
    ask({
      title: "Create new recovery codes?",
      text: "Your former recovery codes no longer work.",
      button: "Create new recovery codes",
      work: async () => {
        this.#codes = (await post("POST", "/auth/second-factors/recovery-codes")).recoveryCodes;
        this.#said("You have new recovery codes.");
        await this.load();
      },
    });
  };

  #remove(factor) {
    ask({
      title: "Remove this second factor?",
      text: "Its codes no longer work.",
      button: "Remove",
      work: async () => {
        await post("POST", `/auth/second-factors/${factor.id}/remove`);
        this.#codes = [];
        this.#said("The second factor was removed.");
        await this.load();
      },
    });
  }
}
