/** Records that may be of the same person. */

import { seek } from "../../api.js";
import { calendarDay, html, nothing, notice } from "../../view.js";

/** How many records are shown at most. */
const MOST = 5;

/**
 * Returns the records with this name and date of birth, however another keyboard writes the name, other than that with the
 * id `except`. Throws Failure; a name that the service refuses finds nothing.
 */
export async function similarRecords({ fullName, dateOfBirth }, except, signal) {
  if (!fullName || !dateOfBirth) return [];
  try {
    const query = { search: `${fullName} ${dateOfBirth}`, pageSize: MOST };
    const { patients } = await seek("/doctors/patients/search", query, signal);
    return patients.filter(({ id }) => id !== except);
  } catch (failure) {
    if (failure.type !== "VALIDATION_FAILED") throw failure;
    return [];
  }
}

/** Renders similar records with what the doctor should do about them; nothing if there are none. */
export function similarNotice(records, advice) {
  if (!records.length) return nothing;
  return notice("busy", html`<p>${advice}</p>
    <ul>${records.map((one) => html`<li><a href="#/patients/${one.id}">${one.fullName}</a>,
      born ${calendarDay(one.dateOfBirth)}, <span class="number">${one.referenceNumber}</span></li>`)}</ul>`);
}
