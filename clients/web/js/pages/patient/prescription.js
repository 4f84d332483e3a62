import { read, write } from "../../api.js";
import { ask } from "../../dialog.js";
import { Failure } from "../../http.js";
import { dispensedLines } from "../../parts/dispensed_lines.js";
import { course, items } from "../../parts/prescription.js";
import { QrCode } from "../../parts/qr_code.js";
import { html, notice, nothing } from "../../view.js";

export default async function open(page) {
  let prescription = await find(page.params.id, page.signal);
  const receipt = await readReceipt(prescription, page.signal);
  const code = new QrCode(page, prescription, "Email to me");
  page.name(prescription.prescriptionNumber);
  const claimEnded = ({ status }) => {
    prescription = { ...prescription, status };
    page.update();
  };
  page.show(() => html`
    ${prescription.status === "validated" ? claimed(() => endClaim(prescription, claimEnded)) : nothing}
    <section class="card">
      ${course(prescription, ["Doctor", prescription.doctorName], ["Diagnosis", prescription.diagnosis])}
    </section>
    ${code.show()}
    <section class="card">${items(prescription)}</section>
    ${receipt ? html`<section class="card">${dispensedLines(receipt)}</section>` : nothing}
    <p><a href="#/prescriptions">All prescriptions</a></p>`);
  await code.load();
}

async function readReceipt(prescription, signal) {
  const begun = prescription.items.some((item) => Number(item.exactDispensedQuantity) > 0);
  return begun ? read(`/pharmacy/dispensing-summary/${prescription.id}`, {}, signal) : null;
}

function claimed(end) {
  return notice("busy", html`<p>A pharmacy is preparing this prescription, so no other pharmacy can dispense it.</p>
    <p><button type="button" class="second" @click=${end}>Go to another pharmacy</button></p>`);
}

function endClaim({ id, prescriptionNumber }, done) {
  ask({
    title: `End the pharmacy's claim on ${prescriptionNumber}?`,
    text: "The pharmacy that is preparing it must scan it again. Any pharmacy can then dispense it.",
    button: "End claim",
    work: async () => done(await write("POST", `/pharmacy/end-claim/${id}`, {})),
  });
}

// The API has only a list of a patient's prescriptions, so the list is searched page by page.
async function find(id, signal) {
  let pageToken = "";
  do {
    const answer = await read("/patients/prescriptions", { pageSize: 100, pageToken }, signal);
    const found = answer.prescriptions.find((one) => one.id === id);
    if (found) return found;
    pageToken = answer.nextPageToken;
  } while (pageToken);
  throw new Failure(404, { type: "RESOURCE_NOT_FOUND", message: "There is no such prescription." });
}
