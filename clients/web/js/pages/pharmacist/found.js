/** Finds prescriptions. Each scan and lookup is recorded, so the next page takes its result instead of repeating it. */

import { write } from "../../api.js";

/** The last result that is not shown yet: `[{prescription, canDispense}]` by number. */
const results = new Map();

/** Returns a typed number or code without invisible characters, which pasted text may contain. */
export function typed(text) {
  return text.replace(/\p{Cf}/gu, "").trim();
}

/** Scans the text of a QR code and returns the number to open. Throws Failure. */
export async function scan(qrCode) {
  const one = await write("POST", "/pharmacy/scan", { qrCode });
  return hand(one.prescription.prescriptionNumber, [one]);
}

/** Looks up a prescription or patient number and returns the number to open. Throws Failure. */
export async function lookUp(referenceNumber) {
  const { prescriptions } = await write("POST", "/pharmacy/lookup", { referenceNumber });
  return hand(isOfPatient(referenceNumber) ? referenceNumber : prescriptions[0].prescription.prescriptionNumber, prescriptions);
}

/** Returns the prescriptions of a number: the last result if it fits, else a new lookup. Throws Failure. */
export async function findByNumber(number) {
  const key = results.has(number) ? number : await lookUp(number);
  const found = results.get(key);
  results.delete(key);
  return found;
}

/** Returns true if a text has the form of a prescription's QR code. */
export function isCode(text) {
  return text.startsWith("MC1.");
}

/** Returns true for a patient's number, which may lead to several prescriptions. */
export function isOfPatient(number) {
  return number.toUpperCase().startsWith("PAT");
}

function hand(number, found) {
  results.clear();
  for (const one of found) results.set(one.prescription.prescriptionNumber, [one]);
  results.set(number, found);
  return number;
}
