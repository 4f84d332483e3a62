import { Listing } from "../../listing.js";
import { items, prescriptionRow } from "../../parts/prescription.js";
import { visitRow } from "../../parts/visit.js";
import { block, facts, html } from "../../view.js";
import { readPatient, whom } from "./whom.js";

export default async function open(page) {
  const entries = new Listing(page, `/doctors/patients/${page.params.id}/medical-history`, "entries");
  const [patient] = await Promise.all([readPatient(page), entries.load()]);
  page.show(() => html`
    ${whom(patient)}
    <p>What every doctor here has written, newest first. Each look at it is recorded, and the patient sees who looked.</p>
    ${entries.show(row, "Nothing has been written down yet.")}`);
}

function row({ visit, prescription }) {
  if (visit) return visitRow(visit, visit.doctorName);
  return html`${prescriptionRow(prescription, "", prescription.doctorName)}
    <details>
      <summary>Medicines of ${prescription.prescriptionNumber}</summary>
      ${items(prescription)}
      ${facts([["Reason", block(prescription.statusReason)]])}
    </details>`;
}
