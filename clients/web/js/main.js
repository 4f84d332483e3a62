/** Starts the page: restores a session that may still be open, then follows the address. */

import { showHeader } from "./header.js";
import { start } from "./router.js";
import { restore, session } from "./session.js";

session.addEventListener("change", showHeader);
try {
  await restore();
} catch {
  // Without a response the user is signed out for now; the sign-in page shows the error when it is used.
}
showHeader();
start();
