/** Lists of the doctor's own work, all or of one patient. */

import { html } from "../../view.js";

/** Makes the line that says whose entries the list holds, with the way to the others. address: the list's page. */
export function ofPatient(page, list, address) {
  const id = page.query.get("patientId");
  let name;
  return () => {
    if (!id) return html`<p class="quiet">Those of one patient alone: from <a href="#/patients">the patient's page</a>.</p>`;
    name ??= list.items[0]?.patientName;
    return html`<p>Only those of <a href="#/patients/${id}">${name ?? "one patient"}</a>. <a href="#${address}">Show all</a></p>`;
  };
}
