import { Listing } from "../../listing.js";
import { Filter } from "../../parts/filter.js";
import { visitRow } from "../../parts/visit.js";
import { html } from "../../view.js";
import { ofPatient } from "./of_patient.js";

export default async function open(page) {
  const list = new Listing(page, "/doctors/medical-visits", "visits");
  const filter = new Filter(page, list);
  const whose = ofPatient(page, list, "/visits");
  await filter.load();
  page.show(() => html`
    ${whose()}
    ${filter.around(filter.days())}
    ${list.show(
      (visit) => visitRow(visit, html`<a href="#/patients/${visit.patientId}">${visit.patientName}</a>`),
      "There are no visits here.",
    )}`);
}
