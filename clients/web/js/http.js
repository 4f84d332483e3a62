/** Sends one REST call and returns the response's `data`. Sessions and retries belong to api.js. */

const BASE = "/api/v1";

/** The service's error for a failed call; without a response, `status` is 0 and `type` is "NO_ANSWER". */
export class Failure extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.type = error.type;
    /** @type {{field: string, message: string}[]} */
    this.details = error.details ?? [];
    this.requestId = error.requestId ?? "";
    /** The whole error object, with the members of this type only, such as `pharmacyName`. */
    this.said = error;
    /** Seconds to wait before the next attempt. */
    this.retryAfter = error.retryAfter ?? 0;
  }

  /** True if the call may have been applied although it failed. */
  get maybeDone() {
    return this.status === 0 || this.status >= 500;
  }
}

/** Returns a thrown Failure, which can be shown; rethrows anything else. */
export function asFailure(thrown) {
  if (thrown instanceof Failure) return thrown;
  throw thrown;
}

/** Returns the response to a request, of any content type. Throws Failure unless the call succeeds. */
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
    ...(said?.error ?? { type: "UNREADABLE", message: "The service returned a response that cannot be read." }),
    retryAfter: Number(answer.headers.get("retry-after") ?? 0),
  });
}

/** Returns the `data` of a call's response. Throws Failure. */
export async function request(method, path, options) {
  const answer = await send(method, path, options);
  return (await answer.json()).data;
}

async function fetchOrFail(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, { type: "NO_ANSWER", message: "MedConnect cannot be reached. Check your connection and try again." });
  }
}

function queryString(query = {}) {
  const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  const given = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
