/** Fields that several forms about accounts have. */

import { html, nothing } from "../../view.js";

/** A new password. */
export function password(form, name, label) {
  return form.text(name, label, {
    type: "password",
    autocomplete: "new-password",
    hint: "At least 8 characters. Several words are easier to keep in mind than odd signs.",
  });
}

/** A mailed one-time code. */
export function code(form) {
  return form.text("otpCode", "Code from the mail", { inputmode: "numeric", autocomplete: "one-time-code" });
}

/** What is said of a doctor's or pharmacist's licence and place of work. hint: who looks at the licence. */
export function professional(form, role, hint = "An administrator checks it before you can work with patients' data.") {
  if (role === "doctor") {
    return html`${form.text("licenseNumber", "Licence number", { hint })}
      ${form.text("specialization", "Speciality", { optional: true })}
      ${form.text("hospitalName", "Hospital", { optional: true, autocomplete: "organization" })}`;
  }
  if (role === "pharmacist") {
    return html`${form.text("licenseNumber", "Licence number", { hint })}
      ${form.text("pharmacyName", "Pharmacy", { autocomplete: "organization" })}
      ${form.text("pharmacyAddress", "Address of the pharmacy", { optional: true, autocomplete: "street-address" })}`;
  }
  return nothing;
}
