import { Form } from "../../form.js";
import { completeSignIn, session, signIn } from "../../session.js";
import { html, notice, nothing } from "../../view.js";
import { factorCode } from "./fields.js";

export default function open(page) {
  let challenge = null;
  const first = new Form(page, async ({ email = "", password = "" }) => {
    try {
      await signIn(email, password);
    } catch (failure) {
      if (failure.type !== "SECOND_FACTOR_REQUIRED") throw failure;
      ({ challenge } = failure.said);
      page.say("Enter the code of your authenticator app.");
    }
  });
  const second = new Form(page, ({ code = "" }) => completeSignIn(challenge, code));
  const again = () => {
    challenge = null;
    page.update();
  };
  page.show(() => html`<div class="narrow">
    ${session.expired ? notice("busy", "Your session has ended. Sign in again to continue.") : nothing}
    ${challenge ? codeCard(second, again) : passwordCard(first)}
    <p><a href="#/register">Create an account</a> · <a href="#/set-password">Set or reset a password</a></p>
  </div>`);
}

function passwordCard(form) {
  return html`<section class="card">
    ${form.around(html`
      ${form.text("email", "Email", { type: "email", autocomplete: "username" })}
      ${form.text("password", "Password", { type: "password", autocomplete: "current-password" })}
      ${form.button("Sign in")}
    `)}
  </section>`;
}

function codeCard(form, again) {
  return html`<section class="card">
    ${form.around(html`${factorCode(form)} ${form.button("Sign in")}`)}
    <p><button type="button" class="second" @click=${again}>Back to the password</button></p>
  </section>`;
}
