import { write } from "../../api.js";
import { Form } from "../../form.js";
import { DOCUMENTS } from "../../parts/identification.js";
import { calendarDay, html, nothing, notice } from "../../view.js";
import { similarNotice, similarRecords } from "./similar.js";

const ADVICE = "There are other records with this name and date of birth. The person may already be a patient, or another "
  + "person may have registered with the name.";

/**
 * Returns a renderer of the form that identifies a self-asserted patient, above what the doctor was about to do; it
 * renders nothing for an identified one. done: called with the identified record.
 */
export function identifyForm(page, patient, done) {
  let identified = false;
  let similar = [];
  const compare = async () => {
    try {
      similar = await similarRecords(patient, patient.id, page.signal);
    } catch {
      return; // The comparison is a help: without it the doctor still compares person, document and record.
    }
    page.update();
  };
  if (patient.assurance === "self_asserted") compare();
  const form = new Form(page, async (values) => {
    const answer = await write("POST", `/doctors/patients/${patient.id}/identification`, values);
    identified = true;
    done(answer.patient);
    page.say("The patient is identified.");
  });
  return () => {
    if (identified) return notice("good", "The patient is identified.");
    if (patient.assurance !== "self_asserted") return nothing;
    return html`<section class="card" aria-labelledby="identify">
      <h2 id="identify">Identify this patient</h2>
      ${notice("busy", "This person registered by themselves. Nobody has checked that they are who they state to be.")}
      ${similarNotice(similar, ADVICE)}
      <p>Compare the person and their document with the record: <strong>${patient.fullName}</strong>${born(patient)}.
        If they differ, this is another person's record.</p>
      ${form.around(html`
        ${form.choice("document", "Document", DOCUMENTS, { none: "Choose a document" })}
        ${patient.dateOfBirth ? nothing : form.text("dateOfBirth", "Date of birth on the document", { type: "date" })}
        ${form.text("note", "Note for staff", { optional: true, hint: "Do not enter document numbers." })}
        ${form.button("Confirm identity")}
      `)}
    </section>`;
  };
}

function born({ dateOfBirth }) {
  return dateOfBirth ? html`, born ${calendarDay(dateOfBirth)}` : nothing;
}
