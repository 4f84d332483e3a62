import { read } from "../../api.js";
import { dispensedLines } from "../../parts/dispensed_lines.js";
import { badge, block, definitionList, html } from "../../view.js";

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
