/** Fields of a record that only doctors can change. */

/** Renders the field for the patient's name. */
export function fullName(form, value) {
  return form.text("fullName", "Full name", { value });
}

/** Renders the field for the email address, which creates the patient's account. */
export function email(form) {
  return form.text("email", "Email", {
    type: "email",
    optional: true,
    hint: "Creates an account and invites the patient by email. Until the patient confirms the address, emails to it contain no health data. Patients without an address have no account and get no email: print each prescription with its code.",
  });
}

/** Renders the field for existing conditions. */
export function existingConditions(form, value) {
  return form.area("existingConditions", "Existing conditions", { kind: "list", value, optional: true, hint: "Enter one per line." });
}
