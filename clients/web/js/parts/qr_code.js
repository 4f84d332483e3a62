/** A prescription's QR code: to show at the counter, to renew, to be mailed. */

import { read, write } from "../api.js";
import { ask } from "../dialog.js";
import { asFailure } from "../http.js";
import { html, moment, notice, nothing, problem, render } from "../view.js";
import { isOver } from "./prescription.js";

export class QrCode {
  #page;
  #prescription;
  #code = null;
  #failure = null;
  #said = "";

  constructor(page, prescription) {
    this.#page = page;
    this.#prescription = prescription;
  }

  /** Fetch the code; what stands in the way is shown in its place. */
  async load() {
    if (isOver(this.#prescription)) return;
    try {
      this.#code = await read(`/qr-codes/${this.#prescription.id}`, {}, this.#page.signal);
      this.#failure = null;
    } catch (thrown) {
      this.#failure = asFailure(thrown);
    }
    this.#page.update();
  }

  /** The prescription was looked at again: show what it says of its code, and the new one if there is one. */
  async update(prescription) {
    this.#prescription = prescription;
    if (!this.#code) return;
    if (this.#code.qrHash === prescription.qrCode.qrHash) Object.assign(this.#code, prescription.qrCode);
    else await this.load();
  }

  show() {
    if (isOver(this.#prescription)) return nothing;
    return html`<section class="card" aria-labelledby="code">
      <h2 id="code">QR code</h2>
      ${this.#said ? notice("good", this.#said) : nothing}
      ${this.#failure ? problem(this.#failure) : nothing}
      ${this.#code ? this.#picture(this.#code) : nothing}
      <div class="actions">
        ${this.#code ? html`<button type="button" @click=${this.#fill}>Full screen</button>` : nothing}
        <button type="button" class="second" @click=${this.#mail}>Mail it</button>
        <button type="button" class="second" @click=${this.#renew}>Make a new code</button>
      </div>
    </section>`;
  }

  #picture(code) {
    return html`<div class="qr">${this.#toScan(code)}</div>
      <p class="small quiet">Show it at any pharmacy until ${moment(code.expiresAt)}; the number will do, too.
        ${code.scanCount ? html`Scanned ${code.scanCount === 1 ? "once" : `${code.scanCount} times`} so far.` : nothing}</p>`;
  }

  #toScan(code) {
    const number = this.#prescription.prescriptionNumber;
    return html`<img src=${code.qrCodeImage} alt="QR code of prescription ${number}" width="320" height="320">
      <p class="number">${number}</p>`;
  }

  // A dialog, since phones fill the screen with videos only.
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

  #mail = () => this.#try(async () => {
    await write("POST", `/qr-codes/email/${this.#prescription.id}`);
    this.#tell("The prescription is on its way by mail.");
    await this.load();
  });

  #renew = () => ask({
    title: "Make a new code?",
    text: "The present code stops working everywhere, on paper too.",
    button: "Make a new code",
    work: async () => {
      await write("POST", `/qr-codes/${this.#prescription.id}/reissue`);
      this.#tell("This is the new code.");
      await this.load();
    },
  });

  #tell(text) {
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
