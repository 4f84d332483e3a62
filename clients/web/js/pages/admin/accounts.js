import { write } from "../../api.js";
import { ask } from "../../dialog.js";
import { Listing } from "../../listing.js";
import { Filter } from "../../parts/filter.js";
import { badge, day, facts, html, label, nothing } from "../../view.js";

const ROLES = ["patient", "doctor", "pharmacist", "admin"].map((role) => [role, label(role)]);
const STATUSES = ["unverified", "active", "deactivated"].map((status) => [status, label(status)]);

/** What an admin does to an account, by the word in the call's path. */
const ACTIONS = {
  verify: {
    button: "Verify",
    title: (user) => `Verify ${user.fullName}?`,
    text: ({ licenseNumber, role }) =>
      `Compare licence number ${licenseNumber} with the register first. From then on this ${role} can work with patients' data.`,
    said: "verified",
  },
  deactivate: {
    button: "Deactivate",
    title: (user) => `Deactivate ${user.fullName}?`,
    text: () => "The account is signed out everywhere at once and cannot sign in. Its records stay. It can be reactivated.",
    said: "deactivated",
  },
  reactivate: {
    button: "Reactivate",
    title: (user) => `Reactivate ${user.fullName}?`,
    text: () => "The account can sign in again, with its present password.",
    said: "reactivated",
  },
};
const OF_STATUS = { unverified: ["verify", "deactivate"], active: ["deactivate"], deactivated: ["reactivate"] };

export default async function open(page) {
  const list = new Listing(page, "/users/search", "users");
  const filter = new Filter(page, list);
  const replace = (user) => {
    list.items = list.items.map((one) => (one.id === user.id ? user : one));
    page.update();
  };
  await filter.load();
  page.show(() => html`
    <p><a class="button" href="#/accounts/new">New account</a></p>
    ${filter.around(html`
      ${filter.search("Find an account", "The beginning of each name, or a whole e-mail address.")}
      ${filter.choice("role", "Role", ROLES)}
      ${filter.choice("status", "State", STATUSES)}`)}
    ${list.show((user) => row(user, (action) => question(page, user, action, replace)), "There are no such accounts.")}`);
}

function row(user, act) {
  return html`<div class="row"><strong>${user.fullName}</strong> <span>${label(user.role)} ${badge(user.status)}</span></div>
    ${facts([
      ["E-mail", html`${user.email}${user.emailConfirmed ? nothing : html` <span class="quiet">(not confirmed)</span>`}`],
      ["Phone", user.phone],
      ["Licence number", user.licenseNumber],
      ["Speciality", user.specialization],
      ["Workplace", [user.hospitalName, user.pharmacyName, user.pharmacyAddress].filter(Boolean).join(", ")],
      ["Since", day(user.createdAt)],
    ])}
    <p class="actions">
      ${OF_STATUS[user.status].map((action) => html`<button type="button" class=${action === "deactivate" ? "danger" : "second"}
        aria-label="${ACTIONS[action].button} ${user.fullName}" @click=${() => act(action)}>${ACTIONS[action].button}</button>`)}
      <a class="button second" href="#/audit?actorId=${user.id}" aria-label="What they did: ${user.fullName}">What they did</a>
    </p>`;
}

function question(page, user, action, replace) {
  const { title, text, button, said } = ACTIONS[action];
  ask({
    title: title(user),
    text: text(user),
    button,
    work: async () => {
      replace((await write("PUT", `/users/${user.id}/${action}`)).user);
      page.say(`${user.fullName} is ${said}.`);
    },
  });
}
