import { post, read } from "../../api.js";
import { changes, Form } from "../../form.js";
import { renew, session, userChanged } from "../../session.js";
import { badge, definitionList, html, label, notice, nothing } from "../../view.js";
import { code, password } from "./fields.js";
import { OwnMemberships } from "./memberships.js";
import { SecondFactors } from "./second_factors.js";
import { OwnSessions } from "./sessions.js";

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
    const status = session.user.status;
    await update(changes(session.user, values, names));
    if (session.user.status === status) return succeeded("Your details were saved.");
    page.say("Your new workplace was saved. You are signed out, and an administrator must verify your account again.");
    await renew();
  });
  const address = new Form(page, async (values, element) => {
    await update(values);
    element.reset();
    succeeded("We have emailed a code to the new address.");
  });
  const confirm = new Form(page, async (values) => {
    userChanged((await post("POST", "/auth/confirm-email", values)).user);
    succeeded("Your email address is confirmed.");
  });
  const secret = new Form(page, async (values, element) => {
    await post("PUT", "/auth/change-password", values);
    element.reset();
    succeeded("Your password was changed. Other devices were signed out.");
    await sessions.load();
  });
  const sessions = new OwnSessions(page, succeeded);
  const factors = new SecondFactors(page, async (text) => {
    succeeded(text);
    await sessions.load();
  });
  const memberships = new OwnMemberships(page, succeeded);
  await Promise.all([sessions.load(), factors.load(), memberships.load()]);
  page.show(() => html`${said ? notice("good", said) : nothing}
    ${who(session.user)}
    ${session.user.emailConfirmed && !session.user.newEmail ? nothing : confirmation(confirm, session.user)}
    <div class="columns">
      ${contact(details, session.user)} ${newAddress(address)} ${newPassword(secret)}
    </div>
    ${memberships.show()} ${factors.show()} ${sessions.show()}`);
}

async function update(change) {
  userChanged((await post("PUT", "/auth/profile", change)).user);
}

function who(user) {
  return html`<section class="card">
    ${definitionList([
      ["Name", user.fullName], ["Email", user.email], ["Role", label(user.role)], ["State", badge(user.status)],
      ["Licence number", user.licenseNumber], ["Issued by", user.licenseIssuer], ["Speciality", user.specialization],
    ])}
  </section>`;
}

function confirmation(form, user) {
  return html`<section class="card" aria-labelledby="confirm">
    <h2 id="confirm">Confirm ${user.newEmail || "your email address"}</h2>
    <p>We have emailed a code to this address. Enter it to confirm that the address is yours.</p>
    ${form.around(html`${code(form)} ${form.button("Confirm")}`)}
  </section>`;
}

function contact(form, user) {
  return html`<section class="card" aria-labelledby="details">
    <h2 id="details">Details</h2>
    ${form.around(html`
      ${form.text("phone", "Phone", { type: "tel", autocomplete: "tel", value: user.phone, optional: true })}
      ${user.status === "active" && OF_ROLE[user.role] ? notice("busy", `If you change where you work, you are signed out, and an
        administrator must verify your account again before you can see patient data. Your memberships and claims end.`) : nothing}
      ${user.role === "doctor" ? form.text("hospitalName", "Hospital", { value: user.hospitalName, optional: true }) : nothing}
      ${user.role === "pharmacist" ? html`
        ${form.text("pharmacyName", "Pharmacy", { value: user.pharmacyName })}
        ${form.text("pharmacyAddress", "Pharmacy address", { value: user.pharmacyAddress, optional: true })}` : nothing}
      ${form.button("Save")}
    `)}
  </section>`;
}

function newAddress(form) {
  return html`<section class="card" aria-labelledby="address">
    <h2 id="address">Change email address</h2>
    ${form.around(html`
      ${form.text("email", "New email", { type: "email", autocomplete: "email" })}
      ${form.text("currentPassword", "Current password", { type: "password", autocomplete: "current-password" })}
      ${form.button("Change email address")}
    `)}
  </section>`;
}

function newPassword(form) {
  return html`<section class="card" aria-labelledby="secret">
    <h2 id="secret">Change password</h2>
    ${form.around(html`
      ${form.text("currentPassword", "Current password", { type: "password", autocomplete: "current-password" })}
      ${password(form, "newPassword", "New password")}
      ${form.button("Change password")}
    `)}
  </section>`;
}
