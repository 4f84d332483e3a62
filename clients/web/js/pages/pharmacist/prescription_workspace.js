/** A pharmacist's work on one prescription: validate, dispense, release, reject, close. */

import { write } from "../../api.js";
import { ask } from "../../dialog.js";
import { asFailure } from "../../http.js";
import { course, isFinal, items } from "../../parts/prescription.js";
import { allergies } from "../../parts/record.js";
import { calendarDay, definitionList, html, notice, nothing, problem } from "../../view.js";
import { Claim } from "./claim.js";
import { Dispensing } from "./dispensing.js";
import { findByNumber } from "./found.js";

export class PrescriptionWorkspace {
  #page;
  #prescription;
  #canDispense;
  #claim;
  #dispensing;
  #said = "";
  #failure = null;
  #busy = false;

  /** found: an entry of a scan's or lookup's response. */
  constructor(page, { prescription, canDispense }) {
    this.#page = page;
    this.#prescription = prescription;
    this.#canDispense = canDispense;
    this.#claim = new Claim(page, prescription.id);
    this.#dispensing = new Dispensing(page, () => this.#prescription, (answer) => this.#dispensed(answer));
  }

  show() {
    const { status } = this.#prescription;
    return html`${this.#said ? notice("good", this.#said) : nothing}
      ${this.#failure ? problem(this.#failure) : nothing}
      <section class="card dense" aria-label="Patient and prescription">
        ${this.#allergies()} ${details(this.#prescription)} ${course(this.#prescription)}
      </section>
      <section class="card">${items(this.#prescription)}
        ${isFinal(this.#prescription) || status === "validated" ? nothing : this.#unclaimed()}
      </section>
      ${status === "validated" ? this.#claimed() : nothing}
      <p><a href="#/dispensed/${this.#prescription.id}">Pharmacy log</a></p>`;
  }

  #allergies() {
    const { patientAllergies, patientAllergiesAsked } = this.#prescription;
    return allergies({ allergies: patientAllergies, allergiesAsked: patientAllergiesAsked });
  }

  #unclaimed() {
    return html`<p>Check the patient and the medicines, then validate. While your claim lasts, only you can dispense the prescription.</p>
      <div class="actions">
        ${this.#button("Validate", "", this.#validate)} ${this.#endButton()}
      </div>`;
  }

  #claimed() {
    return this.#canDispense ? this.#mine() : html`
      ${notice("busy", "Another pharmacy has validated this prescription. You cannot dispense it now.")}
      <p>${this.#button("Refresh", "second", this.#refresh)}</p>`;
  }

  #mine() {
    return html`<section class="card" aria-labelledby="dispense">
      <h2 id="dispense" tabindex="-1">Dispense</h2>
      ${this.#allergies()}
      ${this.#claim.show()}
      <div class="actions field">
        ${this.#button("Renew", "second", this.#validate)} ${this.#button("Release", "second", this.#release)} ${this.#endButton()}
      </div>
      ${this.#dispensing.show()}
    </section>`;
  }

  #button(text, look, work) {
    return html`<button type="button" class=${look} ?disabled=${this.#busy} @click=${() => this.#try(work)}>${text}</button>`;
  }

  // Before a part was dispensed the prescription can be rejected, afterwards its rest can be closed.
  #endButton() {
    const begun = this.#prescription.items.some((item) => item.exactDispensedQuantity !== "0");
    return begun
      ? html`<button type="button" class="danger" @click=${this.#close}>Close the rest …</button>`
      : html`<button type="button" class="danger" @click=${this.#reject}>Reject …</button>`;
  }

  #refresh = async () => {
    const { prescriptions } = await findByNumber(this.#prescription.prescriptionNumber);
    const [{ prescription, canDispense }] = prescriptions;
    this.#becomes(prescription, "", canDispense);
  };

  #validate = async () => {
    const { prescription, claimExpiresAt } = await this.#write("validate");
    this.#claim.begin(claimExpiresAt);
    this.#becomes(prescription, "");
    this.#page.say("You can now dispense the prescription.");
    document.getElementById("dispense").focus();
  };

  #release = async () => {
    this.#becomes((await this.#write("release")).prescription, "The prescription was released. Any pharmacist can validate it.");
  };

  #reject = () => ask({
    title: "Reject prescription?",
    text: "The prescription can no longer be dispensed. This cannot be undone.",
    button: "Reject prescription",
    fields: (form) => form.area("reason", "Reason", { hint: "The patient and the doctor can read it." }),
    work: async (values) => {
      this.#becomes((await this.#write("reject", values)).prescription, "The prescription was rejected. The patient and the doctor are notified.");
    },
  });

  #close = () => ask({
    title: "Close the rest?",
    text: "The rest of the prescription can no longer be dispensed. This cannot be undone.",
    button: "Close the rest",
    fields: (form) => form.area("reason", "Reason", { hint: "The patient and the doctor can read it." }),
    work: async (values) => {
      this.#becomes((await this.#write("close", values)).prescription, "The rest was closed. The patient and the doctor are notified.");
    },
  });

  #dispensed({ prescription, totalAmount, currency }) {
    const open = isFinal(prescription) ? "" : "To dispense the rest, validate the prescription again.";
    this.#becomes(prescription, html`<p><strong>Dispensed for ${totalAmount} ${currency}.</strong> ${open}</p>
      <p><a href="#/receipt/${prescription.id}">Receipt</a></p>`);
    this.#page.say(`Dispensed for ${totalAmount} ${currency}. ${open}`);
  }

  // canDispense: true after an action of this pharmacist.
  #becomes(prescription, said, canDispense = true) {
    this.#prescription = prescription;
    this.#canDispense = canDispense;
    this.#said = said;
    this.#failure = null;
    if (prescription.status !== "validated") this.#claim.end();
    this.#page.update();
    if (said) this.#page.arrive();
  }

  #write(action, values) {
    return write("POST", `/pharmacy/${action}/${this.#prescription.id}`, values);
  }

  async #try(work) {
    this.#busy = true;
    this.#page.update();
    try {
      await work();
    } catch (thrown) {
      this.#failure = asFailure(thrown);
      this.#said = "";
      scrollTo(0, 0);
    } finally {
      this.#busy = false;
      this.#page.update();
    }
  }
}

function details({ patientName, patientDateOfBirth, insuranceProvider, insuranceNumber, doctorName, doctorLicenseNumber, prescriberInactive, diagnosis }) {
  return definitionList([
    ["Patient", html`<strong>${patientName}</strong>`],
    ["Born", calendarDay(patientDateOfBirth)],
    ["Insurance", [insuranceProvider, insuranceNumber].filter(Boolean).join(", ")],
    ["Doctor", prescriberInactive ? html`${doctorName} <strong>(the prescriber is no longer active; the prescription stays valid)</strong>` : doctorName],
    ["Licence number", doctorLicenseNumber],
    ["Diagnosis", diagnosis],
  ]);
}
