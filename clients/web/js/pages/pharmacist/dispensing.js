/** What is handed out of a prescription: all that is still open, or part of it. */

import { write } from "../../api.js";
import { Form } from "../../form.js";
import { asFailure } from "../../http.js";
import { html, nothing } from "../../view.js";

export class Dispensing {
  #page;
  #prescription;
  #form;
  /** Ids of the items that stay here for now. */
  #left = new Set();

  /** prescription: answers it as it is now. done: called with the service's answer. */
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
      ${this.#prescription().items.map((item, place) => (item.remainingQuantity ? this.#line(item, place) : nothing))}
      ${this.#form.area("notes", "Notes", { optional: true, rows: 2 })}
      ${this.#form.button("Dispense")}`);
  }

  #line(item, place) {
    const taken = !this.#left.has(item.id);
    return html`<fieldset>
      <legend>${item.medicineName} <span class="quiet">${item.dosage}</span></legend>
      <label class="check"><input type="checkbox" .checked=${taken} @change=${() => this.#turn(item.id)}> Hand it out now</label>
      ${taken ? this.#fields(item, place) : nothing}
    </fieldset>`;
  }

  #fields(item, place) {
    const field = `items[${place}]`;
    return html`<div class="columns line">
      ${this.#form.text(`${field}.quantity`, "Quantity", { kind: "number", value: item.remainingQuantity, hint: `${item.remainingQuantity} are still open.` })}
      ${this.#form.text(`${field}.unitPrice`, "Price of one", { inputmode: "decimal", hint: "Such as 12.50." })}
      ${this.#form.text(`${field}.batchNumber`, "Batch number", { hint: "As on the pack." })}
      ${this.#form.text(`${field}.expiryDate`, "Batch good until", { type: "date", hint: "As on the pack." })}
    </div>`;
  }

  #turn(id) {
    if (!this.#left.delete(id)) this.#left.add(id);
    this.#page.update();
  }

  // The service numbers the lines that it gets, the form those of the prescription.
  async #send({ items = [], notes }) {
    const { id, items: prescribed } = this.#prescription();
    const places = [...prescribed.keys()].filter((place) => prescribed[place].remainingQuantity && !this.#left.has(prescribed[place].id));
    const lines = places.map((place) => line(prescribed[place], items[place]));
    try {
      return await write("POST", `/pharmacy/dispense/${id}`, { items: lines, notes });
    } catch (thrown) {
      const failure = asFailure(thrown);
      failure.details = failure.details.map((detail) => atItsPlace(detail, places));
      throw failure;
    }
  }
}

function line(item, { quantity, unitPrice, batchNumber, expiryDate } = {}) {
  return { itemId: item.id, quantity, unitPrice: unitPrice?.replace(",", "."), batchNumber, expiryDate };
}

function atItsPlace({ field, message }, places) {
  return { field: field.replace(/^items\[(\d+)\]/, (_, number) => `items[${places[number]}]`), message };
}
