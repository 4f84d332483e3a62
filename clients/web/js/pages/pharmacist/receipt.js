import { read } from "../../api.js";
import { inWords } from "../../parts/quantity.js";
import { badge, block, calendarDay, definitionList, html, moment, nothing } from "../../view.js";

export default async function open(page) {
  const { id } = page.params;
  const receipt = await read(`/pharmacy/dispensing-summary/${id}`, {}, page.signal);
  page.show(() => html`
    <section class="card">
      ${definitionList([
        ["Prescription", html`<span class="number">${receipt.prescriptionNumber}</span>`],
        ["Patient", receipt.patientName],
        ["State", badge(receipt.status)],
        ["Reason", block(receipt.closingReason)],
        ["Total", html`<strong>${receipt.totalAmount} ${receipt.currency}</strong>`],
      ])}
    </section>
    <section class="card">${dispensedLines(receipt)}</section>
    <div class="actions">
      <button type="button" @click=${() => print()}>Print</button>
      <a class="button second" href="#/counter">Back to the counter</a>
    </div>`);
}

function dispensedLines({ lines, totalAmount, currency }) {
  return html`<table>
    <caption>Dispensed medicines</caption>
    <thead><tr><th scope="col">Medicine</th><th scope="col" class="right">Unit price</th><th scope="col" class="right">Price</th></tr></thead>
    <tbody>${lines.map((line) => html`<tr>
      <td>${line.medicineName}, ${inWords(line.exactQuantity, line.quantityUnit)}<br>
        <span class="quiet">Batch ${line.batchNumber}, expires ${calendarDay(line.expiryDate)}${line.productCode ? `, product ${line.productCode}` : nothing}<br>
        ${line.pharmacyName}, ${moment(line.dispensedAt)}</span></td>
      <td class="right">${line.unitPrice}</td>
      <td class="right">${line.lineTotal}</td>
    </tr>`)}</tbody>
    <tfoot><tr><th scope="row" colspan="2">Total in ${currency}</th><td class="right"><strong>${totalAmount}</strong></td></tr></tfoot>
  </table>`;
}
