/** Server-sent events, read with `fetch` because EventSource cannot send an authorization header. */

import { open } from "./api.js";
import { Failure } from "./http.js";

const PAUSE_MS = 2000;
/** The service sends a heartbeat every 20 s; a connection that is silent for this long is taken as broken. */
const SILENCE_MS = 45_000;

/**
 * Yields each message of a stream until `signal` is aborted, and reopens the stream when it breaks.
 *
 * query: called at each opening, so that a stream resumes after the last message. broken: called when the stream breaks.
 * Throws Failure when the service rejects the call.
 */
export async function* messages(path, query, signal, broken) {
  while (!signal.aborted) {
    try {
      const answer = await open(path, query(), signal);
      yield* lines(answer.body);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Failure && error.status >= 400 && error.status < 500 && error.status !== 429) throw error;
    }
    broken();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function* lines(body) {
  let rest = "";
  for await (const text of chunks(body.pipeThrough(new TextDecoderStream()))) {
    const found = (rest + text).split("\n");
    rest = found.pop();
    for (const line of found) if (line.startsWith("data:")) yield JSON.parse(line.slice(5));
  }
}

// Safari cannot iterate over a stream.
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const timer = setTimeout(() => reader.cancel(), SILENCE_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      yield value;
    }
  } finally {
    reader.releaseLock();
  }
}
