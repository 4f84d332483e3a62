import { read, write } from "../../api.js";
import { Form } from "../../form.js";
import { html, label, nothing } from "../../view.js";
import { MedicineLines } from "./medicine_lines.js";
import { noEmailNotice, readPatient, whom } from "./whom.js";

/** How many of the newest visits there are to choose from. */
const RECENT = 20;

export default async function open(page) {
  const patientId = page.params.id;
  const [patient, { visits }] = await Promise.all([
    readPatient(page),
    read("/doctors/medical-visits", { patientId, pageSize: RECENT }, page.signal),
  ]);
  const form = new Form(page, async ({ items, ...values }) => {
    const request = { patientId, ...values, items: lines.complete(items) };
    const { prescription } = await write("POST", "/doctors/prescriptions", request);
    page.go(`/prescriptions/${prescription.id}`);
  });
  const lines = new MedicineLines(page, form);
  page.show(() => html`
    ${whom(patient)}
    ${noEmailNotice(patient.emailStatus)}
    ${form.around(html`
      ${occasion(form, visits, page.query.get("visit"))}
      ${lines.show()}
      <div class="actions">${form.button("Write the prescription")}</div>
    `)}`);
}

function occasion(form, visits, chosen) {
  const optional = true;
  const choices = visits.map((visit) => [visit.id, `${visit.visitDate}, ${label(visit.visitType)}: ${visit.chiefComplaint}`]);
  return html`<section class="card">
    ${choices.length ? form.choice("visitId", "Visit", choices, { value: chosen ?? "", optional, none: "Without a visit" }) : nothing}
    ${form.text("diagnosis", "Diagnosis", { hint: "The patient and the pharmacy read it." })}
    ${form.area("doctorNotes", "Your notes", { optional, hint: "Only you see them." })}
  </section>`;
}
