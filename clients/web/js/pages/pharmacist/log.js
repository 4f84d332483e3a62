import { Listing } from "../../listing.js";
import { block, html, label, moment, nothing, words } from "../../view.js";

export default async function open(page) {
  const { id } = page.params;
  const entries = new Listing(page, `/pharmacy/logs/${id}`, "entries");
  await entries.load();
  page.show(() => html`
    <p>Pharmacy actions on this prescription, oldest first.</p>
    ${entries.show(row, "There are no entries yet.")}
    <p><a href="#/dispensed">Your history</a></p>`);
}

function row(entry) {
  const { fromStatus, toStatus } = entry;
  return html`<div class="row"><strong>${label(entry.action)}</strong><span class="quiet">${moment(entry.occurredAt)}</span></div>
    <p>${entry.pharmacistName}, ${entry.pharmacyName}</p>
    ${fromStatus === toStatus ? nothing : html`<p class="quiet">${label(fromStatus)} → ${words(toStatus)}</p>`}
    ${entry.notes ? html`<p class="quiet">${block(entry.notes)}</p>` : nothing}`;
}
