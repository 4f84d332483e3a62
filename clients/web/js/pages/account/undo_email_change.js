import { post } from "../../api.js";
import { Form } from "../../form.js";
import { html, notice } from "../../view.js";

// Only the button undoes the change: mail programs and scanners open links without a person.
export default function open(page) {
  let done = false;
  const form = new Form(page, async () => {
    await post("POST", "/auth/undo-email-change", { token: page.params.token });
    done = true;
    page.say("The change is undone.");
  });
  page.show(() => html`<div class="narrow">
    ${done
      ? notice("good", html`<p>Your former address is restored, and all devices are signed out.
          <a href="#/set-password">Set a new password</a> to sign in.</p>`)
      : html`<section class="card">
          <p>The email address of your account was changed. If it was not you, undo the change: all devices are signed out, and
            you set a new password with your former address.</p>
          ${form.around(form.button("Undo the change"))}
        </section>`}
    <p><a href="#/sign-in">Back to sign-in</a></p>
  </div>`);
}
