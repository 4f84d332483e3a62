import { Listing } from "../../listing.js";
import { Filter } from "../../parts/filter.js";
import { prescriptionRow, STATUSES } from "../../parts/prescription.js";
import { html } from "../../view.js";
import { ofPatient } from "./of_patient.js";

export default async function open(page) {
  const list = new Listing(page, "/doctors/prescriptions", "prescriptions");
  const filter = new Filter(page, list);
  const whose = ofPatient(page, list, "/prescriptions");
  await filter.load();
  page.show(() => html`
    ${whose()}
    ${filter.around(html`${filter.choice("status", "State", STATUSES)} ${filter.days()}`)}
    ${list.show(
      (found) => prescriptionRow(found, `#/prescriptions/${found.id}`, found.patientName),
      "There are no prescriptions here.",
    )}`);
}
