/**
 * Forms: fields with labels, hints and the service's error messages. The service validates all input; the page has no
 * rules of its own.
 *
 * A field's name is its JSON path in the request, such as `items[0].quantity`, so that `error.details` match it.
 */

import { asFailure } from "./http.js";
import { html, nothing, problem } from "./view.js";

let forms = 0;

const INPUT_MODES = { number: "decimal", whole: "numeric", decimal: "decimal" };

export class Form {
  #page;
  #work;
  #id = `form${++forms}`;
  #errors = new Map();
  #failure = null;

  /** work: called with the values when the form is submitted; a Failure that it throws is shown. */
  constructor(page, work) {
    this.#page = page;
    this.#work = work;
    this.busy = false;
  }

  /** Renders the form around its fields. */
  around(content) {
    return html`<form novalidate @submit=${this.#submit} aria-busy=${this.busy}>
      <div class="problems" tabindex="-1">${this.#failure ? this.#whatIsWrong() : nothing}</div>
      ${content}
    </form>`;
  }

  /** Renders a single-line text field. options: value, type, hint, optional, inputmode, autocomplete, kind (text, number, whole, decimal, list). */
  text(name, label, options = {}) {
    const { type = "text", inputmode, autocomplete = "off", kind = "text", value } = options;
    return this.#field(name, label, options, (attributes) => html`<input
      id=${attributes.id} name=${name} data-kind=${kind} type=${type}
      .defaultValue=${shownAs(value)}
      inputmode=${inputmode ?? INPUT_MODES[kind] ?? nothing} autocomplete=${autocomplete}
      autocapitalize=${type === "text" ? nothing : "none"}
      ?required=${!options.optional} aria-invalid=${attributes.invalid} aria-describedby=${attributes.describedBy}>`);
  }

  /** Renders a multi-line text field; with kind `list`, each line is an entry. */
  area(name, label, options = {}) {
    return this.#field(name, label, options, (attributes) => html`<textarea
      id=${attributes.id} name=${name} data-kind=${options.kind ?? "text"} rows=${options.rows ?? 3}
      .defaultValue=${shownAs(options.value)}
      ?required=${!options.optional} aria-invalid=${attributes.invalid} aria-describedby=${attributes.describedBy}></textarea>`);
  }

  /**
   * Renders a select field. choices: pairs of value and text. none: the text of the empty choice, where the field may start
   * empty. changed: called with the new value when the user selects another one.
   */
  choice(name, label, choices, options = {}) {
    const open = options.optional || options.none ? [["", options.none ?? "–"], ...choices] : choices;
    return this.#field(name, label, options, (attributes) => html`<select
      id=${attributes.id} name=${name} data-kind="text" autocomplete="off"
      @change=${(event) => options.changed?.(event.target.value)}
      ?required=${!options.optional} aria-invalid=${attributes.invalid} aria-describedby=${attributes.describedBy}>
      ${open.map(([value, text]) => html`<option value=${value} ?selected=${value === (options.value ?? "")}>${text}</option>`)}
    </select>`);
  }

  /** Renders a checkbox, which is checked at first; its value is true or false. */
  check(name, label) {
    return html`<label class="check"><input type="checkbox" name=${name} .defaultChecked=${true} autocomplete="off"> ${label}</label>`;
  }

  /** Renders the submit button; `second` styles it as a secondary action. */
  button(text, second = false) {
    return html`<button type="submit" class=${second ? "second" : ""} ?disabled=${this.busy}>${this.busy ? "One moment …" : text}</button>`;
  }

  #field(name, label, { hint, optional }, control) {
    const id = `${this.#id}-${name}`;
    const error = this.#errors.get(name);
    const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
    return html`<div class="field">
      <label for=${id}>${label}${optional ? html` <span class="quiet">(optional)</span>` : nothing}</label>
      ${hint ? html`<p class="hint" id="${id}-hint">${hint}</p>` : nothing}
      ${control({ id, invalid: error ? "true" : nothing, describedBy: described || nothing })}
      ${error ? html`<p class="error" id="${id}-error">${error}</p>` : nothing}
    </div>`;
  }

  // Errors that belong to no field of this form are shown above the fields.
  #whatIsWrong() {
    const { details, message } = this.#failure;
    const elsewhere = details.filter((detail) => !this.#shown.has(detail.field));
    const saidBeside = details.some((detail) => detail.message === message) && !elsewhere.length;
    return saidBeside ? nothing : problem(this.#failure, undefined, elsewhere);
  }

  /** Moves error messages after fields were renamed or removed. rename: returns a field's new name, or "" if it is gone. */
  rename(rename) {
    this.#errors = new Map([...this.#errors].map(([name, message]) => [rename(name), message]).filter(([name]) => name));
  }

  #shown = new Set();

  #submit = async (event) => {
    event.preventDefault();
    if (this.busy) return;
    const form = event.currentTarget;
    this.#shown = new Set([...form.elements].map((element) => element.name));
    this.#setState(null, true);
    try {
      await this.#work(valuesOf(form), form);
      this.#setState(null, false);
    } catch (thrown) {
      this.#setState(asFailure(thrown), false);
      (form.querySelector("[aria-invalid=true]") ?? form.querySelector(".problems")).focus();
    }
  };

  #setState(failure, busy) {
    this.busy = busy;
    this.#failure = failure;
    this.#errors = new Map(failure?.details.map((detail) => [detail.field, detail.message]));
    this.#page.update();
  }
}

