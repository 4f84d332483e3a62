import { Form } from "../../form.js";
import { asFailure } from "../../http.js";
import { Camera } from "../../qr/camera.js";
import { Picture } from "../../qr/picture.js";
import { html, nothing, problem } from "../../view.js";
import { isCode, isNumber, isScanned, lookUp, scan, typed } from "./found.js";

const ADVICE = {
  QR_CODE_REPLACED: "Ask for the current code, or enter the prescription number.",
  QR_CODE_EXPIRED: "The prescription may still be valid. Enter its number.",
};

export default function open(page) {
  let refused = null;
  const find = async (text) => page.go(`/counter/${encodeURIComponent(await (isScanned(text) ? scan(text) : lookUp(text)))}`);
  const seen = (text) => {
    if (isCode(text)) found(text);
    return isCode(text);
  };
  const found = async (text) => {
    refused = null;
    page.say("A QR code was read.");
    try {
      await find(text);
    } catch (thrown) {
      refused = asFailure(thrown);
      page.update();
    }
  };
  const camera = new Camera(page, seen);
  const picture = new Picture(page, seen);
  const form = new Form(page, ({ referenceNumber = "" }) => {
    refused = null;
    return atTheField(find(typed(referenceNumber)));
  });
  const tab = new TabAsEnter();
  page.show(() => html`
    ${refused ? html`${problem(refused, undefined, [])} ${advice(refused)}` : nothing}
    <div class="columns">
      ${number(form, tab)}
      <section class="card" aria-labelledby="scan">
        <h2 id="scan">QR code</h2>
        <div class="field">${camera.show()}</div>
        ${picture.show()}
      </section>
    </div>`);
  focusTheField();
}

function number(form, tab) {
  return html`<section class="card" aria-labelledby="number" @input=${tab.typed} @keydown=${tab.pressed}>
    <h2 id="number">Number</h2>
    ${form.around(html`
      ${form.text("referenceNumber", "Reference number", { hint: "RX-… of a prescription, or PAT-… of a patient. You can use a hand-held scanner." })}
      ${form.button("Look up")}
    `)}
  </section>`;
}

// Some hand-held scanners end with Tab, which then submits as Enter does. It does so once for a text, so that the keyboard
// is not caught in the field if the number is refused.
class TabAsEnter {
  #isNew = false;

  typed = () => {
    this.#isNew = true;
  };

  pressed = ({ key, shiftKey, target }) => {
    if (key !== "Tab" || shiftKey || !this.#isNew || target.name !== "referenceNumber") return;
    const text = typed(target.value);
    if (!isScanned(text) && !isNumber(text)) return;
    this.#isNew = false;
    target.form.requestSubmit();
  };
}

function advice({ type }) {
  return ADVICE[type] ? html`<p>${ADVICE[type]}</p>` : nothing;
}

// If the text of a QR code is typed into the number field, its error is shown at that field.
async function atTheField(finding) {
  try {
    await finding;
  } catch (thrown) {
    const failure = asFailure(thrown);
    failure.details = failure.details.map(({ message }) => ({ field: "referenceNumber", message }));
    throw failure;
  }
}

// A hand-held scanner types into the focused field. On a phone, the keyboard would cover the camera button.
function focusTheField() {
  if (matchMedia("(pointer: fine)").matches) document.querySelector("main [name=referenceNumber]").focus();
}
