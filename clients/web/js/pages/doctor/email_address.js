import { write } from "../../api.js";
import { Form } from "../../form.js";
import { html, moment, notice, nothing } from "../../view.js";
import { patientBanner, readPatient } from "./patient_banner.js";

const REASONS = [
  ["wrong_address", "The address is wrong or belongs to another person"],
  ["mailbox_lost", "The patient no longer has access to the mailbox"],
  ["mailbox_shared", "Another person reads the mailbox"],
  ["patient_asked", "The patient asked for it"],
];

export default async function open(page) {
  let patient = await readPatient(page);
  let said = "";
  const act = async (path, values, text) => {
    ({ patient } = await write("POST", `/doctors/patients/${patient.id}/${path}`, values));
    said = text();
    page.say(said);
  };
  const binding = new Form(page, (values) => act("email", values, () => "The address is bound. Its owner is invited by email."));
  const detaching = new Form(page, (values) => act("email/detach", values, () => (patient.emailDetachment
    ? "Requested. The address is detached when another doctor confirms the request."
    : "The address is detached, and its account is closed.")));
  page.name(`Email address of ${patient.fullName}`);
  page.show(() => html`
    ${said ? notice("good", said) : nothing}
    ${patientBanner(patient)}
    ${hasAccount(patient) ? detach(detaching, patient) : bind(binding)}
    <p><a href="#/patients/${patient.id}">Back to the record</a></p>`);
}

function hasAccount({ email, emailStatus }) {
  return email !== "" || emailStatus === "account_deactivated";
}

function bind(form) {
  return html`<section class="card" aria-labelledby="bind">
    <h2 id="bind">Bind an address</h2>
    <p>The owner of the address is invited by email and can then sign in as this patient. The patient sees in the access log
      who bound the address.</p>
    ${form.around(html`
      ${form.text("email", "Email", { type: "email", hint: "Read it back to the patient, letter by letter." })}
      ${form.button("Bind address")}
    `)}
  </section>`;
}

function detach(form, patient) {
  const request = patient.emailDetachment;
  return html`<section class="card" aria-labelledby="detach">
    <h2 id="detach">Detach ${patient.email}</h2>
    ${state(patient)}
    ${request ? notice("busy", openRequest(request)) : nothing}
    ${request?.requestedByCaller ? nothing : form.around(html`
      ${form.choice("reason", "Reason", REASONS, { none: "Choose a reason", value: request?.reason })}
      ${form.button(request ? "Confirm and detach" : "Detach address")}
    `)}
  </section>`;
}

function state({ emailConfirmedAt }) {
  return emailConfirmedAt
    ? html`<p>The owner confirmed this address on ${moment(emailConfirmedAt)}. A second doctor must confirm that it is
        detached, and the owner is notified.</p>`
    : html`<p>The owner has not confirmed this address yet. It is detached at once: its account is closed, and emails that wait
        are not sent.</p>`;
}

function openRequest(request) {
  const reason = REASONS.find(([value]) => value === request.reason)?.[1] ?? request.reason;
  const who = request.requestedByCaller ? "You" : request.requestedBy;
  return html`${who} requested this on ${moment(request.requestedAt)}: ${reason}. Another doctor must confirm it before
    ${moment(request.expiresAt)}.`;
}
