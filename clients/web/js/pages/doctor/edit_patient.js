import { write } from "../../api.js";
import { changes, Form } from "../../form.js";
import { allergyAnswer, RECORD_FIELDS, recordFields } from "../../parts/record.js";
import { html, notice, nothing } from "../../view.js";
import { existingConditions, fullName } from "./fields.js";
import { readPatient } from "./patient_banner.js";

const FIELDS = ["fullName", ...RECORD_FIELDS, "existingConditions"];

export default async function open(page) {
  let patient = await readPatient(page);
  let outdated = false;
  const form = new Form(page, async (values) => {
    try {
      await save(patient, values);
    } catch (failure) {
      outdated = failure.type === "VERSION_CONFLICT";
      throw failure;
    }
    page.go(`/patients/${patient.id}`);
  });
  const loadNewer = async () => {
    patient = await readPatient(page);
    outdated = false;
    page.say("The newer record is loaded.");
    page.update();
  };
  page.name(`Edit record of ${patient.fullName}`);
  page.show(() => html`<section class="card">
      ${form.around(html`
        ${outdated ? conflict(form, loadNewer) : nothing}
        ${fullName(form, patient.fullName)}
        ${recordFields(form, patient)}
        ${existingConditions(form, patient.existingConditions)}
        ${form.button("Save")}
      `)}
    </section>
    <p><a href="#/patients/${patient.id}">Back without saving</a></p>`);
}

function save(patient, values) {
  return write("PUT", `/doctors/patients/${patient.id}`, {
    ...changes(patient, values, FIELDS),
    ...allergyAnswer(values.noKnownAllergies, patient),
    version: patient.version,
  });
}

// A field that the user has edited keeps its text; all others show the newer record.
function conflict(form, loadNewer) {
  return notice("busy", html`
    <p>Your changes are not saved yet. Load the newer record: what you have typed stays, and all other fields are updated.
      Then check the record and save it.</p>
    <button type="button" class="second" @click=${loadNewer}>Load newer record</button>`);
}
