import { write } from "../../api.js";
import { ask } from "../../dialog.js";
import { changes } from "../../form.js";
import { Members, organisation, organisationFacts, organisationFields } from "../../parts/organisation.js";
import { badge, html, label, nothing } from "../../view.js";

const FIELDS = ["name", "registerNumber", "address", "phone"];

export default async function open(page) {
  let shown = await organisation(page, page.params.id);
  const path = `/organisations/${shown.id}`;
  const members = new Members(page, shown.id);
  await members.load();
  const edit = () => ask({
    title: `Edit ${shown.name}`,
    text: "Past actions keep the names of their time.",
    button: "Save",
    fields: (form) => organisationFields(form, shown),
    work: async (values) => {
      shown = (await write("PUT", path, changes(shown, values, FIELDS))).organisation;
      page.say("The organisation was saved.");
      page.update();
    },
  });
  const close = () => ask({
    title: `Close ${shown.name}?`,
    text: "It cannot be opened again. All memberships and claims end, and the members are signed out everywhere immediately.",
    button: "Close organisation",
    work: async () => {
      shown = (await write("POST", `${path}/close`)).organisation;
      page.say(`${shown.name} was closed.`);
      await members.load();
    },
  });
  page.show(() => html`<section class="card">
      <p><strong>${shown.name}</strong> ${label(shown.kind)} ${badge(shown.closedAt ? "closed" : "open")}</p>
      ${organisationFacts(shown)}
      ${shown.closedAt ? nothing : html`<p class="actions">
        <button type="button" class="second" @click=${edit}>Edit organisation</button>
        <button type="button" class="danger" @click=${close}>Close organisation</button>
      </p>`}
    </section>
    ${members.show(Boolean(shown.closedAt))}
    <p><a href="#/organisations">All organisations</a></p>`);
}
