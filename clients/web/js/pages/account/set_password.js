import { post } from "../../api.js";
import { Form } from "../../form.js";
import { html, notice, nothing } from "../../view.js";
import { code, factorCode, password } from "./fields.js";
import { forgetNonce, keptNonce, nonceForAsking } from "./reset_nonce.js";

export default function open(page) {
  let email = "";
  let asked = keptNonce() !== null; // the link in the email opens another tab
  let done = false;
  const asking = new Form(page, async (values) => {
    await post("POST", "/auth/forgot-password", { ...values, clientNonce: nonceForAsking() });
    email = values.email;
    asked = true;
    page.say("We have emailed you a code.");
  });
  const setting = new Form(page, async (values) => {
    const clientNonce = keptNonce();
    await post("POST", "/auth/reset-password", { ...values, ...(clientNonce && { clientNonce }) });
    forgetNonce();
    done = true;
  });
  const askAgain = () => {
    asked = false;
    page.update();
  };
  page.show(() => html`<div class="narrow">
    ${done ? notice("good", html`<p>Your password is set. <a href="#/sign-in">Sign in with it</a>.</p>`) : nothing}
    ${!done && !asked ? ask(asking) : nothing}
    ${!done && asked ? enter(setting, email, askAgain) : nothing}
    <p><a href="#/sign-in">Back to sign-in</a></p>
  </div>`);
}

function ask(form) {
  return html`<section class="card">
    <p>We will email you a code. Use it to set your password.</p>
    ${form.around(html`
      ${form.text("email", "Email", { type: "email", autocomplete: "username" })}
      ${form.button("Email me a code")}
    `)}
  </section>`;
}

function enter(form, email, askAgain) {
  const where = email ? html`If <strong>${email}</strong> has an account, we have emailed a code to it.` : "You have requested a code in this browser.";
  return html`<section class="card">
    ${notice("new", html`${where} It is valid for ten minutes, in this browser only.`)}
    ${form.around(html`
      ${form.text("email", "Email", { type: "email", autocomplete: "username", value: email })}
      ${code(form)}
      ${factorCode(form, "secondFactorCode", { optional: true, hint: "If your account has a second factor. A recovery code works too." })}
      ${password(form, "newPassword", "New password")}
      ${form.button("Set password")}
    `)}
    <p><button type="button" class="second" @click=${askAgain}>Email me another code</button></p>
  </section>`;
}
