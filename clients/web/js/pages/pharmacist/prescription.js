import { asFailure } from "../../http.js";
import { prescriptionRow } from "../../parts/prescription.js";
import { html, problem } from "../../view.js";
import { behind, isOfPatient } from "./found.js";
import { Handling } from "./handling.js";

export default async function open(page) {
  const { number } = page.params;
  page.name(isOfPatient(number) ? "Open prescriptions" : number.toUpperCase());
  try {
    const found = await behind(number);
    if (isOfPatient(number)) showAll(page, number, found);
    else showOne(page, found[0]);
  } catch (thrown) {
    const failure = asFailure(thrown);
    page.show(() => html`${problem(failure, failure.maybeDone && (() => open(page)))} ${back()}`);
  }
}

function showOne(page, found) {
  const handling = new Handling(page, found);
  const patient = page.query.get("of");
  page.show(() => html`${handling.show()}
    ${patient ? html`<p><a href="#/counter/${encodeURIComponent(patient)}">The patient's other prescriptions</a></p>` : back()}`);
}

function showAll(page, patient, found) {
  const of = encodeURIComponent(patient);
  const row = ({ prescription }) =>
    prescriptionRow(prescription, `#/counter/${prescription.prescriptionNumber}?of=${of}`, prescription.doctorName);
  page.show(() => html`
    <p>${found.length ? `${found[0].prescription.patientName} has ${found.length} open. Choose one.` : "This patient has no open prescriptions."}</p>
    <ul class="list">${found.map((one) => html`<li>${row(one)}</li>`)}</ul>
    ${back()}`);
}

function back() {
  return html`<p><a href="#/counter">Back to the counter</a></p>`;
}
