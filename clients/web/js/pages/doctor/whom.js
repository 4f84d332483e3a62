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

/** What it means that a patient gets no mail; nothing for one who does. */
export function unmailed(patient) {
  return patient.email ? nothing : notice("busy", "There is no e-mail address in this record: print each prescription with its code.");
}
