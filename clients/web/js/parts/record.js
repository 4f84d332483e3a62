/** A patient's record: its view and its form fields. */

import { calendarDay, day, definitionList, html, label, notice, nothing } from "../view.js";

const GENDERS = [["female", "Female"], ["male", "Male"], ["other", "Other"]];
const BLOOD_TYPES = ["A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-"].map((type) => [type, type]);

/** Renders the record. */
export function record(patient) {
  return definitionList([
    ["Reference number", html`<span class="number">${patient.referenceNumber}</span>`],
    ["Date of birth", calendarDay(patient.dateOfBirth)],
    ["Gender", label(patient.gender)],
    ["Blood type", patient.bloodType],
    ["Email", patient.email],
    ["Phone", patient.phone],
    ["Address", patient.address],
    ["Emergency contact", [patient.emergencyContact, patient.emergencyPhone].filter(Boolean).join(", ")],
    ["Insurance", [patient.insuranceProvider, patient.insuranceNumber].filter(Boolean).join(", ")],
  ]);
}

/** Renders what is known about the allergies of a record. An empty list does not mean that the patient has none. */
export function allergies({ allergies: list, allergiesAsked: asked }) {
  if (list.length) return html`<div class="notice bad"><p><strong>Allergies:</strong> ${list.join(", ")}</p></div>`;
  if (asked) return html`<p class="quiet">No known allergies (asked ${day(asked.askedAt)}, ${asked.askedBy}).</p>`;
  return notice("busy", html`<strong>Allergies not recorded.</strong>`);
}

const NONE_KNOWN = [["none", "Asked: no known allergies"]];

/** Returns what a form states about a record without listed allergies, as fields of the request. */
export function allergyAnswer(answer, before = {}) {
  const known = before.allergyStatus === "none_known";
  return (answer === "none") === known ? {} : { noKnownAllergies: answer === "none" };
}

/** The names of the fields that both patients and doctors can change. */
export const RECORD_FIELDS = [
  "phone", "dateOfBirth", "gender", "bloodType", "address", "emergencyContact", "emergencyPhone", "insuranceProvider",
  "insuranceNumber", "allergies",
];

/**
 * Renders these fields with a record's values. own: true if the user fills them in about themselves; the browser then
 * offers the user's own data. demanded: true if date of birth and gender are required.
 */
export function recordFields(form, patient = {}, { own = false, demanded = false } = {}) {
  const optional = true;
  const filled = (kind) => (own ? kind : "off");
  return html`<div class="columns">
      ${form.text("dateOfBirth", "Date of birth", { type: "date", autocomplete: filled("bday"), value: patient.dateOfBirth, optional: !demanded })}
      ${form.choice("gender", "Gender", GENDERS, { value: patient.gender, optional: !demanded, none: "–" })}
      ${form.choice("bloodType", "Blood type", BLOOD_TYPES, { value: patient.bloodType, optional, none: "Unknown" })}
      ${form.text("phone", "Phone", { type: "tel", autocomplete: filled("tel"), value: patient.phone, optional })}
    </div>
    ${form.area("allergies", "Allergies", { kind: "list", value: patient.allergies, optional, hint: "Enter one per line." })}
    ${form.choice("noKnownAllergies", "If you list none", NONE_KNOWN, { value: patient.allergyStatus === "none_known" ? "none" : "", optional, none: "Allergies not recorded" })}
    ${form.text("address", "Address", { autocomplete: filled("street-address"), value: patient.address, optional })}
    <div class="columns">
      ${form.text("emergencyContact", "Emergency contact", { value: patient.emergencyContact, optional })}
      ${form.text("emergencyPhone", "Phone of the emergency contact", { type: "tel", value: patient.emergencyPhone, optional })}
      ${form.text("insuranceProvider", "Insurance", { value: patient.insuranceProvider, optional })}
      ${form.text("insuranceNumber", "Insurance number", { value: patient.insuranceNumber, optional })}
    </div>`;
}

/** Renders existing conditions; nothing if none are recorded. */
export function conditions(list) {
  return list.length ? html`<p><strong>Existing conditions:</strong> ${list.join(", ")}</p>` : nothing;
}
