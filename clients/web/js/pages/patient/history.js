import { post } from "../../api.js";
import { Form } from "../../form.js";
import { asFailure } from "../../http.js";
import { Listing } from "../../listing.js";
import { prescriptionRow } from "../../parts/prescription.js";
import { conditions } from "../../parts/record.js";
import { versionRow } from "../../parts/record_versions.js";
import { visitRow } from "../../parts/visit.js";
import { session } from "../../session.js";
import { html, moment, notice, nothing } from "../../view.js";
import { code } from "../account/fields.js";

/** Key of the expiry and account of the open history in this tab, which avoids a rejected call while the history is closed. */
const OPEN = "medconnect.historyOpen";

export default async function open(page) {
  const entries = new Listing(page, "/patients/medical-history", "entries");
  const versions = new Listing(page, "/patients/profile/versions", "versions");
  let opened = isOpen() && (await load(entries, versions));
  let codeExpiresAt = null;
  const asking = new Form(page, async () => {
    codeExpiresAt = (await post("POST", "/patients/medical-history/otp")).expiresAt;
    page.say("We have emailed you a code.");
  });
  const entering = new Form(page, async (values) => {
    const { expiresAt } = await post("POST", "/patients/medical-history/confirm", values);
    sessionStorage.setItem(OPEN, JSON.stringify({ user: session.user.id, expiresAt }));
    opened = await load(entries, versions);
  });
  page.show(() => (opened ? history(entries, versions) : closed(asking, entering, codeExpiresAt)));
}

function isOpen() {
  const { user, expiresAt } = JSON.parse(sessionStorage.getItem(OPEN) ?? "{}");
  return user === session.user.id && Date.parse(expiresAt) > Date.now();
}

async function load(...lists) {
  try {
    await Promise.all(lists.map((list) => list.load()));
    return true;
  } catch (thrown) {
    if (asFailure(thrown).type === "OTP_REQUIRED") return false;
    throw thrown;
  }
}

function history(entries, versions) {
  return html`${conditions(entries.answer.existingConditions)}
    ${entries.show(row, "There are no entries yet.")}
    <section aria-labelledby="changes">
      <h2 id="changes">Changes of your record</h2>
      ${versions.show(versionRow, "No clinical data of your record has changed.")}
    </section>`;
}

function closed(asking, entering, codeExpiresAt) {
  return html`<div class="narrow"><section class="card">
    <p>To open your medical history, enter a code that we email to you. It then stays open on this device for ten minutes.</p>
    ${codeExpiresAt ? notice("new", html`We have emailed you a code. It is valid until ${moment(codeExpiresAt)}.`) : nothing}
    ${codeExpiresAt ? entering.around(html`${code(entering)} ${entering.button("Open history")}`) : nothing}
    ${asking.around(asking.button(codeExpiresAt ? "Email me another code" : "Email me a code", Boolean(codeExpiresAt)))}
  </section></div>`;
}

function row({ visit, prescription }) {
  return visit
    ? visitRow(visit, visit.doctorName)
    : prescriptionRow(prescription, `#/prescriptions/${prescription.id}`, prescription.doctorName);
}
