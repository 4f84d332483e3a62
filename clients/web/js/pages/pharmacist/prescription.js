import { asFailure } from "../../http.js";
import { prescriptionRow } from "../../parts/prescription.js";
import { html, nothing, notice, problem } from "../../view.js";
import { findByNumber, isOfPatient } from "./found.js";
import { PrescriptionWorkspace } from "./prescription_workspace.js";

export default async function open(page) {
  const { number } = page.params;
  page.name(isOfPatient(number) ? "Open prescriptions" : number.toUpperCase());
  try {
    const found = await findByNumber(number);
    if (isOfPatient(number)) showAll(page, number, found);
    else showOne(page, found.prescriptions[0]);
  } catch (thrown) {
    const failure = asFailure(thrown);
    page.show(() => html`${problem(failure, failure.maybeDone && (() => open(page)))} ${back()}`);
  }
}

function showOne(page, found) {
  const workspace = new PrescriptionWorkspace(page, found);
  const patient = page.query.get("of");
  page.show(() => html`${workspace.show()}
    ${patient ? html`<p><a href="#/counter/${encodeURIComponent(patient)}">The patient's other prescriptions</a></p>` : back()}`);
}

function showAll(page, patient, { prescriptions: found, hasMore }) {
  const of = encodeURIComponent(patient);
  const row = ({ prescription }) =>
    prescriptionRow(prescription, `#/counter/${prescription.prescriptionNumber}?of=${of}`, prescription.doctorName);
  page.show(() => html`
    <p>${found.length ? `${found[0].prescription.patientName}, ${hasMore ? `the newest ${found.length}` : `${found.length} in total`}. Select one.` : "This patient has no open prescriptions."}</p>
    <ul class="list">${found.map((one) => html`<li>${row(one)}</li>`)}</ul>
    ${hasMore ? notice("", "The patient has more open prescriptions. Look them up by their own numbers (RX-…).") : nothing}
    ${back()}`);
}

function back() {
  return html`<p><a href="#/counter">Back to the counter</a></p>`;
}
