/** Reads a QR code from a picture that is selected, dropped on the page, or pasted. */

import { html, notice, nothing } from "../view.js";
import { textsIn } from "./reader.js";

export class Picture {
  #page;
  #seen;
  #busy = false;
  #problem = "";

  /** seen: called with the text of each QR code in the picture until it returns true. */
  constructor(page, seen) {
    this.#page = page;
    this.#seen = seen;
    const { signal } = page;
    document.addEventListener("dragover", (event) => event.preventDefault(), { signal });
    document.addEventListener("drop", (event) => this.#take(event, event.dataTransfer.files), { signal });
    document.addEventListener("paste", (event) => this.#take(event, event.clipboardData.files), { signal });
  }

  show() {
    return html`<div class="field">
      <label for="picture">Picture of the code</label>
      <p class="hint" id="picture-hint">For example, from an email or a screenshot. You can also drop or paste a picture here.</p>
      ${this.#problem ? notice("bad", this.#problem) : nothing}
      <input id="picture" type="file" accept="image/*" aria-describedby="picture-hint" ?disabled=${this.#busy} @change=${this.#chosen}>
      ${this.#busy ? html`<p role="status">Reading the picture …</p>` : nothing}
    </div>`;
  }

  #chosen = async (event) => {
    const input = event.target;
    await this.#take(event, [...input.files]);
    input.value = ""; // selecting the same file again starts another attempt
  };

  async #take(event, [file]) {
    if (!file || this.#busy) return;
    event.preventDefault();
    this.#setState("", true);
    try {
      const texts = await textsIn(file);
      const known = texts.some((text) => this.#seen(text));
      this.#setState(known ? "" : missing(texts), false);
    } catch (error) {
      if (error.name !== "InvalidStateError") throw error;
      this.#setState("This file is not a picture that the browser can read.", false);
    }
  }

  #setState(problem, busy) {
    this.#problem = problem;
    this.#busy = busy;
    this.#page.update();
  }
}

function missing(texts) {
  return texts.length ? "The QR code in this picture does not belong to a prescription." : "No QR code was found in this picture.";
}
