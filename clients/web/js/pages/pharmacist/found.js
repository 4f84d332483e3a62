/** Finds prescriptions. Each scan and lookup is recorded, so the next page takes its result instead of repeating it. */

import { write } from "../../api.js";

/** Twenty characters, each with a space or an invisible character behind it. */
const LONGEST_NUMBER = 40;

/** The last result that is not shown yet: `{prescriptions: [{prescription, canDispense}], hasMore}` by number. */
const results = new Map();

/** Returns a typed number or code without invisible characters, which pasted text may contain. */
export function typed(text) {
  return text.replace(/\p{Cf}/gu, "").trim();
}

/** Scans the text of a QR code and returns the number to open. Throws Failure. */
export async function scan(qrCode) {
  const one = await write("POST", "/pharmacy/scan", { qrCode });
  return hand(one.prescription.prescriptionNumber, { prescriptions: [one], hasMore: false });
}

/** Looks up a prescription or patient number, as typed or scanned, and returns the number as it was read. Throws Failure. */
export async function lookUp(typedNumber) {
  const found = await write("POST", "/pharmacy/lookup", { referenceNumber: typedNumber });
  return hand(found.referenceNumber, found);
}

/** Returns the result of a number: the last one if it fits, else that of a new lookup. Throws Failure. */
export async function findByNumber(number) {
  const key = results.has(number) ? number : await lookUp(number);
  const found = results.get(key);
  results.delete(key);
  return found;
}

/** Returns true if a text has the form of a prescription's QR code, as a camera reads it. */
export function isCode(text) {
  return /^(MC1\.|RX[B-X]{120}$)/.test(text);
}

/** Returns true if a typed text can only be a QR code, perhaps a damaged one: it is longer than every number. */
export function isScanned(text) {
  return isCode(text) || text.length > LONGEST_NUMBER;
}

/** Returns true if a text has the form of a number, however it is written; the service reads the number itself. */
export function isNumber(text) {
  return /^(RX|PAT)[0-9A-Z]{16}$/i.test(text.normalize("NFKC").replace(/[^0-9A-Z]/gi, ""));
}

/** Returns true for a patient's number, which may lead to several prescriptions. */
export function isOfPatient(number) {
  return number.toUpperCase().startsWith("PAT");
}

function hand(number, found) {
  results.clear();
  for (const one of found.prescriptions) {
    results.set(one.prescription.prescriptionNumber, { prescriptions: [one], hasMore: false });
  }
  results.set(number, found);
  return number;
}
