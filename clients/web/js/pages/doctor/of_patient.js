/** Lists of the doctor's own entries, for all patients or one. */

import { html } from "../../view.js";

/** Returns a renderer of the line that names the patient whose entries are listed. address: the list's page. */
export function ofPatient(page, list, address) {
  const id = page.query.get("patientId");
  let name;
  return () => {
    if (!id) return html`<p class="quiet">For the entries of one patient only, open <a href="#/patients">the patient's page</a>.</p>`;
    name ??= list.items[0]?.patientName;
    return html`<p>Only entries of <a href="#/patients/${id}">${name ?? "one patient"}</a>. <a href="#${address}">Show all</a></p>`;
  };
}
