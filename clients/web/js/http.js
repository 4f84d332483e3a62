/** One REST call: JSON in, the answer's `data` out. Knows nothing of sessions and never repeats; see api.js. */

const BASE = "/api/v1";

/** Why a call failed, as the service says it; without an answer `status` is 0 and `type` is "NO_ANSWER". */
export class Failure extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.type = error.type;
    /** @type {{field: string, message: string}[]} */
    this.details = error.details ?? [];
    this.requestId = error.requestId ?? "";
    /** All that the service says of it, with what only this type has, such as `pharmacyName`. */
    this.said = error;
    /** Seconds until another try makes sense. */
    this.retryAfter = error.retryAfter ?? 0;
  }

  /** Whether the call may have been carried out all the same. */
  get maybeDone() {
    return this.status === 0 || this.status >= 500;
  }
}

/** What was thrown, if it is a Failure and so can be shown; anything else is thrown on. */
export function asFailure(thrown) {
  if (thrown instanceof Failure) return thrown;
  throw thrown;
}

/** The answer to a request, whatever it holds. Throws Failure for all but success. */
export async function send(method, path, { query, body, headers, signal } = {}) {
  const answer = await fetchOrFail(BASE + path + queryString(query), {
    method,
    headers: { ...(body && { "content-type": "application/json" }), ...headers },
    body: body && JSON.stringify(body),
    signal,
    cache: "no-store",
  });
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => null);
  throw new Failure(answer.status, {
    ...(said?.error ?? { type: "UNREADABLE", message: "The service gave an answer that cannot be read." }),
    retryAfter: Number(answer.headers.get("retry-after") ?? 0),
  });
}

/** The `data` of a call's answer. Throws Failure. */
export async function request(method, path, options) {
  const answer = await send(method, path, options);
  return (await answer.json()).data;
}

async function fetchOrFail(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, { type: "NO_ANSWER", message: "MedConnect cannot be reached. Check the connection and try again." });
  }
}

function queryString(query = {}) {
  const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  const given = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
