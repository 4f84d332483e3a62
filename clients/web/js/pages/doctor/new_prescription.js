import { read, write } from "../../api.js";
import { Form, withFieldNames } from "../../form.js";
import { atQuantity } from "../../parts/quantity.js";
import { html, label, nothing } from "../../view.js";
import { askAllergies } from "./ask_allergies.js";
import { identifyForm } from "./identify.js";
import { MedicineLines } from "./medicine_lines.js";
import { noEmailNotice, patientBanner, readPatient } from "./patient_banner.js";

/** How many of the latest visits the user can select from. */
const RECENT = 20;

export default async function open(page) {
  const patientId = page.params.id;
  const [found, { visits }] = await Promise.all([
    readPatient(page),
    read("/doctors/medical-visits", { patientId, pageSize: RECENT }, page.signal),
  ]);
  let patient = found;
  const form = new Form(page, async ({ items, ...values }) => {
    const request = { patientId, ...values, items: lines.complete(items) };
    const { prescription } = await withFieldNames(atQuantity, () => write("POST", "/doctors/prescriptions", request));
    page.go(`/prescriptions/${prescription.id}`);
  });
  const lines = new MedicineLines(page, form);
  const identify = identifyForm(page, patient, (identified) => { patient = identified; });
  const ask = askAllergies(page, () => patient, (asked) => { patient = asked; });
  page.show(() => html`
    ${patientBanner(patient)}
    ${ask()}
    ${noEmailNotice(patient.emailStatus)}
    ${identify()}
    ${form.around(html`
      ${visitAndDiagnosis(form, visits, page.query.get("visit"))}
      ${lines.show()}
      ${validity(form)}
      <div class="actions">${form.button("Create prescription")}</div>
    `)}`);
}

function validity(form) {
  const optional = true;
  return html`<section class="card" aria-labelledby="validity">
    <h2 id="validity">Validity</h2>
    ${form.text("validFrom", "Valid from", { type: "date", optional, hint: "The first day on which pharmacies can dispense it, up to a year ahead. Empty: at once." })}
    ${form.text("validDays", "Valid for (days)", { kind: "whole", optional, hint: "1 to 365 days. Empty: as long as your hospital has set." })}
  </section>`;
}

function visitAndDiagnosis(form, visits, chosen) {
  const optional = true;
  const choices = visits.map((visit) => [visit.id, `${visit.visitDate}, ${label(visit.visitType)}: ${visit.chiefComplaint}`]);
  return html`<section class="card">
    ${choices.length ? form.choice("visitId", "Visit", choices, { value: chosen ?? "", optional, none: "No visit" }) : nothing}
    ${form.text("diagnosis", "Diagnosis", { hint: "The patient and the pharmacy can read it." })}
    ${form.area("doctorNotes", "Your notes", { optional, hint: "Only you can see them." })}
  </section>`;
}
