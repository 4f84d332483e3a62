import { Listing } from "../../listing.js";
import { Filter } from "../../parts/filter.js";
import { badge, definitionList, html, label, moment, nothing, words } from "../../view.js";

const choices = (values) => values.map((value) => [value, label(value)]);
const ACTIONS = choices(["create", "read", "update", "delete", "execute"]);
const OUTCOMES = choices(["success", "failure", "denied", "fault"]);
const ROLES = choices(["patient", "doctor", "pharmacist", "admin"]);

/** Filters that links in a record set, with the text that describes each. */
const LINKED = { event: words, actorId: () => "one account", patientId: () => "one patient's record" };

export default async function open(page) {
  const list = new Listing(page, "/audit", "entries");
  const filter = new Filter(page, list);
  await filter.load();
  page.show(() => html`
    <p>All recorded actions, newest first. The service never changes or deletes these records, and it records your access to them.</p>
    ${narrowed(page.query)}
    ${filter.around(html`
      ${filter.choice("role", "Role", ROLES)}
      ${filter.choice("action", "Action", ACTIONS)}
      ${filter.choice("outcome", "Outcome", OUTCOMES)}
      ${filter.days()}`)}
    ${list.show(row, "No records match.")}`);
}

function narrowed(query) {
  const names = Object.keys(LINKED).filter((name) => query.has(name));
  if (!names.length) return nothing;
  const filters = names.map((name) => LINKED[name](query.get(name)));
  return html`<p>Only ${filters.join(", ")}. <a href="#/audit">Show all</a></p>`;
}

function row(entry) {
  return html`<div class="row"><strong>${label(entry.event)}</strong> <span>${badge(entry.outcome)}</span></div>
    <p>${who(entry)} · <span class="quiet">${moment(entry.occurredAt)}</span></p>
    ${entry.reason ? html`<p class="small">${label(entry.reason.toLowerCase())}</p>` : nothing}
    <details><summary>More</summary>${more(entry)}</details>`;
}

function who(entry) {
  if (!entry.actorId) return entry.rpc ? "A caller who is not signed in" : "MedConnect itself";
  return html`<a href="#/audit?actorId=${entry.actorId}">${entry.actorName || entry.actorId}</a> (${entry.actorRole})`;
}

function more(entry) {
  return definitionList([
    ["Event", html`<a href="#/audit?event=${entry.event}">${label(entry.event)}</a>`],
    ["Action", label(entry.action)],
    ["Purpose", entry.purpose],
    ["Object", entry.objectId && html`${words(entry.objectKind)} <span class="number small">${entry.objectId}</span>`],
    ["Patients", entry.patientIds.length ? entry.patientIds.map(patient) : ""],
    ["IP address", entry.address],
    ["User agent", entry.userAgent],
    ["Method", entry.rpc],
    ["Session", entry.sessionId],
    ["Request", entry.requestId],
  ]);
}

function patient(id) {
  return html`<a class="number small" href="#/audit?patientId=${id}">${id}</a> `;
}
