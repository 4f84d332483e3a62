/** A prescription's QR code: shows it, emails it, issues a new one. */

import { read, write } from "../api.js";
import { ask } from "../dialog.js";
import { asFailure } from "../http.js";
import { calendarDay, html, moment, notice, nothing, problem, render } from "../view.js";
import { isFinal } from "./prescription.js";

export class QrCode {
  #page;
  #prescription;
  #emailButton;
  #code = null;
  #failure = null;
  #said = "";

  /** emailButton: the text of the button that emails the prescription to the patient. */
  constructor(page, prescription, emailButton) {
    this.#page = page;
    this.#prescription = prescription;
    this.#emailButton = emailButton;
  }

  /** Fetches the code; a failure is shown in its place. */
  async load() {
    if (isFinal(this.#prescription)) return;
    try {
      this.#code = await read(`/qr-codes/${this.#prescription.id}`, {}, this.#page.signal);
      this.#failure = null;
    } catch (thrown) {
      this.#failure = asFailure(thrown);
    }
    this.#page.update();
  }

  /** Takes a newer version of the prescription, and fetches the code if a new one was issued. */
  async update(prescription) {
    this.#prescription = prescription;
    if (!this.#code) return;
    if (this.#code.qrHash === prescription.qrCode.qrHash) Object.assign(this.#code, prescription.qrCode);
    else await this.load();
  }

  show() {
    if (isFinal(this.#prescription)) return nothing;
    return html`<section class="card" aria-labelledby="code">
      <h2 id="code">QR code</h2>
      ${this.#said ? notice("good", this.#said) : nothing}
      ${this.#failure ? problem(this.#failure) : nothing}
      ${this.#code ? this.#picture(this.#code) : nothing}
      <div class="actions">
        ${this.#code ? html`<button type="button" @click=${this.#fill}>Full screen</button>` : nothing}
        <button type="button" class="second" @click=${this.#email}>${this.#emailButton}</button>
        <button type="button" class="second" @click=${this.#renew}>Issue new code</button>
      </div>
    </section>`;
  }

  #picture(code) {
    return html`<div class="qr">${this.#toScan(code)}</div>
      <p class="small quiet">Show this code or its number at any pharmacy${this.#beginning()}. The code is valid until ${moment(code.expiresAt)}.
        ${code.scanCount ? html`Scanned ${code.scanCount === 1 ? "once" : `${code.scanCount} times`} so far.` : nothing}</p>`;
  }

  #beginning() {
    const { validFrom } = this.#prescription;
    return validFrom ? html` from ${calendarDay(validFrom)}` : nothing;
  }

  #toScan(code) {
    const number = this.#prescription.prescriptionNumber;
    return html`<img src=${code.qrCodeImage} alt="QR code of prescription ${number}" width="320" height="320">
      <p class="number">${number}</p>`;
  }

  // A dialog, because some phones allow full screen only for videos.
  #fill = () => {
    const dialog = document.createElement("dialog");
    dialog.className = "qr whole";
    dialog.setAttribute("aria-label", "QR code");
    dialog.addEventListener("close", () => dialog.remove());
    const close = html`<button type="button" @click=${() => dialog.close()}>Close</button>`;
    render(html`${this.#toScan(this.#code)} ${close}`, dialog);
    document.body.append(dialog);
    dialog.showModal();
  };

  #email = () => this.#try(async () => {
    await write("POST", `/qr-codes/email/${this.#prescription.id}`);
    this.#announce("The email with the prescription is on its way.");
    await this.load();
  });

  #renew = () => ask({
    title: "Issue a new code?",
    text: "The current code stops working everywhere, including on paper.",
    button: "Issue new code",
    work: async () => {
      await write("POST", `/qr-codes/${this.#prescription.id}/reissue`);
      this.#announce("This is the new code.");
      await this.load();
    },
  });

  #announce(text) {
    this.#said = text;
    this.#page.say(text);
    document.getElementById("code").scrollIntoView({ block: "nearest" });
  }

  async #try(work) {
    try {
      await work();
    } catch (thrown) {
      this.#failure = asFailure(thrown);
      this.#said = "";
      this.#page.update();
    }
  }
}
