import { read } from "../../api.js";
import { asFailure } from "../../http.js";
import { course, isOver, items } from "../../parts/prescription.js";
import { QrCode } from "../../parts/qr_code.js";
import { block, facts, html, moment, nothing, notice, words } from "../../view.js";
import { cancel } from "./cancel.js";
import { noEmailNotice } from "./whom.js";

/** Seconds between two looks at a prescription that something can still happen to. */
const LOOK_AGAIN_S = 30;

export default async function open(page) {
  const fetchIt = async () => (await read(`/doctors/prescriptions/${page.params.id}`, {}, page.signal)).prescription;
  let prescription = await fetchIt();
  let seenAt = new Date();
  let outOfDate = false;
  const code = new QrCode(page, prescription);

  const take = async (newer) => {
    if (newer.status !== prescription.status) page.say(`The prescription is ${words(newer.status)} now.`);
    prescription = newer;
    seenAt = new Date();
    outOfDate = false;
    await code.update(newer);
    page.update();
  };
  const lookAgain = async () => {
    if (isOver(prescription)) return;
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
    ${outOfDate ? notice("busy", html`MedConnect does not answer. This is how it stood at ${moment(seenAt.toISOString())}.`) : nothing}
    ${isOver(prescription) ? nothing : noEmailNotice(prescription.patientEmailStatus)}
    ${about(prescription)}
    <section class="card">${items(prescription)}</section>
    ${code.show()}
    ${actions(prescription, take)}`);
  page.every(LOOK_AGAIN_S, lookAgain);
  await code.load();
}

function about(prescription) {
  return html`<section class="card" aria-label="Prescription">
    ${facts([
      ["Patient", html`<a href="#/patients/${prescription.patientId}">${prescription.patientName}</a>`],
      ["Doctor", prescription.doctorName],
      ["Diagnosis", prescription.diagnosis],
    ])}
    ${course(prescription)}
    ${prescription.doctorNotes ? notes(prescription.doctorNotes) : nothing}
  </section>`;
}

function notes(text) {
  return html`<p class="unprinted"><strong>Your notes</strong> <span class="quiet">(only you see them)</span><br>${block(text)}</p>`;
}

function actions(prescription, take) {
  return html`<p class="actions">
    <button type="button" class="second" @click=${() => print()}>Print</button>
    ${isOver(prescription)
      ? nothing
      : html`<button type="button" class="danger" @click=${() => cancel(prescription, take)}>Cancel the prescription</button>`}
  </p>`;
}
