import { write } from "../../api.js";
import { Form } from "../../form.js";
import { visitRow } from "../../parts/visit.js";
import { html, notice, today } from "../../view.js";
import { identifyForm } from "./identify.js";
import { patientBanner, readPatient } from "./patient_banner.js";

const TYPES = [["consultation", "Consultation"], ["emergency", "Emergency"], ["follow_up", "Follow-up"]];

export default async function open(page) {
  let patient = await readPatient(page);
  let visit = null;
  const identify = identifyForm(page, patient, (identified) => { patient = identified; });
  const form = new Form(page, async (values) => {
    ({ visit } = await write("POST", "/doctors/medical-visits", { patientId: patient.id, ...values }));
    page.name("Visit");
    page.arrive();
    page.say("The visit was saved.");
  });
  page.show(() => html`${patientBanner(patient)} ${visit ? saved(visit) : html`${identify()} ${form.around(fields(form))}`}`);
}

function fields(form) {
  const optional = true;
  return html`<section class="card">
    <div class="columns">
      ${form.text("visitDate", "Date", { type: "date", value: today() })}
      ${form.choice("visitType", "Visit type", TYPES)}
    </div>
    ${form.text("chiefComplaint", "Chief complaint", { hint: "Why the patient has come, in one sentence." })}
    ${form.area("symptoms", "Symptoms", { optional })}
    ${vitalSigns(form)}
    ${form.area("diagnosis", "Diagnosis", { optional })}
    ${form.area("treatmentNotes", "Treatment", { optional })}
    ${form.area("recommendations", "Recommendations", { optional })}
    ${form.text("hospitalName", "Hospital", { optional, hint: "Leave this empty to use your own hospital." })}
    ${form.button("Save visit")}
  </section>`;
}

function vitalSigns(form) {
  const number = (name, label, hint) => form.text(`vitalSigns.${name}`, label, { kind: "number", optional: true, hint });
  return html`<fieldset>
    <legend>Vital signs</legend>
    <div class="columns">
      ${form.text("vitalSigns.bloodPressure", "Blood pressure", { optional: true, hint: "mmHg, such as 120/80" })}
      ${number("heartRate", "Heart rate", "Beats per minute")}
      ${number("temperature", "Temperature", "°C")}
      ${number("weight", "Weight", "kg")}
      ${number("height", "Height", "cm")}
    </div>
  </fieldset>`;
}

function saved(visit) {
  return html`${notice("good", "The visit was saved.")}
    <section class="card">${visitRow(visit, visit.doctorName)}</section>
    <p class="actions">
      <a class="button" href="#/patients/${visit.patientId}/prescribe?visit=${visit.id}">Prescribe for this visit</a>
      <a class="button second" href="#/patients/${visit.patientId}">Back to the patient</a>
    </p>`;
}
