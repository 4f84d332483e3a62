/** What pages are built of: templates, dates, states, notices. */

import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";

export { html, nothing, render, repeat };

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const CALENDAR_DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** A calendar day such as a date of birth, `YYYY-MM-DD`: the same day everywhere. */
export function calendarDay(text) {
  return text ? html`<time datetime=${text}>${CALENDAR_DAY.format(new Date(text))}</time>` : nothing;
}

/** The day of a moment. */
export function day(value) {
  return value ? html`<time datetime=${value}>${DAY.format(new Date(value))}</time>` : nothing;
}

/** A moment, by the reader's clock. */
export function moment(value) {
  return value ? html`<time datetime=${value}>${MOMENT.format(new Date(value))}</time>` : nothing;
}

/** The reader's present day, `YYYY-MM-DD`. */
export function today() {
  const now = new Date();
  return new Date(now - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}

/** An enum's word as people read it: `partially_dispensed` is "partially dispensed". */
export function words(word) {
  return (word ?? "").replaceAll("_", " ");
}

/** The same with a capital letter. */
export function label(word) {
  const text = words(word);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const TONES = {
  pending: "new", scanned: "new", validated: "busy", partially_dispensed: "busy", dispensed: "good",
  rejected: "bad", cancelled: "bad", expired: "quiet",
  active: "good", unverified: "busy", deactivated: "bad",
  processing: "busy", completed: "good", failed: "bad",
  success: "good", denied: "bad", failure: "bad", fault: "bad",
};

/** A state as a small coloured label; the word says it too. */
export function badge(state) {
  return html`<span class="badge ${TONES[state] ?? "quiet"}">${label(state)}</span>`;
}

/** Names and values; what has no value is left out. */
export function facts(pairs) {
  const given = pairs.filter(([, value]) => value !== "" && value !== undefined && value !== null && value !== nothing);
  return html`<dl class="facts">${given.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Shows a text of several lines with its line breaks and indents; nothing for an empty one. */
export function block(text) {
  return text ? html`<span class="block">${text}</span>` : nothing;
}

/** Something to know. tone: good, bad, busy or new. */
export function notice(tone, content) {
  return html`<div class="notice ${tone}" role=${tone === "bad" ? "alert" : "status"}>${content}</div>`;
}

/** What lifts a refusal that stands in the way of everything. */
const WAYS_OUT = {
  EMAIL_NOT_CONFIRMED: html`<p>Nothing of patients is shown before your address is known to be yours. The code is in the mail that
    we sent you; <a href="#/account">enter it here</a>.</p>`,
  ACCOUNT_NOT_VERIFIED: html`<p>An administrator compares your licence number with the register. Until then you cannot see or write
    anything about patients. <a href="#/account">See what you gave as your number</a>; if it takes long, ask your administrator.</p>`,
};

/** Why something failed; `again` tries it once more, where that may help. details: those that are not told elsewhere. */
export function problem(failure, again, details = failure.details) {
  const wayOut = WAYS_OUT[failure.type];
  return notice(
    wayOut ? "busy" : "bad",
    html`<p>${failure.message}</p>
      ${details.length ? html`<ul>${details.map(({ field, message }) => html`<li>${field}: ${message}</li>`)}</ul>` : nothing}
      ${wayOut ?? nothing}
      ${failure.retryAfter ? html`<p>Try again in ${wait(failure.retryAfter)}.</p>` : nothing}
      ${failure.status >= 500 ? html`<p class="small">Request ${failure.requestId}</p>` : nothing}
      ${again && !details.length ? html`<button type="button" class="second" @click=${again}>Try again</button>` : nothing}`,
  );
}

function wait(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}
