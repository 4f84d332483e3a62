/** Finding prescriptions. Each finding is recorded, so what was found is handed to the page that shows it. */

import { write } from "../../api.js";

/** What was found last and not yet shown, `[{prescription, canDispense}]` by number. */
const handed = new Map();

/** A number or a code as it was typed, without what pasted ones bring along unseen. */
export function typed(text) {
  return text.replace(/\p{Cf}/gu, "").trim();
}

/** Scan a QR code's text; answers the number to go to. Throws Failure. */
export async function scan(qrCode) {
  const one = await write("POST", "/pharmacy/scan", { qrCode });
  return hand(one.prescription.prescriptionNumber, [one]);
}

/** Look a prescription's or a patient's number up; answers the number to go to. Throws Failure. */
export async function lookUp(referenceNumber) {
  const { prescriptions } = await write("POST", "/pharmacy/lookup", { referenceNumber });
  return hand(isOfPatient(referenceNumber) ? referenceNumber : prescriptions[0].prescription.prescriptionNumber, prescriptions);
}

/** What stands behind a number: as it was just found, else looked up. Throws Failure. */
export async function behind(number) {
  const key = handed.has(number) ? number : await lookUp(number);
  const found = handed.get(key);
  handed.delete(key);
  return found;
}

/** Whether a text is that of a prescription's QR code. */
export function isCode(text) {
  return text.startsWith("MC1.");
}

/** Whether a number is that of a patient, who may have several prescriptions. */
export function isOfPatient(number) {
  return number.toUpperCase().startsWith("PAT");
}

function hand(number, found) {
  handed.clear();
  for (const one of found) handed.set(one.prescription.prescriptionNumber, [one]);
  handed.set(number, found);
  return number;
}
