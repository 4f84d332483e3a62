/** The patient whose record a doctor's page is about. */

import { read } from "../../api.js";
import { allergies, conditions } from "../../parts/record.js";
import { calendarDay, html, notice, nothing } from "../../view.js";

/** Returns the record of the patient in the page's address. Throws Failure. */
export async function readPatient(page) {
  return (await read(`/doctors/patients/${page.params.id}`, {}, page.signal)).patient;
}

/** Renders the patient's identity with the allergies and conditions that the doctor must not overlook. */
export function patientBanner(patient) {
  return html`<section class="card" aria-label="Patient">
    <p class="row">
      <a href="#/patients/${patient.id}"><strong>${patient.fullName}</strong></a>
      <span>${patient.dateOfBirth ? html`born ${calendarDay(patient.dateOfBirth)}` : nothing}</span>
      <span class="number">${patient.referenceNumber}</span>
      ${patient.assurance === "self_asserted" ? html`<strong>not identified</strong>` : nothing}
    </p>
    ${allergies(patient)}
    ${conditions(patient.existingConditions)}
  </section>`;
}

const NO_EMAIL = {
  no_address: "This record has no email address: print each prescription with its code.",
  account_deactivated: "The patient's account is deactivated and gets no email: print each prescription with its code.",
};

/** Renders why a patient gets no email and what to do instead; nothing if the patient gets email. */
export function noEmailNotice(emailStatus) {
  const reason = NO_EMAIL[emailStatus];
  return reason ? notice("busy", reason) : nothing;
}

/** Renders that the owner of the address has not confirmed it; nothing if they have, or if there is no address. */
export function unconfirmedNotice({ email, emailConfirmedAt, emailDetachment }) {
  if (emailDetachment) return notice("busy", html`${emailDetachment.requestedBy} requested to detach ${email} from this record.`);
  if (!email || emailConfirmedAt) return nothing;
  return notice("busy", html`${email} is not confirmed yet. Emails to it contain no health data.`);
}
