import { Listing } from "../../listing.js";
import { isFinal, isSuspended, items, prescriptionRow } from "../../parts/prescription.js";
import { visitRow } from "../../parts/visit.js";
import { block, definitionList, html, nothing } from "../../view.js";
import { cancel, resume } from "./cancel.js";
import { patientBanner, readPatient } from "./patient_banner.js";

export default async function open(page) {
  const entries = new Listing(page, `/doctors/patients/${page.params.id}/medical-history`, "entries");
  const [patient] = await Promise.all([readPatient(page), entries.load()]);
  const take = (newer) => {
    entries.items = entries.items.map((one) => (one.prescription?.id === newer.id ? { ...one, prescription: newer } : one));
    page.update();
  };
  page.show(() => html`
    ${patientBanner(patient)}
    <p>Entries of all doctors, newest first. Each access is recorded, and the patient can see it.</p>
    ${entries.show((entry) => row(entry, take), "There are no entries yet.")}`);
}

function row({ visit, prescription }, take) {
  if (visit) return visitRow(visit, visit.doctorName);
  return html`${prescriptionRow(prescription, "", prescription.doctorName)}
    <details>
      <summary>Medicines of ${prescription.prescriptionNumber}</summary>
      ${items(prescription)}
      ${definitionList([["Reason", block(prescription.statusReason)]])}
    </details>
    ${actions(prescription, take)}`;
}

/** Offers what a doctor of the same hospital can do for a prescriber who cannot. */
function actions(prescription, take) {
  const suspended = isSuspended(prescription);
  if (isFinal(prescription) || !(suspended || prescription.prescriberInactive)) return nothing;
  const number = prescription.prescriptionNumber;
  return html`<p>${prescription.prescriberInactive ? "The prescriber is no longer active." : nothing}
      ${suspended ? "Pharmacies cannot dispense it until another doctor of the hospital resumes it." : nothing}</p>
    <p class="actions">
      ${suspended ? html`<button type="button" class="second" aria-label="Resume ${number}" @click=${() => resume(prescription, take)}>Resume</button>` : nothing}
      <button type="button" class="danger" aria-label="Cancel ${number}" @click=${() => cancel(prescription, take)}>Cancel</button>
    </p>`;
}
