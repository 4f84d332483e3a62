import { Listing } from "../../listing.js";
import { identification } from "../../parts/identification.js";
import { prescriptionRow } from "../../parts/prescription.js";
import { allergies, conditions, record } from "../../parts/record.js";
import { visitRow } from "../../parts/visit.js";
import { html, nothing } from "../../view.js";
import { identifyForm } from "./identify.js";
import { noEmailNotice, readPatient, unconfirmedNotice } from "./patient_banner.js";

/** How many of the latest entries are shown at first. */
const RECENT = 5;

export default async function open(page) {
  const narrowed = { patientId: page.params.id, pageSize: RECENT };
  const prescriptions = new Listing(page, "/doctors/prescriptions", "prescriptions", narrowed);
  const visits = new Listing(page, "/doctors/medical-visits", "visits", narrowed);
  let [patient] = await Promise.all([readPatient(page), prescriptions.load(), visits.load()]);
  const identify = identifyForm(page, patient, (identified) => { patient = identified; });
  page.name(patient.fullName);
  page.show(() => html`
    ${recordCard(patient)}
    ${identify()}
    ${actions(patient)}
    ${noEmailNotice(patient.emailStatus)}
    ${unconfirmedNotice(patient)}
    <section aria-labelledby="prescriptions">
      <h2 id="prescriptions">Your prescriptions</h2>
      ${prescriptions.show((one) => prescriptionRow(one, `#/prescriptions/${one.id}`), "You have not prescribed anything yet.")}
      <p><a href="#/prescriptions?patientId=${patient.id}">Filter your prescriptions by state and date</a></p>
    </section>
    <section aria-labelledby="visits">
      <h2 id="visits">Your visits</h2>
      ${visits.show((visit) => visitRow(visit, visit.doctorName), "You have not recorded a visit yet.")}
      <p><a href="#/visits?patientId=${patient.id}">Filter your visits by date</a></p>
    </section>`);
}

function recordCard(patient) {
  return html`<section class="card" aria-label="Record">
    ${allergies(patient)}
    ${conditions(patient.existingConditions)}
    ${record(patient)}
    <p class="quiet">Identity: ${identification(patient)}${patient.identificationNote ? html`. ${patient.identificationNote}` : nothing}</p>
  </section>`;
}

function actions({ id }) {
  return html`<p class="actions">
    <a class="button" href="#/patients/${id}/prescribe">Prescribe</a>
    <a class="button" href="#/patients/${id}/visit">New visit</a>
    <a class="button second" href="#/patients/${id}/history">Full history</a>
    <a class="button second" href="#/patients/${id}/edit">Edit record</a>
    <a class="button second" href="#/patients/${id}/versions">Changes of the record</a>
    <a class="button second" href="#/patients/${id}/email">Email address</a>
  </p>`;
}
