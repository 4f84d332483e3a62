/** Server-sent events, read by `fetch`: an EventSource could not say who calls. */

import { open } from "./api.js";
import { Failure } from "./http.js";

const PAUSE_MS = 2000;
/** The service lets hear of itself every 20 s; a connection that is silent for longer is broken, though nobody told so. */
const SILENCE_MS = 45_000;

/**
 * Yield each message of a stream, opening it again when it breaks, until `signal` is aborted.
 *
 * query: asked anew at each opening, so that a stream can be resumed behind what was seen. broken: called when it breaks.
 * Throws Failure when the service refuses.
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

// Safari cannot iterate over a stream yet.
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
