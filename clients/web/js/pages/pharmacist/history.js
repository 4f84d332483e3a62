import { Listing } from "../../listing.js";
import { html, label, moment, nothing } from "../../view.js";

const ACTIONS = ["scan", "lookup", "validate", "dispense", "reject", "release"];

export default async function open(page) {
  const entries = new Listing(page, "/pharmacy/history", "entries");
  const narrow = (event) => entries.narrow(Object.fromEntries(new FormData(event.currentTarget)));
  await entries.load();
  page.show(() => html`
    <form class="columns" @change=${narrow} @submit=${(event) => event.preventDefault()}>
      <div class="field"><label for="action">Show</label>
        <select id="action" name="action" autocomplete="off"><option value="">All</option>
          ${ACTIONS.map((action) => html`<option value=${action}>${label(action)}</option>`)}</select></div>
      <div class="field"><label for="from">From</label><input id="from" name="from" type="date" autocomplete="off"></div>
      <div class="field"><label for="to">To</label><input id="to" name="to" type="date" autocomplete="off"></div>
    </form>
    ${entries.show(row, "You have done nothing like that.")}`);
}

function row(entry) {
  return html`<div class="row"><strong>${label(entry.action)}</strong><span class="quiet">${moment(entry.occurredAt)}</span></div>
    <p><a class="number" href="#/dispensed/${entry.prescriptionId}">${entry.prescriptionNumber}</a> · ${entry.patientName}</p>
    ${entry.lines.length ? html`<p>${entry.lines.map(handedOut).join(", ")} · ${entry.totalAmount} ${entry.currency}
      · <a href="#/receipt/${entry.prescriptionId}">Receipt</a></p>` : nothing}
    ${entry.notes ? html`<p class="quiet">${entry.notes}</p>` : nothing}`;
}

function handedOut(line) {
  return `${line.quantity} × ${line.medicineName}`;
}
