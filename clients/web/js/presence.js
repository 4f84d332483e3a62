/**
 * When a person last acted in any tab of this browser. Timers, polls and streams are no acts. The tabs share the times through
 * browser storage, because a tab that the browser has paused receives no messages.
 */

const ACTED = "medconnect.actedAt";
/** The last act that the service knows of: a refresh of the session's tokens has reported it. */
const REPORTED = "medconnect.reportedAt";
const LIMIT = "medconnect.idleMs";
/** How often acts are stored at most. */
const STORE_MS = 500;
const WARNING_MS = 60_000;

/** Stores that a person acts now. */
export function act() {
  const now = Date.now();
  if (Math.abs(now - stored(ACTED)) >= STORE_MS) localStorage.setItem(ACTED, now);
}

/** Returns the time of the last act. */
export function lastAct() {
  return stored(ACTED);
}

/** Returns true if a person has acted since the service was last told. */
export function hasActed() {
  return stored(ACTED) > stored(REPORTED);
}

/** Stores that the service knows of the act at `time`, and that the session ends that many seconds after the last one. */
export function reported(time, idleSeconds) {
  localStorage.setItem(REPORTED, time);
  localStorage.setItem(LIMIT, idleSeconds * 1000);
}

/** Returns true if the service should be told of an act now; one tab is enough, so a hidden one waits longer. */
export function isReportDue() {
  return hasActed() && Date.now() - stored(REPORTED) >= stored(LIMIT) * (document.hidden ? 3 / 8 : 1 / 4);
}

/** Returns the milliseconds until the session ends if no person acts. */
export function timeLeft() {
  return stored(LIMIT) ? stored(ACTED) + stored(LIMIT) - Date.now() : Infinity;
}

/** Returns true if a person should be warned that the session is about to end. */
export function isEndNear() {
  return timeLeft() <= Math.min(WARNING_MS, stored(LIMIT) / 2);
}

/** Forgets all times: the session has ended. */
export function forget() {
  for (const name of [ACTED, REPORTED, LIMIT]) localStorage.removeItem(name);
}

function stored(name) {
  return Number(localStorage.getItem(name));
}
