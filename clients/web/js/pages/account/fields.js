/** Fields that several account forms share. */

import { html, nothing } from "../../view.js";

/** Renders the field for a new password. */
export function password(form, name, label) {
  return form.text(name, label, {
    type: "password",
    autocomplete: "new-password",
    hint: "At least 8 characters. Several words are easier to remember than special characters.",
  });
}

/** Renders the field for a one-time code that was emailed. */
export function code(form) {
  return form.text("otpCode", "Code from the email", { inputmode: "numeric", autocomplete: "one-time-code" });
}

/** Renders the field for a code of the second factor. */
export function factorCode(form, name = "code", options = {}) {
  return form.text(name, "Code of your authenticator app", {
    autocomplete: "one-time-code",
    hint: "Six digits. A recovery code works too.",
    ...options,
  });
}

/**
 * Renders the fields for a doctor's or pharmacist's licence and workplace. own: true if the user fills them in about
 * themselves. hint: how the licence is checked.
 */
export function professional(form, role, { own = true, hint = "An administrator checks it before you can see patient data." } = {}) {
  const filled = (kind) => (own ? kind : "off");
  const licence = html`${form.text("licenseNumber", "Licence number", { hint })}
    ${form.text("licenseIssuer", "Issued by", { optional: true, hint: "The authority that issued the licence, such as a medical board." })}`;
  if (role === "doctor") {
    return html`${licence}
      ${form.text("specialization", "Speciality", { optional: true })}
      ${form.text("hospitalName", "Hospital", { optional: true, autocomplete: filled("organization") })}`;
  }
  if (role === "pharmacist") {
    return html`${licence}
      ${form.text("pharmacyName", "Pharmacy", { autocomplete: filled("organization") })}
      ${form.text("pharmacyAddress", "Pharmacy address", { optional: true, autocomplete: filled("street-address") })}`;
  }
  return nothing;
}
