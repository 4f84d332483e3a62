import { tell } from "../../api.js";
import { Form } from "../../form.js";
import { html, notice, nothing } from "../../view.js";
import { code, password } from "./fields.js";
import { forgetNonce, keptNonce, nonceForAsking } from "./reset_nonce.js";

export default function open(page) {
  let email = "";
  let asked = keptNonce() !== null; // the link of the email opens a tab of its own
  let done = false;
  const asking = new Form(page, async (values) => {
    await tell("POST", "/auth/forgot-password", { ...values, clientNonce: nonceForAsking() });
    email = values.email;
    asked = true;
    page.say("A code is on its way.");
  });
  const setting = new Form(page, async (values) => {
    const clientNonce = keptNonce();
    await tell("POST", "/auth/reset-password", { ...values, ...(clientNonce && { clientNonce }) });
    forgetNonce();
    done = true;
  });
  const askAgain = () => {
    asked = false;
    page.update();
  };
  page.show(() => html`<div class="narrow">
    ${done ? notice("good", html`<p>The password is set. <a href="#/sign-in">Sign in with it</a></p>`) : nothing}
    ${!done && !asked ? ask(asking) : nothing}
    ${!done && asked ? enter(setting, email, askAgain) : nothing}
    <p><a href="#/sign-in">Back to signing in</a></p>
  </div>`);
}

function ask(form) {
  return html`<section class="card">
    <p>A code is mailed to you; with it you choose a password.</p>
    ${form.around(html`
      ${form.text("email", "E-mail", { type: "email", autocomplete: "username" })}
      ${form.button("Mail me a code")}
    `)}
  </section>`;
}

function enter(form, email, askAgain) {
  const where = email ? html`If <strong>${email}</strong> has an account, a code is on its way there.` : "A code was asked for in this browser.";
  return html`<section class="card">
    ${notice("new", html`${where} It is good for ten minutes, in this browser.`)}
    ${form.around(html`
      ${form.text("email", "E-mail", { type: "email", autocomplete: "username", value: email })}
      ${code(form)}
      ${password(form, "newPassword", "New password")}
      ${form.button("Set the password")}
    `)}
    <p><button type="button" class="second" @click=${askAgain}>Mail me another code</button></p>
  </section>`;
}
