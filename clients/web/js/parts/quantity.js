/** Quantities: decimals in texts, with their unit in words. */

/** The units and their plurals, by the service's codes. */
const PLURALS = {
  piece: "pieces", tablet: "tablets", capsule: "capsules", ml: "ml", g: "g", drop: "drops", puff: "puffs", dose: "doses",
  patch: "patches", unit: "units", ampoule: "ampoules", sachet: "sachets", suppository: "suppositories", pack: "packs",
};

/** The choices of a form: code and words. */
export const UNITS = Object.entries(PLURALS);

/** Returns a quantity in words, such as `2.5 ml` or `1 tablet`. */
export function inWords(quantity, unit) {
  return `${quantity} ${unitInWords(quantity, unit)}`;
}

/** Returns the unit of a quantity in words. */
export function unitInWords(quantity, unit) {
  return quantity === "1" ? unit : PLURALS[unit];
}

/** Returns true unless nothing of an item remains. */
export function isOpen(item) {
  return item.exactRemainingQuantity !== "0";
}

/** Returns the errors of a request with the names that the form's fields have: they take a quantity by one field. */
export function atQuantity({ field, message }) {
  return { field: field.replace(/\.exactQuantity$/, ".quantity"), message };
}
