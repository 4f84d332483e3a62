import { Listing } from "../../listing.js";
import { Filter } from "../../parts/filter.js";
import { calendarDay, html, nothing } from "../../view.js";

export default async function open(page) {
  const list = new Listing(page, "/doctors/patients/search", "patients");
  const filter = new Filter(page, list);
  await filter.load();
  page.show(() => html`
    <p><a class="button" href="#/patients/new">New patient</a></p>
    ${filter.around(filter.search("Find a patient", "Enter the beginning of each name, a date of birth, the last digits of a phone number, or a complete reference number or email address."))}
    ${list.show(row, "No patients match. Try fewer letters. Ask a patient who registered by themselves for their number (PAT-…), or create a new patient.")}`);
}

function row(patient) {
  return html`<div class="row">
      <a href="#/patients/${patient.id}"><strong>${patient.fullName}</strong></a>
      <span>${patient.dateOfBirth ? html`born ${calendarDay(patient.dateOfBirth)}` : "date of birth unknown"}</span>
      ${patient.assurance === "self_asserted" ? html`<strong>not identified</strong>` : nothing}
    </div>
    <p class="number small">${patient.referenceNumber}</p>`;
}
