import { read, write } from "../../api.js";
import { ask } from "../../dialog.js";
import { Listing } from "../../listing.js";
import { Filter } from "../../parts/filter.js";
import { badge, day, definitionList, html, label, nothing, notice } from "../../view.js";
import { namingHolder } from "./license_holder.js";

const ROLES = ["patient", "doctor", "pharmacist", "admin"].map((role) => [role, label(role)]);
const STATUSES = ["unverified", "active", "deactivated"].map((status) => [status, label(status)]);

const REASONS = [
  ["left", "Left: open prescriptions stay valid"],
  ["licence_withdrawn", "Licence withdrawn: open prescriptions are suspended"],
  ["account_stolen", "Account stolen: open prescriptions are suspended"],
];

/** An admin's actions on an account, by the last segment of the call's path. */
const ACTIONS = {
  verify: {
    button: "Verify",
    title: (user) => `Verify ${user.fullName}?`,
    look: true,
    text: (user) => `Compare licence number ${user.licenseNumber}${workplace(user) && ` and workplace ${workplace(user)}`} with the register
      first. The ${user.role} can then work with patient data.`,
    said: "verified",
    fields: (user, alike) => (form) => html`
      ${alike ? lookAlikes(alike) : nothing}
      ${form.text("licenseIssuer", "Licence issued by", { value: user.licenseIssuer, optional: true, hint: "As the register names the authority." })}`,
  },
  deactivate: {
    button: "Deactivate",
    title: (user) => `Deactivate ${user.fullName}?`,
    text: () => "The account is signed out everywhere immediately and cannot sign in. Its records are kept, and you can reactivate it.",
    said: "deactivated",
    fields: ({ role }) => (role === "doctor"
      ? (form) => form.choice("reason", "Reason", REASONS, { none: "Choose a reason" }) : undefined),
  },
  reactivate: {
    button: "Reactivate",
    title: (user) => `Reactivate ${user.fullName}?`,
    text: () => "The account can sign in again, with its current password.",
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
      ${filter.search("Find an account", "Enter the beginning of each name, the last digits of a phone number, or a complete email address.")}
      ${filter.choice("role", "Role", ROLES)}
      ${filter.choice("status", "State", STATUSES)}`)}
    ${list.show((user) => row(user, (action) => question(page, user, action, replace)), "No accounts match.")}`);
}

function row(user, act) {
  return html`<div class="row"><strong>${user.fullName}</strong> <span>${label(user.role)} ${badge(user.status)}</span></div>
    ${definitionList([
      ["Email", html`${user.email}${user.emailConfirmed ? nothing : html` <span class="quiet">(not confirmed)</span>`}`],
      ["Phone", user.phone],
      ["Licence number", user.licenseNumber],
      ["Issued by", user.licenseIssuer],
      ["Speciality", user.specialization],
      ["Workplace", workplace(user)],
      ["Created", day(user.createdAt)],
    ])}
    <p class="actions">
      ${OF_STATUS[user.status].map((action) => html`<button type="button" class=${action === "deactivate" ? "danger" : "second"}
        aria-label="${ACTIONS[action].button} ${user.fullName}" @click=${() => act(action)}>${ACTIONS[action].button}</button>`)}
      <a class="button second" href="#/accounts/${user.id}/sessions" aria-label="Show sessions of ${user.fullName}">Show sessions</a>
      <a class="button second" href="#/audit?actorId=${user.id}" aria-label="Show activity of ${user.fullName}">Show activity</a>
    </p>`;
}

function workplace(user) {
  return [user.hospitalName, user.pharmacyName, user.pharmacyAddress].filter(Boolean).join(", ");
}

/** Says what an admin could take for the account. */
function lookAlikes({ accounts, workplaces }) {
  const named = accounts.map((account) => `${account.fullName} (${account.email}, ${label(account.status)})`).join("; ");
  return html`${named ? notice("busy", `Other accounts have this name, or one that looks the same: ${named}.`) : nothing}
    ${workplaces.length ? notice("busy", `Another workplace looks the same but is written with other letters: ${workplaces.join("; ")}.`) : nothing}`;
}

async function question(page, user, action, replace) {
  const { title, text, button, said, fields, look } = ACTIONS[action];
  const alike = look && (await read(`/users/${user.id}`, {}, page.signal)).lookAlikes;
  ask({
    title: title(user),
    text: text(user),
    button,
    fields: fields?.(user, alike),
    work: async (values) => {
      replace((await namingHolder(write("PUT", `/users/${user.id}/${action}`, fields ? values : undefined))).user);
      page.say(`${user.fullName} was ${said}.`);
    },
  });
}
