/** A patient's record: how it is shown, and the fields that change it. */

import { calendarDay, facts, html, label, nothing } from "../view.js";

const GENDERS = [["female", "Female"], ["male", "Male"], ["other", "Other"]];
const BLOOD_TYPES = ["A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-"].map((type) => [type, type]);

/** The record's facts. */
export function record(patient) {
  return facts([
    ["Reference number", html`<span class="number">${patient.referenceNumber}</span>`],
    ["Born", calendarDay(patient.dateOfBirth)],
    ["Gender", label(patient.gender)],
    ["Blood type", patient.bloodType],
    ["E-mail", patient.email],
    ["Phone", patient.phone],
    ["Address", patient.address],
    ["Emergency contact", [patient.emergencyContact, patient.emergencyPhone].filter(Boolean).join(", ")],
    ["Insurance", [patient.insuranceProvider, patient.insuranceNumber].filter(Boolean).join(", ")],
  ]);
}

/** Shows what a patient is allergic to, prominently; an empty list does not mean that there are no allergies. */
export function allergies(list) {
  if (!list.length) return html`<p class="quiet">Allergies not recorded.</p>`;
  return html`<div class="notice bad"><p><strong>Allergies:</strong> ${list.join(", ")}</p></div>`;
}

/** The names of the fields that both the patient and the doctor change. */
export const RECORD_FIELDS = [
  "phone", "dateOfBirth", "gender", "bloodType", "address", "emergencyContact", "emergencyPhone", "insuranceProvider",
  "insuranceNumber", "allergies",
];

/** Their fields, filled in from a record; `demanded`: whether date of birth and gender must be given. */
export function recordFields(form, patient = {}, demanded = false) {
  const optional = true;
  return html`<div class="columns">
      ${form.text("dateOfBirth", "Date of birth", { type: "date", autocomplete: "bday", value: patient.dateOfBirth, optional: !demanded })}
      ${form.choice("gender", "Gender", GENDERS, { value: patient.gender, optional: !demanded, none: "–" })}
      ${form.choice("bloodType", "Blood type", BLOOD_TYPES, { value: patient.bloodType, optional, none: "Not known" })}
      ${form.text("phone", "Phone", { type: "tel", autocomplete: "tel", value: patient.phone, optional })}
    </div>
    ${form.area("allergies", "Allergies", { kind: "list", value: patient.allergies, optional, hint: "One a line." })}
    ${form.text("address", "Address", { autocomplete: "street-address", value: patient.address, optional })}
    <div class="columns">
      ${form.text("emergencyContact", "Emergency contact", { value: patient.emergencyContact, optional })}
      ${form.text("emergencyPhone", "Phone of the contact", { type: "tel", value: patient.emergencyPhone, optional })}
      ${form.text("insuranceProvider", "Insurance", { value: patient.insuranceProvider, optional })}
      ${form.text("insuranceNumber", "Insurance number", { value: patient.insuranceNumber, optional })}
    </div>`;
}

/** Existing conditions; nothing where none are on record. */
export function conditions(list) {
  return list.length ? html`<p><strong>Existing conditions:</strong> ${list.join(", ")}</p>` : nothing;
}
