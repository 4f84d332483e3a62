/** Whom a doctor is writing about. */

import { read } from "../../api.js";
import { allergies, conditions } from "../../parts/record.js";
import { calendarDay, html, notice, nothing } from "../../view.js";

/** The record of the patient that the page's address names. Throws Failure. */
export async function readPatient(page) {
  return (await read(`/doctors/patients/${page.params.id}`, {}, page.signal)).patient;
}

/** Who it is, and what nobody may overlook. */
export function whom(patient) {
  return html`<section class="card" aria-label="Patient">
    <p class="row">
      <a href="#/patients/${patient.id}"><strong>${patient.fullName}</strong></a>
      <span>${patient.dateOfBirth ? html`born ${calendarDay(patient.dateOfBirth)}` : nothing}</span>
      <span class="number">${patient.referenceNumber}</span>
    </p>
    ${allergies(patient.allergies)}
    ${conditions(patient.existingConditions)}
  </section>`;
}

const NO_EMAIL = {
  no_address: "There is no e-mail address in this record: print each prescription with its code.",
  account_deactivated: "The patient's account is deactivated and gets no email: print each prescription with its code.",
};

/** Shows why a patient gets no email, and what to do instead; nothing for a patient who gets them. */
export function noEmailNotice(emailStatus) {
  const reason = NO_EMAIL[emailStatus];
  return reason ? notice("busy", reason) : nothing;
}
