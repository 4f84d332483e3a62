import { Form } from "../../form.js";
import { asFailure } from "../../http.js";
import { Camera } from "../../qr/camera.js";
import { Picture } from "../../qr/picture.js";
import { html, nothing, problem } from "../../view.js";
import { isCode, lookUp, scan, typed } from "./found.js";

const ADVICE = {
  QR_CODE_REPLACED: "Ask for the newest code, or enter the prescription's number.",
  QR_CODE_EXPIRED: "The prescription may still be good: enter its number.",
};

export default function open(page) {
  let refused = null;
  const find = async (text) => page.go(`/counter/${encodeURIComponent(await (isCode(text) ? scan(text) : lookUp(text)))}`);
  const seen = (text) => {
    if (isCode(text)) found(text);
    return isCode(text);
  };
  const found = async (text) => {
    refused = null;
    page.say("A code was read.");
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
    return besideTheField(find(typed(referenceNumber)));
  });
  page.show(() => html`
    ${refused ? html`${problem(refused, undefined, [])} ${advice(refused)}` : nothing}
    <div class="columns">
      ${number(form)}
      <section class="card" aria-labelledby="scan">
        <h2 id="scan">QR code</h2>
        <div class="field">${camera.show()}</div>
        ${picture.show()}
      </section>
    </div>`);
  toTheField();
}

function number(form) {
  return html`<section class="card" aria-labelledby="number">
    <h2 id="number">Number</h2>
    ${form.around(html`
      ${form.text("referenceNumber", "Reference number", { hint: "RX-… of a prescription, or PAT-… of a patient. A hand scanner can type here." })}
      ${form.button("Look it up")}
    `)}
  </section>`;
}

function advice({ type }) {
  return ADVICE[type] ? html`<p>${ADVICE[type]}</p>` : nothing;
}

// The text of a code, typed where a number is, has its error there too.
async function besideTheField(finding) {
  try {
    await finding;
  } catch (thrown) {
    const failure = asFailure(thrown);
    failure.details = failure.details.map(({ message }) => ({ field: "referenceNumber", message }));
    throw failure;
  }
}

// A hand scanner types without looking; on a phone the keyboard would cover the camera's button.
function toTheField() {
  if (matchMedia("(pointer: fine)").matches) document.querySelector("main [name=referenceNumber]").focus();
}
