import { read } from "../../api.js";
import { asFailure } from "../../http.js";
import { course, isFinal, items } from "../../parts/prescription.js";
import { QrCode } from "../../parts/qr_code.js";
import { block, definitionList, html, moment, nothing, notice, words } from "../../view.js";
import { cancel } from "./cancel.js";
import { noEmailNotice } from "./patient_banner.js";

/** Seconds between two fetches of a prescription that is not in a final state. */
const REFRESH_S = 30;

export default async function open(page) {
  const fetchIt = async () => (await read(`/doctors/prescriptions/${page.params.id}`, {}, page.signal)).prescription;
  let prescription = await fetchIt();
  let seenAt = new Date();
  let outOfDate = false;
  const code = new QrCode(page, prescription, "Email to patient");

  const take = async (newer) => {
    if (newer.status !== prescription.status) page.say(`The prescription is now ${words(newer.status)}.`);
    prescription = newer;
    seenAt = new Date();
    outOfDate = false;
    await code.update(newer);
    page.update();
  };
  const refresh = async () => {
    if (isFinal(prescription)) return;
    try {
      await take(await fetchIt());
    } catch (thrown) {
      asFailure(thrown);
      outOfDate = true;
      page.update();
    }
  };

  page.name(prescription.prescriptionNumber);
  page.show(() => html`
    ${outOfDate ? notice("busy", html`MedConnect cannot be reached. You see the prescription as of ${moment(seenAt.toISOString())}.`) : nothing}
    ${isFinal(prescription) ? nothing : noEmailNotice(prescription.patientEmailStatus)}
    ${about(prescription)}
    <section class="card">${items(prescription)}</section>
    ${code.show()}
    ${actions(prescription, take)}`);
  page.every(REFRESH_S, refresh);
  await code.load();
}

function about(prescription) {
  return html`<section class="card" aria-label="Prescription">
    ${definitionList([
      ["Patient", html`<a href="#/patients/${prescription.patientId}">${prescription.patientName}</a>`],
      ["Doctor", prescription.doctorName],
      ["Diagnosis", prescription.diagnosis],
    ])}
    ${course(prescription)}
    ${prescription.doctorNotes ? notes(prescription.doctorNotes) : nothing}
  </section>`;
}

function notes(text) {
  return html`<p class="unprinted"><strong>Your notes</strong> <span class="quiet">(only you can see them)</span><br>${block(text)}</p>`;
}

function actions(prescription, take) {
  return html`<p class="actions">
    <button type="button" class="second" @click=${() => print()}>Print</button>
    ${isFinal(prescription)
      ? nothing
      : html`<button type="button" class="danger" @click=${() => cancel(prescription, take)}>Cancel prescription</button>`}
  </p>`;
}
