import { Form } from "../../form.js";
import { session, signIn } from "../../session.js";
import { html, notice, nothing } from "../../view.js";

export default function open(page) {
  const form = new Form(page, ({ email = "", password = "" }) => signIn(email, password));
  page.show(() => html`<div class="narrow">
    ${session.expired ? notice("busy", "Your session has ended. Sign in again to continue.") : nothing}
    <section class="card">
      ${form.around(html`
        ${form.text("email", "Email", { type: "email", autocomplete: "username" })}
        ${form.text("password", "Password", { type: "password", autocomplete: "current-password" })}
        ${form.button("Sign in")}
      `)}
    </section>
    <p><a href="#/register">Create an account</a> · <a href="#/set-password">Set or reset a password</a></p>
  </div>`);
}
