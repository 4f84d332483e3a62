/** A former version of a record: who changed which clinical fields, and what was there before. */

import { calendarDay, definitionList, html, label, moment } from "../view.js";

const NAMES = {
  dateOfBirth: "Date of birth", gender: "Gender", bloodType: "Blood type", allergies: "Allergies", allergyStatus: "Allergies",
  existingConditions: "Existing conditions",
};
const TEXTS = {
  dateOfBirth: calendarDay, gender: label,
  allergies: (list) => list.join(", "), existingConditions: (list) => list.join(", "),
};

/** Renders a version as an entry of a list: the changed fields with their former values. */
export function versionRow(version) {
  const who = version.replacedByName || "An unknown account";
  return html`<div class="row">
      <strong>${who}${version.replacedByRole ? html` <span class="quiet">(${version.replacedByRole})</span>` : ""}</strong>
      <span class="quiet">${moment(version.replacedAt)}</span>
    </div>
    ${definitionList(version.changedFields.map((name) => [`${NAMES[name]} before`, former(version, name)]))}`;
}

function former(version, name) {
  if (name.startsWith("allerg") && version.allergyStatus === "none_known") return "no known allergies";
  if (name === "allergyStatus") return html`<span class="quiet">not recorded</span>`;
  const value = version[name];
  return value?.length ? (TEXTS[name] ?? String)(value) : html`<span class="quiet">not recorded</span>`;
}
