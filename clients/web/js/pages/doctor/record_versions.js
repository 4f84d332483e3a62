import { Listing } from "../../listing.js";
import { versionRow } from "../../parts/record_versions.js";
import { html } from "../../view.js";
import { patientBanner, readPatient } from "./patient_banner.js";

export default async function open(page) {
  const versions = new Listing(page, `/doctors/patients/${page.params.id}/versions`, "versions");
  const [patient] = await Promise.all([readPatient(page), versions.load()]);
  page.show(() => html`
    ${patientBanner(patient)}
    <p>Who changed clinical data of this record, and what was there before; the latest change first.</p>
    ${versions.show(versionRow, "No clinical data of this record has changed.")}`);
}
