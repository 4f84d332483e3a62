import { write } from "../../api.js";
import { Form } from "../../form.js";
import { DOCUMENTS } from "../../parts/identification.js";
import { allergyAnswer, recordFields } from "../../parts/record.js";
import { html } from "../../view.js";
import { email, existingConditions, fullName } from "./fields.js";
import { similarNotice, similarRecords } from "./similar.js";

const ADVICE = "There are records with this name and date of birth. Open one if it is of the same person. "
  + "Create another record only for another person.";

export default function open(page) {
  let similar = [];
  let compared = "";
  const form = new Form(page, async (values) => {
    const person = JSON.stringify([values.fullName, values.dateOfBirth]);
    if (compared !== person) {
      similar = await similarRecords(values, "", page.signal);
      compared = person;
      if (similar.length) {
        page.say(ADVICE);
        return;
      }
    }
    const request = { ...values, noKnownAllergies: undefined, ...allergyAnswer(values.noKnownAllergies) };
    const { patient } = await write("POST", "/doctors/patients", request);
    page.go(`/patients/${patient.id}`);
  });
  page.show(() => html`<section class="card">
      ${form.around(html`
        ${fullName(form)}
        ${email(form)}
        ${recordFields(form, {}, { demanded: true })}
        ${existingConditions(form)}
        ${form.choice("document", "Identified by", DOCUMENTS, { optional: true, none: "Not stated", hint: "You confirm that the record is that of this person." })}
        ${similarNotice(similar, ADVICE)}
        ${form.button(similar.length ? "Create another record" : "Create record")}
      `)}
    </section>
    <p><a href="#/patients">All patients</a></p>`);
}
