/** Asks for the second factor again, when the service wants a verification of the last ten minutes. */

import { ask } from "./dialog.js";
import { factorCode } from "./pages/account/fields.js";

/** Returns whether the user verified the factor. verify: sends the code; a Failure that it throws is shown. */
export function verifyAgain(verify) {
  return new Promise((resolve) => {
    let verified = false;
    ask({
      title: "Confirm that it is you",
      text: "This step needs your second factor again.",
      button: "Confirm",
      fields: (form) => factorCode(form),
      work: async (values) => {
        await verify(values);
        verified = true;
      },
      closed: () => resolve(verified),
    });
  });
}
