/** Dialogs to cancel and to resume a prescription. */

import { write } from "../../api.js";
import { ask } from "../../dialog.js";
import { html, moment, notice, nothing } from "../../view.js";

/** Asks for the reason and cancels the prescription; `done` receives the cancelled prescription. */
export function cancel(prescription, done) {
  let holder = null;
  ask({
    title: `Cancel ${prescription.prescriptionNumber}?`,
    text: "Pharmacies can no longer dispense it, and the patient is sent the reason. This cannot be undone.",
    button: "Cancel prescription",
    fields: (form) => html`
      ${holder ? claimedBy(holder) : nothing}
      ${form.area("reason", "Reason", { hint: "The patient can read it." })}`,
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

/** Asks for confirmation and resumes a suspended prescription; `done` receives it. */
export function resume(prescription, done) {
  ask({
    title: `Resume ${prescription.prescriptionNumber}?`,
    text: "Check it with the patient first: it may be forged. Pharmacies can then dispense it, and the patient gets it by email. Only a doctor of the same hospital can do this.",
    button: "Resume prescription",
    work: async () => done((await write("POST", `/doctors/prescriptions/${prescription.id}/resume`, {})).prescription),
  });
}

function claimedBy({ pharmacyName, pharmacyPhone = "", claimExpiresAt }) {
  const [number] = pharmacyPhone.normalize("NFKC").replace(/^tel/i, "").split(/[a-z#,;]/i); // without an extension
  const dialled = number.replaceAll(/[^+\d]/g, "").replace(/(?!^)\+/g, "");
  return notice("busy", html`<p><strong>${pharmacyName}</strong> has claimed it until ${moment(claimExpiresAt)}.
    ${dialled ? html`Call <a href="tel:${dialled}">${pharmacyPhone}</a> and ask them to release it.` : nothing}</p>`);
}
