/** Starts the page: takes up the session that may still be open, then follows the address. */

import { showHeader } from "./header.js";
import { start } from "./router.js";
import { restore, session } from "./session.js";

session.addEventListener("change", showHeader);
try {
  await restore();
} catch {
  // Without an answer nobody is signed in for now: the sign-in page says what is wrong when it is used.
}
showHeader();
start();
