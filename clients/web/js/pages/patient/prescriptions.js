import { Listing } from "../../listing.js";
import { prescriptionRow, STATUSES } from "../../parts/prescription.js";
import { html } from "../../view.js";

export default async function open(page) {
  const list = new Listing(page, "/patients/prescriptions", "prescriptions");
  const narrow = (event) => list.narrow({ status: event.target.value });
  await list.load();
  page.show(() => html`
    <div class="field">
      <label for="status">Show</label>
      <select id="status" autocomplete="off" @change=${narrow}>
        <option value="">All</option>
        ${STATUSES.map(([value, text]) => html`<option value=${value}>${text}</option>`)}
      </select>
    </div>
    ${list.show(
      (found) => prescriptionRow(found, `#/prescriptions/${found.id}`, found.doctorName),
      "There are no prescriptions here.",
    )}`);
}
