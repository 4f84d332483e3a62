import { Listing } from "../../listing.js";
import { html, label, moment, nothing } from "../../view.js";

/** The query that leaves out what the patient read. */
const OTHERS = { excludeOwnReads: true };

export default async function open(page) {
  const entries = new Listing(page, "/patients/access-log", "entries", OTHERS);
  const choose = ({ currentTarget }) => entries.narrow(currentTarget.checked ? {} : OTHERS);
  await entries.load();
  page.show(() => html`
    <p>Everyone who saw or changed your record, newest first.</p>
    <label class="check"><input type="checkbox" autocomplete="off" @change=${choose}> Include when I looked at it myself</label>
    ${entries.show(row, "No access of others has been recorded yet.")}`);
}

function row(entry) {
  const who = entry.actorName || "MedConnect itself";
  return html`<div class="row"><strong>${label(entry.event)}</strong><span class="quiet">${moment(entry.occurredAt)}</span></div>
    <p>${who}${entry.actorRole ? html` <span class="quiet">(${[entry.actorRole, entry.actorWorkplace].filter(Boolean).join(", ")})</span>` : nothing}</p>
    ${entry.changedFields.length ? html`<p class="small">Changed: ${entry.changedFields.map(fieldName).join(", ")}</p>` : nothing}
    ${entry.prescriptionNumber ? html`<p class="number small">${entry.prescriptionNumber}</p>` : nothing}`;
}

/** Returns the JSON name of a field as words: `bloodType` becomes "blood type". */
function fieldName(name) {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
