/** The medicines of a new prescription, one line each. */

import { UNITS } from "../../parts/quantity.js";
import { html, nothing, repeat } from "../../view.js";

/** The service's limit for one prescription. */
const MOST = 50;

export class MedicineLines {
  #page;
  #form;
  // A line keeps its key when its position, and so the names of its fields, change. This keeps the typed text in the line.
  #keys = [0];
  #nextKey = 1;

  constructor(page, form) {
    this.#page = page;
    this.#form = form;
  }

  show() {
    return html`${repeat(this.#keys, (key) => key, (key, position) => this.#line(key, position))}
      ${this.#keys.length < MOST
        ? html`<button type="button" class="second" id="add-medicine" @click=${this.#add}>Add medicine</button>`
        : html`<p class="hint">A prescription can have at most ${MOST} medicines.</p>`}`;
  }

  /** Returns the request's list with one entry per line. Empty lines are kept, so that the service reports what is missing. */
  complete(items = []) {
    return this.#keys.map((_, position) => {
      const { quantity: exactQuantity, ...others } = items[position] ?? {};
      return { exactQuantity, ...others };
    });
  }

  #line(key, position) {
    const name = (field) => `items[${position}].${field}`;
    const optional = true;
    const form = this.#form;
    return html`<fieldset id="medicine-${key}">
      <legend>Medicine ${position + 1}</legend>
      <div class="columns">
        ${form.text(name("medicineName"), "Medicine", { hint: "Name and form" })}
        ${form.text(name("dosage"), "Dosage", { hint: "Amount per dose, such as 500 mg" })}
        ${form.text(name("frequency"), "Frequency", { hint: "Such as three times a day" })}
        ${form.text(name("quantity"), "Quantity", { kind: "decimal", hint: "In total, such as 20 or 2.5" })}
        ${form.choice(name("quantityUnit"), "Unit", UNITS)}
        ${form.text(name("durationDays"), "Days", { kind: "whole", optional, hint: "How long to take it" })}
        ${form.text(name("route"), "Route", { optional, hint: "Such as oral" })}
      </div>
      ${form.text(name("instructions"), "Instructions", { optional, hint: "Such as after meals" })}
      ${form.check(name("substitutionAllowed"), "May be substituted")}
      ${this.#keys.length > 1
        ? html`<p><button type="button" class="danger" @click=${() => this.#remove(key)}>Remove medicine ${position + 1}</button></p>`
        : nothing}
    </fieldset>`;
  }

  #add = () => {
    const key = this.#nextKey++;
    this.#keys = [...this.#keys, key];
    this.#page.update();
    this.#enter(key);
  };

  #remove(key) {
    const gone = this.#keys.indexOf(key);
    this.#keys = this.#keys.filter((other) => other !== key);
    this.#form.rename((name) => nameWithout(gone, name));
    this.#page.update();
    this.#page.say(`Medicine ${gone + 1} was removed.`);
    this.#enter(this.#keys[Math.min(gone, this.#keys.length - 1)]);
  }

  #enter(key) {
    document.querySelector(`#medicine-${key} input`).focus();
  }
}

// Returns a field's name after the line at position `gone` was removed; "" if the field was in that line.
function nameWithout(gone, name) {
  const position = Number(/^items\[(\d+)\]/.exec(name)?.[1] ?? -1);
  if (position === gone) return "";
  return position > gone ? name.replace(`[${position}]`, `[${position - 1}]`) : name;
}
