import { read } from "../../api.js";
import { Failure } from "../../http.js";
import { course, items } from "../../parts/prescription.js";
import { QrCode } from "../../parts/qr_code.js";
import { html } from "../../view.js";

export default async function open(page) {
  const prescription = await find(page.params.id, page.signal);
  const code = new QrCode(page, prescription, "Email to me");
  page.name(prescription.prescriptionNumber);
  page.show(() => html`
    <section class="card">
      ${course(prescription, ["Doctor", prescription.doctorName], ["Diagnosis", prescription.diagnosis])}
    </section>
    ${code.show()}
    <section class="card">${items(prescription)}</section>
    <p><a href="#/prescriptions">All prescriptions</a></p>`);
  await code.load();
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
