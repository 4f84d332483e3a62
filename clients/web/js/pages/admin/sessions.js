import { read, write } from "../../api.js";
import { ask } from "../../dialog.js";
import { Listing } from "../../listing.js";
import { sessionRow } from "../../parts/sessions.js";
import { html, notice, nothing } from "../../view.js";

const REASONS = [
  ["device_lost", "A device was lost or stolen"],
  ["misuse_suspected", "Another person may have used the account"],
  ["left_signed_in", "A device was left signed in"],
  ["other", "Another reason"],
];

export default async function open(page) {
  const path = `/users/${page.params.id}`;
  const { user } = await read(path, {}, page.signal);
  const list = new Listing(page, `${path}/sessions`, "sessions");
  let said = "";
  await list.load();
  const end = () => ask({
    title: `End all sessions of ${user.fullName}?`,
    text: "Every device is signed out immediately. The account stays open and can sign in again.",
    button: "End all sessions",
    fields: (form) => form.choice("reason", "Reason", REASONS, { none: "Choose a reason" }),
    work: async (values) => {
      const { endedSessions } = await write("POST", `${path}/sessions/end`, values);
      said = `Ended sessions: ${endedSessions}.`;
      page.say(said);
      await list.load();
    },
  });
  const reset = () => ask({
    title: `Reset the second factors of ${user.fullName}?`,
    text: "Make sure first that this person asks for it. Every device is signed out, and signing in needs the password alone.",
    button: "Reset second factors",
    fields: (form) => form.choice("password", "Password", [["keep", "Stays as it is"], ["reset", "Can be set with an emailed code for 24 hours"]], { value: "keep" }),
    work: async ({ password }) => {
      await write("POST", `${path}/second-factors/reset`, password === "reset" ? { allowPasswordReset: true } : {});
      said = "The second factors were reset.";
      page.say(said);
      await list.load();
    },
  });
  page.show(() => html`${said ? notice("good", said) : nothing}
    <p>${user.fullName}, ${user.email}</p>
    ${list.show((session) => sessionRow(session), "Not signed in anywhere.")}
    <p class="actions">
      ${list.total ? html`<button type="button" class="danger" @click=${end}>End all sessions</button>` : nothing}
      <button type="button" class="danger" @click=${reset}>Reset second factors</button>
      <a class="button second" href="#/accounts">Back to accounts</a>
    </p>`);
}
