/** Signs out a page that no person uses: warns before, and blanks all tabs when the session has been idle for too long. */

import { act, isEndNear, isReportDue, timeLeft } from "./presence.js";
import { renew, session, signOut, timeOut } from "./session.js";
import { html, render } from "./view.js";

const ACTS = ["pointerdown", "keydown", "wheel", "touchmove"];
const CHECK_MS = 1000;
/** How long after a report that failed the next one is sent. */
const PAUSE_MS = 10_000;

let warning = null;
let nextReport = 0;

/** Begins to watch for acts and for the idle end. */
export function watch() {
  for (const kind of ACTS) addEventListener(kind, noticeAct, { capture: true, passive: true });
  // A computer that slept, and a tab that was hidden, must not show the page of a session that has ended meanwhile.
  for (const kind of ["focus", "pageshow", "storage"]) addEventListener(kind, check);
  document.addEventListener("visibilitychange", check);
  session.addEventListener("change", check);
  setInterval(check, CHECK_MS);
}

// While the warning is open, only its buttons count: a key pressed by accident would close it unread.
function noticeAct(event) {
  if (!event.isTrusted || !session.user) return;
  check();
  if (session.user && !warning) act();
}

function check() {
  if (session.user && timeLeft() <= 0) timeOut();
  if (session.user && isEndNear()) warn();
  else unwarn();
  if (session.user && isReportDue() && Date.now() >= nextReport) report();
}

async function report() {
  nextReport = Date.now() + PAUSE_MS;
  try {
    await renew();
    nextReport = 0;
  } catch {
    // The service cannot be reached now; the next check after the pause tries again.
  }
}

function warn() {
  if (!warning) {
    warning = document.createElement("dialog");
    warning.setAttribute("role", "alertdialog");
    warning.setAttribute("aria-labelledby", "idle");
    warning.setAttribute("aria-describedby", "idle-left");
    warning.addEventListener("cancel", stay);
    document.body.append(warning);
    render(content(), warning);
    warning.showModal();
  }
  render(content(), warning);
}

function unwarn() {
  warning?.remove();
  warning = null;
}

function content() {
  const seconds = Math.max(1, Math.ceil(timeLeft() / 1000));
  return html`<h2 id="idle">Are you still there?</h2>
    <p id="idle-left">You will be signed out in ${seconds} ${seconds === 1 ? "second" : "seconds"}.</p>
    <div class="actions">
      <button type="button" @click=${stay}>Stay signed in</button>
      <button type="button" class="second" @click=${leave}>Sign out</button>
    </div>`;
}

function stay(event) {
  event.preventDefault();
  if (timeLeft() > 0) act();
  check();
}

async function leave() {
  unwarn();
  try {
    await signOut();
  } catch {
    // The session has ended in this browser; on the server it expires by itself.
  }
}
