/** Fields of a record that only doctors write. */

/** The name. */
export function fullName(form, value) {
  return form.text("fullName", "Full name", { value });
}

/** The address that makes the patient's account. */
export function email(form) {
  return form.text("email", "E-mail", {
    type: "email",
    optional: true,
    hint: "Makes the patient's account. Without it there is no account and no mail: print the code of each prescription.",
  });
}

/** Illnesses the patient lives with. */
export function existingConditions(form, value) {
  return form.area("existingConditions", "Existing conditions", { kind: "list", value, optional: true, hint: "One a line." });
}
