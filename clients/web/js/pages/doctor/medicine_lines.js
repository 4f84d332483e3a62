/** The medicines of a new prescription, one line each. */

import { html, nothing, repeat } from "../../view.js";

/** The service takes no more in one prescription. */
const MOST = 50;

export class MedicineLines {
  #page;
  #form;
  // A line keeps its key while its place, and with it the names of its fields, may change: what was typed stays in it.
  #keys = [0];
  #nextKey = 1;

  constructor(page, form) {
    this.#page = page;
    this.#form = form;
  }

  show() {
    return html`${repeat(this.#keys, (key) => key, (key, place) => this.#line(key, place))}
      ${this.#keys.length < MOST
        ? html`<button type="button" class="second" id="add-medicine" @click=${this.#add}>Add a medicine</button>`
        : html`<p class="hint">One prescription holds no more than ${MOST} medicines.</p>`}`;
  }

  /** The request's list: one entry a line, empty where nothing was typed, so that the service says what is missing there. */
  complete(items = []) {
    return this.#keys.map((_, place) => items[place] ?? {});
  }

  #line(key, place) {
    const name = (field) => `items[${place}].${field}`;
    const optional = true;
    const form = this.#form;
    return html`<fieldset id="medicine-${key}">
      <legend>Medicine ${place + 1}</legend>
      <div class="columns">
        ${form.text(name("medicineName"), "Medicine", { hint: "Its name and form" })}
        ${form.text(name("dosage"), "Dosage", { hint: "How much at a time, such as 500 mg" })}
        ${form.text(name("frequency"), "How often", { hint: "Such as three times a day" })}
        ${form.text(name("quantity"), "Quantity", { kind: "number", inputmode: "numeric", hint: "Units in all" })}
        ${form.text(name("durationDays"), "Days", { kind: "number", inputmode: "numeric", optional, hint: "How long to take it" })}
        ${form.text(name("route"), "Route", { optional, hint: "Such as oral" })}
      </div>
      ${form.text(name("instructions"), "Instructions", { optional, hint: "What to mind when taking it" })}
      ${this.#keys.length > 1
        ? html`<p><button type="button" class="danger" @click=${() => this.#remove(key)}>Remove medicine ${place + 1}</button></p>`
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
    this.#page.say(`Medicine ${gone + 1} is removed.`);
    this.#enter(this.#keys[Math.min(gone, this.#keys.length - 1)]);
  }

  #enter(key) {
    document.querySelector(`#medicine-${key} input`).focus();
  }
}

// What a field is called once the line at place `gone` is removed; "" if it went with it.
function nameWithout(gone, name) {
  const place = Number(/^items\[(\d+)\]/.exec(name)?.[1] ?? -1);
  if (place === gone) return "";
  return place > gone ? name.replace(`[${place}]`, `[${place - 1}]`) : name;
}
