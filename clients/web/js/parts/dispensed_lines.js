/** Renders what pharmacies dispensed of a prescription. */

import { block, calendarDay, html, moment, nothing } from "../view.js";
import { inWords } from "./quantity.js";

/** Renders the lines of a receipt and their total. */
export function dispensedLines({ lines, totalAmount, currency }) {
  return html`<table>
    <caption>Dispensed medicines</caption>
    <thead><tr><th scope="col">Medicine</th><th scope="col" class="right">Unit price</th><th scope="col" class="right">Price</th></tr></thead>
    <tbody>${lines.map((line) => html`<tr>
      <td>${line.medicineName}, ${inWords(line.exactQuantity, line.quantityUnit)}<br>
        ${isSubstitute(line) ? html`${given(line)}<br>` : nothing}
        <span class="quiet">Batch ${line.batchNumber}, expires ${calendarDay(line.expiryDate)}${line.productCode ? `, product ${line.productCode}` : nothing}<br>
        ${line.pharmacyName}, ${moment(line.dispensedAt)}</span></td>
      <td class="right">${line.unitPrice}</td>
      <td class="right">${line.lineTotal}</td>
    </tr>`)}</tbody>
    <tfoot><tr><th scope="row" colspan="2">Total in ${currency}</th><td class="right"><strong>${totalAmount}</strong></td></tr></tfoot>
  </table>`;
}

/** Returns true if another product than the prescribed medicine was given. */
export function isSubstitute(line) {
  return Boolean(line.dispensedMedicineName);
}

/** Renders which product was given instead of the prescribed medicine, and why. */
export function given({ medicineName, dispensedMedicineName, substitutionReason }) {
  return html`Given: ${dispensedMedicineName} (instead of ${medicineName}): ${block(substitutionReason)}`;
}
