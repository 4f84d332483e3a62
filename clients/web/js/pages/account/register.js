import { Form } from "../../form.js";
import { register } from "../../session.js";
import { html } from "../../view.js";
import { password, professional } from "./fields.js";

const ROLES = [["patient", "Patient"], ["doctor", "Doctor"], ["pharmacist", "Pharmacist"]];

export default function open(page) {
  const form = new Form(page, register);
  let role = "patient";
  const choose = (chosen) => {
    role = chosen;
    page.update();
  };
  page.show(() => html`<div class="narrow"><section class="card">
    ${form.around(html`
      ${form.choice("role", "I am a", ROLES, { value: role, changed: choose })}
      ${form.text("fullName", "Full name", { autocomplete: "name" })}
      ${form.text("email", "Email", { type: "email", autocomplete: "username" })}
      ${password(form, "password", "Password")}
      ${form.text("phone", "Phone", { type: "tel", autocomplete: "tel", optional: true })}
      ${professional(form, role)}
      ${form.button("Create account")}
    `)}
  </section>
  <p>Already have an account? <a href="#/sign-in">Sign in</a></p></div>`);
}
