/** Renders prescriptions for every role. */

import { badge, block, calendarDay, day, definitionList, html, label, moment, nothing, today } from "../view.js";
import { inWords } from "./quantity.js";

export const STATUSES = [
  "pending", "scanned", "validated", "partially_dispensed", "dispensed", "rejected", "cancelled", "expired", "closed",
].map((status) => [status, label(status)]);

const FINAL = new Set(["dispensed", "rejected", "cancelled", "expired", "closed"]);

/** Returns true if the prescription is in a final state. */
export function isFinal(prescription) {
  return FINAL.has(prescription.status);
}

/** Returns true if the prescription cannot be dispensed until another doctor resumes it. */
export function isSuspended(prescription) {
  return Boolean(prescription.suspendedAt) && !isFinal(prescription);
}

/** Renders a prescription in a list. link: its page, if the reader may open it. who: the other person, if shown. */
export function prescriptionRow(prescription, link, who) {
  const number = prescription.prescriptionNumber;
  return html`<div class="row">
      ${link ? html`<a class="number" href=${link}>${number}</a>` : html`<span class="number">${number}</span>`}
      ${badge(isSuspended(prescription) ? "suspended" : prescription.status)}
    </div>
    <p>${who ? html`${who} · ` : nothing}${prescription.diagnosis}</p>
    <p class="quiet small">${medicines(prescription)} · ${day(prescription.createdAt)}${beginning(prescription)}</p>`;
}

/** Renders the prescribed medicines with their remaining quantities. */
export function items(prescription) {
  // The roles stay when the style sheet stacks the rows; a table without its display loses them in some browsers.
  return html`<div class="table stacked" tabindex="0" role="region" aria-label="Medicines"><table role="table">
    <caption>Medicines</caption>
    <thead role="rowgroup"><tr role="row">
      <th role="columnheader" scope="col">Medicine</th><th role="columnheader" scope="col">How to take it</th>
      <th role="columnheader" scope="col" class="right">Prescribed</th><th role="columnheader" scope="col" class="right">Remaining</th>
    </tr></thead>
    <tbody role="rowgroup">${prescription.items.map((item) => html`<tr role="row">
      <td role="cell">${item.medicineName}<br><span class="quiet">${item.dosage}</span>${item.substitutionAllowed === false ? html`<br>No substitute allowed` : nothing}</td>
      <td role="cell">${howToTake(item)}</td>
      <td role="cell" class="right" data-column="Prescribed">${inWords(item.exactQuantity, item.quantityUnit)}</td>
      <td role="cell" class="right" data-column="Remaining">${inWords(item.exactRemainingQuantity, item.quantityUnit)}</td>
    </tr>`)}</tbody>
  </table></div>`;
}

/** Renders a prescription's state and dates, followed by more pairs of names and values. */
export function course(prescription, ...more) {
  return definitionList([
    ["State", badge(prescription.status)],
    ["Suspended", isSuspended(prescription) ? html`${moment(prescription.suspendedAt)}. Pharmacies cannot dispense it until another doctor of the hospital resumes it.` : nothing],
    ["Reason", block(prescription.statusReason)],
    ["Created", moment(prescription.createdAt)],
    ["Valid from", isFinal(prescription) ? nothing : calendarDay(prescription.validFrom)],
    ["Valid until", isFinal(prescription) ? nothing : moment(prescription.expiresAt)],
    ["Dispensed", moment(prescription.fulfilledAt)],
    ...more,
  ]);
}

function beginning({ validFrom }) {
  return validFrom > today() ? html` · valid from ${calendarDay(validFrom)}` : nothing;
}

function medicines({ items: [first, ...others] }) {
  return others.length ? `${first.medicineName} and ${others.length} more` : first.medicineName;
}

function howToTake({ frequency, route, durationDays, instructions }) {
  const days = durationDays && `${durationDays} ${durationDays === 1 ? "day" : "days"}`;
  return html`${[frequency, route, days].filter(Boolean).join(", ")}
    ${instructions ? html`<br><span class="quiet">${block(instructions)}</span>` : nothing}`;
}
