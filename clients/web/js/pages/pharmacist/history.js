import { Listing } from "../../listing.js";
import { given, isSubstitute } from "../../parts/dispensed_lines.js";
import { Filter } from "../../parts/filter.js";
import { inWords } from "../../parts/quantity.js";
import { block, html, label, moment, nothing } from "../../view.js";

const ACTIONS = ["scan", "lookup", "validate", "dispense", "reject", "release", "end_claim", "close"].map((action) => [action, label(action)]);

export default async function open(page) {
  const entries = new Listing(page, "/pharmacy/history", "entries");
  const filter = new Filter(page, entries);
  await filter.load();
  page.show(() => html`
    ${filter.around(html`${filter.choice("action", "Action", ACTIONS)} ${filter.days()}`)}
    ${entries.show(row, "No entries match.")}`);
}

function row(entry) {
  return html`<div class="row"><strong>${label(entry.action)}</strong><span class="quiet">${moment(entry.occurredAt)}</span></div>
    <p><a class="number" href="#/dispensed/${entry.prescriptionId}">${entry.prescriptionNumber}</a> · ${entry.patientName}
      <span class="quiet">· ${entry.pharmacistName}</span></p>
    ${entry.lines.length ? html`<p>${entry.lines.map(dispensedLine).join("; ")} · ${entry.totalAmount} ${entry.currency}
      · <a href="#/receipt/${entry.prescriptionId}">Receipt</a></p>` : nothing}
    ${entry.lines.filter(isSubstitute).map((line) => html`<p>${given(line)}</p>`)}
    ${entry.notes ? html`<p class="quiet">${block(entry.notes)}</p>` : nothing}`;
}

function dispensedLine(line) {
  return `${line.medicineName}, ${inWords(line.exactQuantity, line.quantityUnit)}`;
}
