/** Starts the page: restores a session that may still be open, follows the address, and watches for the idle end. */

import { showHeader } from "./header.js";
import { watch } from "./idle.js";
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
watch();
