import { tell } from "../../api.js";
import { Form } from "../../form.js";
import { asFailure } from "../../http.js";
import { Listing } from "../../listing.js";
import { prescriptionRow } from "../../parts/prescription.js";
import { conditions } from "../../parts/record.js";
import { visitRow } from "../../parts/visit.js";
import { session } from "../../session.js";
import { html, moment, notice, nothing } from "../../view.js";
import { code } from "../account/fields.js";

/** Until when the history is open in this tab, and to whom: asking a closed one each time would be an error each time. */
const OPEN = "medconnect.historyOpen";

export default async function open(page) {
  const entries = new Listing(page, "/patients/medical-history", "entries");
  let opened = isOpen() && (await load(entries));
  let mailed = null;
  const asking = new Form(page, async () => {
    mailed = (await tell("POST", "/patients/medical-history/otp")).expiresAt;
    page.say("A code is on its way.");
  });
  const entering = new Form(page, async (values) => {
    const { expiresAt } = await tell("POST", "/patients/medical-history/confirm", values);
    sessionStorage.setItem(OPEN, JSON.stringify({ user: session.user.id, expiresAt }));
    await entries.load();
    opened = true;
  });
  page.show(() => (opened ? history(entries) : closed(asking, entering, mailed)));
}

function isOpen() {
  const { user, expiresAt } = JSON.parse(sessionStorage.getItem(OPEN) ?? "{}");
  return user === session.user.id && Date.parse(expiresAt) > Date.now();
}

async function load(entries) {
  try {
    await entries.load();
    return true;
  } catch (thrown) {
    if (asFailure(thrown).type === "OTP_REQUIRED") return false;
    throw thrown;
  }
}

function history(entries) {
  return html`${conditions(entries.answer.existingConditions)}
    ${entries.show(row, "Nothing has been written down yet.")}`;
}

function closed(asking, entering, mailed) {
  return html`<div class="narrow"><section class="card">
    <p>Your history stays closed until you enter a code that is mailed to you. Then it is open on this device for ten minutes.</p>
    ${mailed ? notice("new", html`The code is on its way. It is good until ${moment(mailed)}.`) : nothing}
    ${mailed ? entering.around(html`${code(entering)} ${entering.button("Open the history")}`) : nothing}
    ${asking.around(asking.button(mailed ? "Mail me another code" : "Mail me a code", Boolean(mailed)))}
  </section></div>`;
}

function row({ visit, prescription }) {
  return visit
    ? visitRow(visit, visit.doctorName)
    : prescriptionRow(prescription, `#/prescriptions/${prescription.id}`, prescription.doctorName);
}
