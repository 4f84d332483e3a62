/**
 * Reads the GS1 code of a medicine's package, such as its DataMatrix code.
 *
 * A code is a sequence of elements: an application identifier, then its value. Values of a fixed length follow each
 * other; a value of variable length ends at FNC1, which scanners send as the character GS. People see identifiers in
 * brackets: `(01)04012345678901(17)280131(10)AB-1`. Source: GS1 General Specifications, sections 3, 7.8 and 7.12.
 */

/** The picture of the character GS, to which all writings of FNC1 are changed. */
const FNC1 = "\u241d";
const WRITINGS = /<GS>|\{GS\}|\[GS\]|<FNC1>|\|/gi;
const PREFIX = /^\](?:d2|C1|e0|Q3|J1)/i;
const BEGINNING = new RegExp(`${PREFIX.source}|^\u241d|^\\(01\\)\\d|^01\\d{14}`, "i");
const BRACKETED = /\((\d{2,4})\)(.*?)(?=\(\d{2,4}\)|$)/g;
const LONGEST_BATCH = 20;

/** The lengths of fixed values, by the first two digits of their identifiers; the other values end at FNC1. */
const FIXED = new Map([
  ["00", 18], ["01", 14], ["02", 14], ["03", 14], ["04", 16], ["20", 2], ["41", 14],
  ...["11", "12", "13", "14", "15", "16", "17", "18", "19"].map((name) => [name, 6]),
  ...["31", "32", "33", "34", "35", "36"].map((name) => [name, 8]),
]);

/** Returns true if a text begins as the GS1 code of a package does. */
export function isPackageCode(text) {
  return BEGINNING.test(withFnc1(text));
}

/**
 * Returns `{productCode, batchNumber, expiryDate}` of a package's code, without what it leaves out; null if it is damaged.
 * expiryDate is `YYYY-MM-DD`, the batch's last day of use.
 */
export function readPackage(text) {
  const values = valuesOf(withFnc1(text).replace(PREFIX, ""));
  if (!values) return null;
  const [productCode, batchNumber, expiry] = ["01", "10", "17"].map((identifier) => values.get(identifier));
  const expiryDate = expiry && lastDay(expiry);
  const damaged = (productCode && !isGtin(productCode)) || batchNumber?.length > LONGEST_BATCH || expiryDate === null;
  return damaged || !(productCode || batchNumber || expiry) ? null : { productCode, batchNumber, expiryDate };
}

function withFnc1(text) {
  return text.trim().replaceAll("\x1d", FNC1).replaceAll("\x1e", FNC1).replace(WRITINGS, FNC1);
}

/** Returns the values by identifier; null if the code is damaged or states a value twice. */
function valuesOf(code) {
  const elements = code.startsWith("(") ? bracketed(code) : plain(code);
  const values = new Map();
  for (const [identifier, value] of elements ?? []) {
    if (!value || (values.get(identifier) ?? value) !== value) return null;
    values.set(identifier, value);
  }
  return elements && values;
}

function bracketed(code) {
  const found = [...code.matchAll(BRACKETED)];
  if (found.map(([whole]) => whole).join("") !== code) return null;
  return found.map(([, identifier, value]) => [identifier, value.replaceAll(FNC1, "")]);
}

function plain(code) {
  const elements = [];
  for (let rest = code; (rest = rest.replace(/^\u241d+/, "")); ) {
    const identifier = rest.slice(0, 2);
    const length = FIXED.get(identifier);
    const [value] = length ? [rest.slice(2, 2 + length)] : rest.slice(2).split(FNC1, 1);
    if (!/^\d\d$/.test(identifier) || !value || (length && value.length !== length)) return null;
    elements.push([identifier, value]);
    rest = rest.slice(2 + value.length);
  }
  return elements;
}

function isGtin(code) {
  const sum = [...code].reduce((total, digit, place) => total + Number(digit) * (place % 2 ? 1 : 3), 0);
  return /^\d{14}$/.test(code) && sum % 10 === 0;
}

// Day 00 is the month's last. Years from 80 on are of the century before, so that an old package is never taken for one
// of the future.
function lastDay(text) {
  const [, years, month, day] = /^(\d\d)(\d\d)(\d\d)$/.exec(text)?.map(Number) ?? [];
  if (years === undefined) return null;
  const year = (years < 80 ? 2000 : 1900) + years;
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (month < 1 || month > 12 || day > last) return null;
  return [year, month, day || last].map((number) => String(number).padStart(2, "0")).join("-");
}