/** Runs a request whose fields are not all fields of the form. rename: returns an error's detail with the form's field. */
export async function withFieldNames(rename, request) {
  try {
    return await request();
  } catch (thrown) {
    const failure = asFailure(thrown);
    failure.details = failure.details.map(rename);
    throw failure;
  }
}

/** Returns the values of a form's fields as the request's JSON, without empty ones. */
function valuesOf(form) {
  const values = {};
  for (const element of form.elements) {
    if (!element.name || element.disabled) continue;
    const value = valueOf(element);
    if (value !== undefined) put(values, element.name, value);
  }
  return values;
}

/**
 * Returns the partial update from a record `before` to the values of a form: the changed fields, and in `clear` the names
 * of fields that were emptied. names: the fields of the form.
 */
export function changes(before, values, names) {
  const update = {};
  const clear = [];
  for (const name of names) {
    const [old, now] = [before[name], values[name]].map((value) => JSON.stringify(value ?? ""));
    if (old === now || (old === "[]" && now === '""')) continue;
    if (values[name] === undefined) clear.push(name);
    else update[name] = values[name];
  }
  return clear.length ? { ...update, clear } : update;
}

function valueOf(element) {
  if (element.type === "checkbox") return element.checked;
  const text = textOf(element);
  if (text === "") return undefined;
  if (element.dataset.kind === "number") {
    const number = Number(text.replace(/\p{Cf}/gu, "").replace(",", "."));
    return Number.isNaN(number) ? text : number;
  }
  if (element.dataset.kind === "whole") return wholeNumber(text);
  if (element.dataset.kind === "decimal") return decimal(text);
  if (element.dataset.kind !== "list") return text;
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

// `2,0` is 2. Other decimals and `1,000`, which may mean a thousand, are sent as typed, and the service refuses them.
function wholeNumber(text) {
  const [, digits] = /^(\d+)(?:[.,]0{1,2})?$/.exec(text.replace(/\p{Cf}/gu, "")) ?? [];
  return digits === undefined ? text : Number(digits);
}

// `2,5` is "2.5". `1,000` and `1.000` may mean a thousand: they are sent with the comma, which the service refuses.
function decimal(text) {
  const plain = text.replace(/\p{Cf}/gu, "");
  if (/^[1-9]\d*(,\d{3}|\.000)$/.test(plain)) return plain.replace(".", ",");
  return plain.replace(",", ".");
}

// The first line of a multi-line text may be indented.
function textOf({ type, value }) {
  if (type === "password") return value;
  return type === "textarea" ? value.replace(/^(?:[^\S\n]*\n)+/, "").trimEnd() : value.trim();
}

// A path such as `items[0].quantity` leads through nested objects and lists.
function put(values, path, value) {
  const names = path.split(/[.[\]]+/).filter(Boolean);
  let here = values;
  for (const [position, name] of names.slice(0, -1).entries()) {
    here = here[name] ??= /^\d+$/.test(names[position + 1]) ? [] : {};
  }
  here[names.at(-1)] = value;
}

function shownAs(value) {
  return Array.isArray(value) ? value.join("\n") : String(value ?? "");
}
