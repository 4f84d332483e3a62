import { Listing } from "../../listing.js";
import { items, prescriptionRow } from "../../parts/prescription.js";
import { visitRow } from "../../parts/visit.js";
import { block, definitionList, html } from "../../view.js";
import { patientBanner, readPatient } from "./patient_banner.js";

export default async function open(page) {
  const entries = new Listing(page, `/doctors/patients/${page.params.id}/medical-history`, "entries");
  const [patient] = await Promise.all([readPatient(page), entries.load()]);
  page.show(() => html`
    ${patientBanner(patient)}
    <p>Entries of all doctors, newest first. Each access is recorded, and the patient can see it.</p>
    ${entries.show(row, "There are no entries yet.")}`);
}

function row({ visit, prescription }) {
  if (visit) return visitRow(visit, visit.doctorName);
  return html`${prescriptionRow(prescription, "", prescription.doctorName)}
    <details>
      <summary>Medicines of ${prescription.prescriptionNumber}</summary>
      ${items(prescription)}
      ${definitionList([["Reason", block(prescription.statusReason)]])}
    </details>`;
}
