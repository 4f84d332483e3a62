import { Members, organisation, organisationFacts } from "../../parts/organisation.js";
import { html } from "../../view.js";

export default async function open(page) {
  const shown = await organisation(page, page.params.id);
  const members = new Members(page, shown.id);
  await members.load();
  page.show(() => html`<section class="card"><p><strong>${shown.name}</strong></p>${organisationFacts(shown)}</section>
    ${members.show()}
    <p><a href="#/account">Your account</a></p>`);
}
