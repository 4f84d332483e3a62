import { read, tell } from "../../api.js";
import { changes, Form } from "../../form.js";
import { session, userChanged } from "../../session.js";
import { badge, facts, html, label, notice, nothing } from "../../view.js";
import { code, password } from "./fields.js";

const OF_ROLE = { doctor: ["hospitalName"], pharmacist: ["pharmacyName", "pharmacyAddress"] };

export default async function open(page) {
  userChanged((await read("/auth/profile", {}, page.signal)).user);
  let said = "";
  const succeeded = (text) => {
    said = text;
    page.say(text);
  };
  const names = ["phone", ...(OF_ROLE[session.user.role] ?? [])];
  const details = new Form(page, async (values) => {
    await update(changes(session.user, values, names));
    succeeded("Your details are changed.");
  });
  const address = new Form(page, async (values, element) => {
    await update(values);
    element.reset();
    succeeded("A code is on its way to the new address.");
  });
  const confirm = new Form(page, async (values) => {
    userChanged((await tell("POST", "/auth/confirm-email", values)).user);
    succeeded("The address is confirmed.");
  });
  const secret = new Form(page, async (values, element) => {
    await tell("PUT", "/auth/change-password", values);
    element.reset();
    succeeded("The password is changed. Other devices are signed out.");
  });
  page.show(() => html`${said ? notice("good", said) : nothing}
    ${who(session.user)}
    ${session.user.emailConfirmed && !session.user.newEmail ? nothing : confirmation(confirm, session.user)}
    <div class="columns">
      ${contact(details, session.user)} ${newAddress(address)} ${newPassword(secret)}
    </div>`);
}

async function update(change) {
  userChanged((await tell("PUT", "/auth/profile", change)).user);
}

function who(user) {
  return html`<section class="card">
    ${facts([
      ["Name", user.fullName], ["E-mail", user.email], ["Role", label(user.role)], ["State", badge(user.status)],
      ["Licence number", user.licenseNumber], ["Speciality", user.specialization],
    ])}
  </section>`;
}

function confirmation(form, user) {
  return html`<section class="card" aria-labelledby="confirm">
    <h2 id="confirm">Confirm ${user.newEmail || "your e-mail address"}</h2>
    <p>We mailed a code there. Enter it, and the address is yours.</p>
    ${form.around(html`${code(form)} ${form.button("Confirm")}`)}
  </section>`;
}

function contact(form, user) {
  return html`<section class="card" aria-labelledby="details">
    <h2 id="details">Details</h2>
    ${form.around(html`
      ${form.text("phone", "Phone", { type: "tel", autocomplete: "tel", value: user.phone, optional: true })}
      ${user.role === "doctor" ? form.text("hospitalName", "Hospital", { value: user.hospitalName, optional: true }) : nothing}
      ${user.role === "pharmacist" ? html`
        ${form.text("pharmacyName", "Pharmacy", { value: user.pharmacyName })}
        ${form.text("pharmacyAddress", "Address of the pharmacy", { value: user.pharmacyAddress, optional: true })}` : nothing}
      ${form.button("Save")}
    `)}
  </section>`;
}

function newAddress(form) {
  return html`<section class="card" aria-labelledby="address">
    <h2 id="address">Another e-mail address</h2>
    ${form.around(html`
      ${form.text("email", "New e-mail", { type: "email", autocomplete: "email" })}
      ${form.text("currentPassword", "Present password", { type: "password", autocomplete: "current-password" })}
      ${form.button("Change the address")}
    `)}
  </section>`;
}

function newPassword(form) {
  return html`<section class="card" aria-labelledby="secret">
    <h2 id="secret">Another password</h2>
    ${form.around(html`
      ${form.text("currentPassword", "Present password", { type: "password", autocomplete: "current-password" })}
      ${password(form, "newPassword", "New password")}
      ${form.button("Change the password")}
    `)}
  </section>`;
}
