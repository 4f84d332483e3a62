import { tell } from "../../api.js";
import { Form } from "../../form.js";
import { html, notice, nothing } from "../../view.js";
import { code, password } from "./fields.js";

export default function open(page) {
  let email = "";
  let done = false;
  const asking = new Form(page, async (values) => {
    await tell("POST", "/auth/forgot-password", values);
    email = values.email;
    page.say("A code is on its way.");
  });
  const setting = new Form(page, async (values) => {
    await tell("POST", "/auth/reset-password", { email, ...values });
    done = true;
  });
  page.show(() => html`<div class="narrow">
    ${done ? notice("good", html`<p>The password is set. <a href="#/sign-in">Sign in with it</a></p>`) : nothing}
    ${!done && !email ? ask(asking) : nothing}
    ${!done && email ? enter(setting, email) : nothing}
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

function enter(form, email) {
  return html`<section class="card">
    ${notice("new", html`If <strong>${email}</strong> has an account, a code is on its way there. It is good for ten minutes.`)}
    ${form.around(html`
      ${code(form)}
      ${password(form, "newPassword", "New password")}
      ${form.button("Set the password")}
    `)}
  </section>`;
}
