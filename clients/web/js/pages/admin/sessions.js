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
  page.show(() => html`${said ? notice("good", said) : nothing}
    <p>${user.fullName}, ${user.email}</p>
    ${list.show((session) => sessionRow(session), "Not signed in anywhere.")}
    <p class="actions">
      ${list.total ? html`<button type="button" class="danger" @click=${end}>End all sessions</button>` : nothing}
      <a class="button second" href="#/accounts">Back to accounts</a>
    </p>`);
}
