/** The identification of patients. */

import { html, moment } from "../view.js";

/** The kinds of documents: pairs of value and text. */
export const DOCUMENTS = [
  ["identity_card", "Identity card"],
  ["passport", "Passport"],
  ["driving_licence", "Driving licence"],
  ["residence_permit", "Residence permit"],
  ["insurance_card", "Health insurance card with photograph"],
  ["birth_certificate", "Birth certificate, shown by a parent or guardian"],
  ["personally_known", "No document: personally known"],
  ["other", "Another official document"],
];

/** Renders the identification of a record in one line. */
export function identification({ identification: known }) {
  if (!known) return "Not confirmed yet";
  if (!known.identifiedBy) return "Confirmed by an earlier treatment";
  const document = DOCUMENTS.find(([value]) => value === known.document)?.[1];
  return html`Confirmed by ${known.identifiedBy} on ${moment(known.identifiedAt)}${document ? html` (${document})` : ""}`;
}
