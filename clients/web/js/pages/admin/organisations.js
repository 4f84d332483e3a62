import { write } from "../../api.js";
import { ask } from "../../dialog.js";
import { Listing } from "../../listing.js";
import { Filter } from "../../parts/filter.js";
import { organisationFacts, organisationFields } from "../../parts/organisation.js";
import { badge, html, label } from "../../view.js";

const KINDS = ["hospital", "pharmacy"].map((kind) => [kind, label(kind)]);

export default async function open(page) {
  const list = new Listing(page, "/organisations", "organisations");
  const filter = new Filter(page, list);
  await filter.load();
  const create = () => ask({
    title: "New organisation",
    button: "Create organisation",
    fields: (form) => html`${form.choice("kind", "Kind", KINDS, { none: "Choose a kind" })}${organisationFields(form)}`,
    work: async (values) => {
      const { organisation } = await write("POST", "/organisations", values);
      page.say(`${organisation.name} was created.`);
      await list.load();
    },
  });
  page.show(() => html`
    <p><button type="button" @click=${create}>New organisation</button></p>
    ${filter.around(html`
      ${filter.search("Find an organisation", "Enter the beginning of its name.")}
      ${filter.choice("kind", "Kind", KINDS)}`)}
    ${list.show(row, "No organisations match.")}`);
}

function row(organisation) {
  return html`<div class="row"><strong>${organisation.name}</strong> <span>${label(organisation.kind)} ${badge(organisation.closedAt ? "closed" : "open")}</span></div>
    ${organisationFacts(organisation)}
    <p class="actions"><a class="button second" href="#/organisations/${organisation.id}" aria-label="Show members of ${organisation.name}">Show members</a></p>`;
}
