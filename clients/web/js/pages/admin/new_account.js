import { write } from "../../api.js";
import { Form } from "../../form.js";
import { html, label, nothing, notice } from "../../view.js";
import { professional } from "../account/fields.js";
import { namingHolder } from "./license_holder.js";

const ROLES = ["doctor", "pharmacist", "patient", "admin"].map((role) => [role, label(role)]);

export default function open(page) {
  let role = "doctor";
  let made = null;
  const choose = (chosen) => {
    role = chosen;
    page.update();
  };
  const form = new Form(page, async (values, element) => {
    made = await namingHolder(write("POST", "/users", values));
    element.reset();
    page.say("The account was created.");
    scrollTo(0, 0);
  });
  page.show(() => html`<div class="narrow">
    ${made ? notice("good", createdNotice(made)) : nothing}
    <section class="card">
      ${form.around(html`
        ${form.choice("role", "Role", ROLES, { value: role, changed: choose })}
        ${form.text("fullName", "Full name")}
        ${form.text("email", "Email", { type: "email" })}
        ${form.text("phone", "Phone", { type: "tel", optional: true })}
        ${professional(form, role, { own: false, hint: "Compare it with the register first: unless another administrator must verify it, this account is active immediately." })}
        ${form.text("password", "Password", {
          type: "password",
          autocomplete: "new-password",
          optional: true,
          hint: "Leave this empty so that the owner sets a password from the welcome email, which is safer.",
        })}
        ${form.button("Create account")}
      `)}
    </section>
    <p><a href="#/accounts">All accounts</a></p>
  </div>`);
}

function createdNotice({ user, patient }) {
  return html`<p>The account of <strong>${user.fullName}</strong> was created. An email is on its way to ${user.email}.</p>
    ${user.status === "unverified" ? html`<p>You created it, so another administrator must verify it. All administrators were told by email.</p>` : nothing}
    ${patient ? html`<p>Reference number: <span class="number">${patient.referenceNumber}</span></p>` : nothing}`;
}
