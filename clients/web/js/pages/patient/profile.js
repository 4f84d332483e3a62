import { read, write } from "../../api.js";
import { changes, Form } from "../../form.js";
import { identification } from "../../parts/identification.js";
import { allergies, allergyAnswer, record, RECORD_FIELDS, recordFields } from "../../parts/record.js";
import { html, notice, nothing } from "../../view.js";

export default async function open(page) {
  let { patient } = await read("/patients/profile", {}, page.signal);
  let saved = false;
  const form = new Form(page, async (values) => {
    const answer = allergyAnswer(values.noKnownAllergies, patient);
    const update = { ...changes(patient, values, RECORD_FIELDS), ...answer, version: patient.version };
    patient = (await write("PUT", "/patients/profile", update)).patient;
    saved = true;
    page.say("Your record was saved.");
    scrollTo(0, 0);
  });
  const emails = new Form(page, async (values) => {
    const update = { fullEmails: values.detail === "full", version: patient.version };
    patient = (await write("PUT", "/patients/profile", update)).patient;
    saved = true;
    page.say("Your record was saved.");
    scrollTo(0, 0);
  });
  page.show(() => html`
    ${saved ? notice("good", "Your record was saved.") : nothing}
    ${patient.assurance === "self_asserted" ? unidentified(patient) : nothing}
    <section class="card">${allergies(patient)} ${record(patient)}
      <p class="quiet">Identity: ${identification(patient)}</p></section>
    <section class="card" aria-labelledby="change">
      <h2 id="change">Edit record</h2>
      ${form.around(html`${recordFields(form, patient, { own: true })} ${form.button("Save")}`)}
    </section>
    ${emailDetail(emails, patient)}`);
}

function unidentified({ referenceNumber }) {
  return notice("busy", html`Your identity is not confirmed yet. At your next visit, show an identity document and the number
    <span class="number">${referenceNumber}</span>.`);
}

const DETAILS = [["standard", "As your hospital sends them"], ["full", "Complete, with diagnosis and medicines"]];

function emailDetail(form, { fullEmails }) {
  return html`<section class="card" aria-labelledby="emails">
    <h2 id="emails">Emails about prescriptions</h2>
    ${form.around(html`
      ${form.choice("detail", "Contents", DETAILS, {
        value: fullEmails ? "full" : "standard",
        hint: "Choose complete emails only if you alone read your mailbox.",
      })}
      ${form.button("Change emails")}
    `)}
  </section>`;
}
