/** How a prescription is shown, whoever looks at it. */

import { badge, block, day, facts, html, label, moment, nothing } from "../view.js";

export const STATUSES = [
  "pending", "scanned", "validated", "partially_dispensed", "dispensed", "rejected", "cancelled", "expired",
].map((status) => [status, label(status)]);

const OVER = new Set(["dispensed", "rejected", "cancelled", "expired"]);

/** Whether nothing can happen to it any more. */
export function isOver(prescription) {
  return OVER.has(prescription.status);
}

/** A prescription in a list; `link` is its page, if it has one for the reader; `who`, the other person, if it is shown. */
export function prescriptionRow(prescription, link, who) {
  const number = prescription.prescriptionNumber;
  return html`<div class="row">
      ${link ? html`<a class="number" href=${link}>${number}</a>` : html`<span class="number">${number}</span>`}
      ${badge(prescription.status)}
    </div>
    <p>${who ? html`${who} · ` : nothing}${prescription.diagnosis}</p>
    <p class="quiet small">${medicines(prescription)} · ${day(prescription.createdAt)}</p>`;
}

/** What is prescribed, and how much of it was dispensed. */
export function items(prescription) {
  return html`<div class="table" tabindex="0" role="region" aria-label="Medicines"><table>
    <caption>Medicines</caption>
    <thead><tr>
      <th scope="col">Medicine</th><th scope="col">How to take it</th>
      <th scope="col" class="right">Prescribed</th><th scope="col" class="right">Still open</th>
    </tr></thead>
    <tbody>${prescription.items.map((item) => html`<tr>
      <td>${item.medicineName}<br><span class="quiet">${item.dosage}</span></td>
      <td>${howToTake(item)}</td>
      <td class="right">${item.quantity}</td>
      <td class="right">${item.remainingQuantity}</td>
    </tr>`)}</tbody>
  </table></div>`;
}

/** When it was written, until when it is good, what became of it; and more pairs of names and values behind. */
export function course(prescription, ...more) {
  return facts([
    ["State", badge(prescription.status)],
    ["Reason", block(prescription.statusReason)],
    ["Written", moment(prescription.createdAt)],
    ["Good until", isOver(prescription) ? nothing : moment(prescription.expiresAt)],
    ["Dispensed", moment(prescription.fulfilledAt)],
    ...more,
  ]);
}

function medicines({ items: [first, ...others] }) {
  return others.length ? `${first.medicineName} and ${others.length} more` : first.medicineName;
}

function howToTake({ frequency, route, durationDays, instructions }) {
  const days = durationDays && `${durationDays} ${durationDays === 1 ? "day" : "days"}`;
  return html`${[frequency, route, days].filter(Boolean).join(", ")}
    ${instructions ? html`<br><span class="quiet">${block(instructions)}</span>` : nothing}`;
}
