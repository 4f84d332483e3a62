/** The form that dispenses all or a part of a prescription. */

import { write } from "../../api.js";
import { Form, withFieldNames } from "../../form.js";
import { isPackageCode, readPackage } from "../../parts/package_code.js";
import { atQuantity, inWords, isOpen } from "../../parts/quantity.js";
import { html, nothing, repeat } from "../../view.js";

/** The service's limit for one request, and so the first number of a line that no item has as its position. */
const MOST = 50;

export class Dispensing {
  #page;
  #prescription;
  #form;
  /** Ids of the items that are not dispensed now. */
  #left = new Set();
  /** The numbers of the lines of further batches, by the item's id; an item's first line has the item's position. */
  #further = new Map();
  #nextLine = MOST;
  /** The numbers of the lines of which another product is given. */
  #substituted = new Set();

  /** prescription: returns the current prescription. done: called with the service's response. */
  constructor(page, prescription, done) {
    this.#page = page;
    this.#prescription = prescription;
    this.#form = new Form(page, async (values) => {
      const answer = await this.#send(values);
      this.#left.clear();
      this.#further.clear();
      this.#substituted.clear();
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
      ${selected ? this.#batches(item, position) : nothing}
    </fieldset>`;
  }

  #batches(item, position) {
    const further = this.#further.get(item.id) ?? [];
    return html`${this.#fields(item, position, item.exactRemainingQuantity)}
      ${repeat(further, (number) => number, (number, place) => html`<fieldset id="batch-${number}">
        <legend>Batch ${place + 2}</legend>
        ${this.#fields(item, number, "")}
        <p><button type="button" class="danger" @click=${() => this.#remove(item.id, number)}>Remove batch ${place + 2}</button></p>
      </fieldset>`)}
      <p><button type="button" class="second" @click=${() => this.#add(item.id)}>Add another batch</button></p>`;
  }

  #fields(item, number, quantity) {
    const field = `items[${number}]`;
    return html`<div class="columns line" @keydown=${this.#pressed} @change=${this.#changed}>
      ${this.#form.text(`${field}.quantity`, "Quantity", { kind: "decimal", value: quantity, hint: `Remaining: ${inWords(item.exactRemainingQuantity, item.quantityUnit)}.` })}
      ${this.#form.text(`${field}.unitPrice`, "Unit price", { inputmode: "decimal", hint: "Such as 12.50." })}
      ${this.#form.text(`${field}.productCode`, "Product code", { optional: true, hint: "Scan the pack's DataMatrix code here." })}
      ${this.#form.text(`${field}.batchNumber`, "Batch number", { hint: "As printed on the pack." })}
      ${this.#form.text(`${field}.expiryDate`, "Batch expiry date", { hint: "As printed on the pack, such as 01/2028." })}
    </div>
    ${this.#substitution(item, number)}`;
  }

  #substitution(item, number) {
    if (item.substitutionAllowed === false) return html`<p class="hint">The doctor allows no substitute for this medicine.</p>`;
    const turn = () => this.#turnSubstitution(number);
    if (!this.#substituted.has(number)) return html`<p><button type="button" class="second" @click=${turn}>Give another product</button></p>`;
    const field = `items[${number}]`;
    return html`<div class="columns" id="substitute-${number}">
        ${this.#form.text(`${field}.dispensedMedicineName`, "Product given", { hint: `Instead of ${item.medicineName}.` })}
        ${this.#form.text(`${field}.substitutionReason`, "Reason", { hint: "The patient can read it." })}
      </div>
      <p><button type="button" class="second" @click=${turn}>Give the prescribed medicine</button></p>`;
  }

  #turnSubstitution(number) {
    const opened = !this.#substituted.delete(number);
    if (opened) this.#substituted.add(number);
    else this.#form.rename((name) => (/\.(dispensedMedicineName|substitutionReason)$/.test(name) && name.startsWith(`items[${number}]`) ? "" : name));
    this.#page.update();
    if (opened) document.querySelector(`#substitute-${number} input`).focus();
  }

  #add(id) {
    const number = this.#nextLine++;
    this.#further.set(id, [...(this.#further.get(id) ?? []), number]);
    this.#page.update();
    document.querySelector(`#batch-${number} input`).focus();
  }

  #remove(id, gone) {
    this.#further.set(id, this.#further.get(id).filter((number) => number !== gone));
    this.#substituted.delete(gone);
    this.#form.rename((name) => (name.startsWith(`items[${gone}]`) ? "" : name));
    this.#page.update();
    this.#page.say("The batch was removed.");
  }

  // A hand-held scanner types a code, with Ctrl+] for FNC1, and then Enter or Tab. Enter would submit the form.
  #pressed = (event) => {
    const { key, ctrlKey, target, currentTarget } = event;
    if (ctrlKey && key === "]") {
      event.preventDefault();
      target.setRangeText("\x1d", target.selectionStart, target.selectionEnd, "end");
    } else if (key === "Enter" && isPackageCode(target.value)) {
      event.preventDefault();
      this.#fill(target, currentTarget);
    }
  };

  #changed = ({ target, currentTarget }) => {
    if (isPackageCode(target.value)) this.#fill(target, currentTarget);
  };

  // What the code leaves out stays as it is; a damaged code stays in its field, and the service refuses it there.
  #fill(target, fields) {
    const stated = readPackage(target.value);
    if (!stated) {
      this.#page.say("This code cannot be read. Scan it again, or enter what the pack states.");
      return;
    }
    target.value = target.defaultValue;
    for (const [name, value] of Object.entries(stated)) {
      if (value) fields.querySelector(`[name$=".${name}"]`).value = value;
    }
    this.#page.say("The code of the pack was read. Compare batch number and expiry date with the pack.");
    fields.querySelector("[name$='.unitPrice']").focus();
  }

  #turn(id) {
    if (!this.#left.delete(id)) this.#left.add(id);
    this.#page.update();
  }

  // The service numbers the lines of the request; the form numbers them by items, and further batches after these.
  #send({ items = [], notes }) {
    const { id, items: prescribed } = this.#prescription();
    const selected = [...prescribed.entries()].filter(([, item]) => isOpen(item) && !this.#left.has(item.id));
    const numbered = selected.flatMap(([position, item]) => [position, ...(this.#further.get(item.id) ?? [])].map((number) => [number, item]));
    const lines = numbered.map(([number, item]) => line(item, items[number]));
    const rename = (detail) => atFormPosition(atQuantity(detail), numbered.map(([number]) => number));
    return withFieldNames(rename, () => write("POST", `/pharmacy/dispense/${id}`, { items: lines, notes }));
  }
}

function line(item, { quantity, unitPrice, ...stated } = {}) {
  return { itemId: item.id, exactQuantity: quantity, quantityUnit: item.quantityUnit, unitPrice: unitPrice?.replace(",", "."), ...stated };
}

function atFormPosition({ field, message }, numbers) {
  return { field: field.replace(/^items\[(\d+)\]/, (_, position) => `items[${numbers[position]}]`), message };
}
