/** What pages are built of: templates, dates, states, notices. */

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";

export { html, nothing, render };

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

/** Something to know. tone: good, bad, busy or new. */
export function notice(tone, content) {
  return html`<div class="notice ${tone}" role=${tone === "bad" ? "alert" : "status"}>${content}</div>`;
}

/** Why something failed; `again` tries it once more. */
export function problem(failure, again) {
  return notice(
    "bad",
    html`<p>${failure.message}</p>
      ${failure.retryAfter ? html`<p>Try again in ${wait(failure.retryAfter)}.</p>` : nothing}
      ${failure.status >= 500 ? html`<p class="small">Request ${failure.requestId}</p>` : nothing}
      ${again ? html`<button type="button" class="second" @click=${again}>Try again</button>` : nothing}`,
  );
}

function wait(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}
