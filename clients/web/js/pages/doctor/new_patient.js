import { write } from "../../api.js";
import { Form } from "../../form.js";
import { DOCUMENTS } from "../../parts/identification.js";
import { recordFields } from "../../parts/record.js";
import { html } from "../../view.js";
import { email, existingConditions, fullName } from "./fields.js";

export default function open(page) {
  const form = new Form(page, async (values) => {
    const { patient } = await write("POST", "/doctors/patients", values);
    page.go(`/patients/${patient.id}`);
  });
  page.show(() => html`<section class="card">
      ${form.around(html`
        ${fullName(form)}
        ${email(form)}
        ${recordFields(form, {}, { demanded: true })}
        ${existingConditions(form)}
        ${form.choice("document", "Identified by", DOCUMENTS, { optional: true, none: "Not stated", hint: "You confirm that the record is that of this person." })}
        ${form.button("Create record")}
      `)}
    </section>
    <p><a href="#/patients">All patients</a></p>`);
}
