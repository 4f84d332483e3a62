/** Building blocks of pages: templates, dates, states, notices. */

import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";

export { html, nothing, render, repeat };

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const CALENDAR_DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Renders a calendar day, `YYYY-MM-DD`, such as a date of birth: the same day in every time zone. */
export function calendarDay(text) {
  return text ? html`<time datetime=${text}>${CALENDAR_DAY.format(new Date(text))}</time>` : nothing;
}

/** Renders the day of a timestamp in the reader's time zone. */
export function day(value) {
  return value ? html`<time datetime=${value}>${DAY.format(new Date(value))}</time>` : nothing;
}

/** Renders a timestamp in the reader's time zone. */
export function moment(value) {
  return value ? html`<time datetime=${value}>${MOMENT.format(new Date(value))}</time>` : nothing;
}

/** Returns today's date in the reader's time zone, `YYYY-MM-DD`. */
export function today() {
  const now = new Date();
  return new Date(now - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}

/** Returns an enum value as readable words: `partially_dispensed` becomes "partially dispensed". */
export function words(word) {
  return (word ?? "").replaceAll("_", " ");
}

/** Returns an enum value as readable words that begin with a capital letter. */
export function label(word) {
  const text = words(word);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const TONES = {
  pending: "new", scanned: "new", validated: "busy", partially_dispensed: "busy", dispensed: "good",
  rejected: "bad", cancelled: "bad", expired: "quiet",
  suspended: "bad", active: "good", unverified: "busy", deactivated: "bad", open: "good", closed: "bad",
  processing: "busy", completed: "good", failed: "bad",
  success: "good", denied: "bad", failure: "bad", fault: "bad",
};

/** Renders a state as a small coloured label whose text names the state too. */
export function badge(state) {
  return html`<span class="badge ${TONES[state] ?? "quiet"}">${label(state)}</span>`;
}

/** Renders pairs of names and values; pairs without a value are left out. */
export function definitionList(pairs) {
  const given = pairs.filter(([, value]) => value !== "" && value !== undefined && value !== null && value !== nothing);
  return html`<dl class="facts">${given.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Renders a multi-line text with its line breaks and indents; nothing for an empty text. */
export function block(text) {
  return text ? html`<span class="block">${text}</span>` : nothing;
}

/** Renders a notice. tone: good, bad, busy or new. */
export function notice(tone, content) {
  return html`<div class="notice ${tone}" role=${tone === "bad" ? "alert" : "status"}>${content}</div>`;
}

/** How to resolve errors that block every page, by error type. */
const WAYS_OUT = {
  EMAIL_NOT_CONFIRMED: html`<p>You can see patient data once you have confirmed your email address. The code is in the email that we
    sent you; <a href="#/account">enter it here</a>.</p>`,
  SECOND_FACTOR_MISSING: html`<p>Your role needs an authenticator app beside the password. <a href="#/account">Add one to your account</a>.</p>`,
  ORGANISATION_REQUIRED: html`<p>You act for a pharmacy, and your account is a member of none. Ask the administrator of your pharmacy
    to add you.</p>`,
  ACCOUNT_NOT_VERIFIED: html`<p>An administrator compares your licence number and your workplace with the register. Until then you
    cannot see or change patient data. <a href="#/account">Check what you entered</a>; if it takes long, ask your administrator.</p>`,
};

/** Renders a failure; `again` retries, where that may help. details: those that are not shown elsewhere. */
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
