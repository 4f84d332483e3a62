/** The form that dispenses all or a part of a prescription. */

import { write } from "../../api.js";
import { Form, withFieldNames } from "../../form.js";
import { atQuantity, inWords, isOpen } from "../../parts/quantity.js";
import { html, nothing } from "../../view.js";

export class Dispensing {
  #page;
  #prescription;
  #form;
  /** Ids of the items that are not dispensed now. */
  #left = new Set();

  /** prescription: returns the current prescription. done: called with the service's response. */
  constructor(page, prescription, done) {
    this.#page = page;
    this.#prescription = prescription;
    this.#form = new Form(page, async (values) => {
      const answer = await this.#send(values);
      this.#left.clear();
      done(answer);
    });
  }

  show() {
    return this.#form.around(html`
      ${this.#prescription().items.map((item, position) => (isOpen(item) ? this.#line(item, position) : nothing))}
      ${this.#form.area("notes", "Notes", { optional: true, rows: 2 })}
      ${this.#form.button("Dispense")}`);
  }

  #line(item, position) {
    const selected = !this.#left.has(item.id);
    return html`<fieldset>
      <legend>${item.medicineName} <span class="quiet">${item.dosage}</span></legend>
      <label class="check"><input type="checkbox" .checked=${selected} @change=${() => this.#turn(item.id)}> Dispense now</label>
      ${selected ? this.#fields(item, position) : nothing}
    </fieldset>`;
  }

  #fields(item, position) {
    const field = `items[${position}]`;
    return html`<div class="columns line">
      ${this.#form.text(`${field}.quantity`, "Quantity", { kind: "decimal", value: item.exactRemainingQuantity, hint: `Remaining: ${inWords(item.exactRemainingQuantity, item.quantityUnit)}.` })}
      ${this.#form.text(`${field}.unitPrice`, "Unit price", { inputmode: "decimal", hint: "Such as 12.50." })}
      ${this.#form.text(`${field}.batchNumber`, "Batch number", { hint: "As printed on the pack." })}
      ${this.#form.text(`${field}.expiryDate`, "Batch expiry date", { type: "date", hint: "As printed on the pack." })}
    </div>`;
  }

  #turn(id) {
    if (!this.#left.delete(id)) this.#left.add(id);
    this.#page.update();
  }

  // The service numbers the lines of the request; the form numbers the items of the prescription.
  #send({ items = [], notes }) {
    const { id, items: prescribed } = this.#prescription();
    const positions = [...prescribed.keys()].filter((position) => isOpen(prescribed[position]) && !this.#left.has(prescribed[position].id));
    const lines = positions.map((position) => line(prescribed[position], items[position]));
    const rename = (detail) => atFormPosition(atQuantity(detail), positions);
    return withFieldNames(rename, () => write("POST", `/pharmacy/dispense/${id}`, { items: lines, notes }));
  }
}

function line(item, { quantity, unitPrice, batchNumber, expiryDate } = {}) {
  return { itemId: item.id, exactQuantity: quantity, quantityUnit: item.quantityUnit, unitPrice: unitPrice?.replace(",", "."), batchNumber, expiryDate };
}

function atFormPosition({ field, message }, positions) {
  return { field: field.replace(/^items\[(\d+)\]/, (_, number) => `items[${positions[number]}]`), message };
}
