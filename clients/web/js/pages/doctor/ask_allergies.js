import { write } from "../../api.js";
import { Form } from "../../form.js";
import { html, nothing } from "../../view.js";

/**
 * Returns a renderer of the question for allergies, above what the doctor was about to do; it renders nothing once they
 * are recorded. patient: returns the record. done: called with the changed record.
 */
export function askAllergies(page, patient, done) {
  const form = new Form(page, async (values) => {
    const answer = values.allergies ? { allergies: values.allergies } : { noKnownAllergies: true };
    const { id, version } = patient();
    done((await write("PUT", `/doctors/patients/${id}`, { ...answer, version })).patient);
    page.say("The allergies are recorded.");
  });
  return () => (patient().allergyStatus === "not_recorded" ? html`<section class="card" aria-labelledby="ask-allergies">
      <h2 id="ask-allergies">Ask for allergies</h2>
      ${form.around(html`
        ${form.area("allergies", "Allergies", { kind: "list", optional: true, hint: "Enter one per line. Leave it empty if the patient knows of none." })}
        ${form.button("Record the answer", true)}
      `)}
    </section>` : nothing);
}
