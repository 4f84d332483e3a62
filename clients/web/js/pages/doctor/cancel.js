/** Cancelling a prescription. */

import { write } from "../../api.js";
import { ask } from "../../dialog.js";
import { html, moment, notice, nothing } from "../../view.js";

/** Ask for the reason and cancel; `done` gets the cancelled prescription. */
export function cancel(prescription, done) {
  let holder = null;
  ask({
    title: `Cancel ${prescription.prescriptionNumber}?`,
    text: "No pharmacy can dispense it any more, and the patient is told why. This cannot be undone.",
    button: "Cancel the prescription",
    fields: (form) => html`
      ${holder ? heldBy(holder) : nothing}
      ${form.area("reason", "Reason", { hint: "The patient reads it." })}`,
    work: async (values) => {
      try {
        await done((await write("POST", `/doctors/prescriptions/${prescription.id}/cancel`, values)).prescription);
      } catch (failure) {
        holder = failure.type === "PRESCRIPTION_CLAIMED" ? failure.said : null;
        throw failure;
      }
    },
  });
}

function heldBy({ pharmacyName, pharmacyPhone = "", claimExpiresAt }) {
  const dialled = pharmacyPhone.replaceAll(/[^+\d]/g, "");
  return notice("busy", html`<p><strong>${pharmacyName}</strong> has it in hand until ${moment(claimExpiresAt)}.
    ${dialled ? html`Call <a href="tel:${dialled}">${pharmacyPhone}</a> and ask them to give it back.` : nothing}</p>`);
}
