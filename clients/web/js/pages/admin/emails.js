import { read, write } from "../../api.js";
import { ask } from "../../dialog.js";
import { asFailure } from "../../http.js";
import { session } from "../../session.js";
import { html, label, notice, nothing, problem } from "../../view.js";
import { Live } from "./live.js";
import { EmailList } from "./email_list.js";

const STATUSES = ["pending", "processing", "completed", "failed"];

export default async function open(page) {
  let status = await read("/events/email-queue/status", {}, page.signal);
  let said = nothing;
  const emails = new EmailList(page);
  const live = follow(page, (newer) => (status = newer), emails);
  const announce = (text) => {
    said = notice("good", text);
    page.say(text);
    page.update();
  };
  const attempt = async (work, text) => {
    try {
      await work();
      announce(text);
    } catch (thrown) {
      said = problem(asFailure(thrown));
      page.update();
    }
  };
  const retry = (email) => attempt(() => write("POST", `/events/emails/${email.id}/retry`), "The email is back in the queue.");
  const test = () => attempt(
    () => write("POST", "/events/test", { eventType: "test.mail" }),
    `A test email is on its way to ${session.user.email}.`,
  );
  await emails.load();
  page.show(() => html`
    ${said}
    ${queue(status)}
    ${live.show()}
    <p class="actions">
      <button type="button" @click=${test}>Send test email</button>
      <button type="button" class="second" @click=${() => askToClear(emails, announce)}>Clear sent emails</button>
    </p>
    <h2>Email list</h2>
    ${chooser((chosen) => emails.narrow(chosen))}
    ${emails.show(retry)}`);
}

function follow(page, takeStatus, emails) {
  const live = new Live(page);
  let afterSequence;
  live.follow("/events/email-queue/status/stream", () => ({}), takeStatus);
  live.follow("/events/emails/stream", () => ({ afterSequence }), ({ sequence, email }) => {
    afterSequence = sequence;
    if (email) emails.change(email);
  });
  return live;
}

function queue(status) {
  const figures = [
    ["Waiting", status.pendingJobs], ["Sending", status.processingJobs], ["Sent", status.completedJobs], ["Failed", status.failedJobs],
  ];
  return html`${status.isHealthy
      ? notice("good", "Emails are being sent.")
      : notice("bad", "Emails are delayed: none are being sent, some have waited too long, or some have failed within the last hour.")}
    <dl class="figures">${figures.map(([name, count]) => html`<div><dt>${name}</dt><dd>${count}</dd></div>`)}</dl>`;
}

function chooser(narrow) {
  return html`<div class="field">
    <label for="status">Show</label>
    <select id="status" autocomplete="off" @change=${(event) => narrow(event.target.value)}>
      <option value="">All</option>
      ${STATUSES.map((status) => html`<option value=${status}>${label(status)}</option>`)}
    </select>
  </div>`;
}

function askToClear(emails, announce) {
  ask({
    title: "Clear sent emails?",
    text: "They are removed from this list. Waiting and failed emails stay.",
    button: "Clear emails",
    work: async () => {
      const { clearedJobs } = await write("POST", "/events/email-queue/clear-completed");
      announce(`Cleared: ${clearedJobs}.`);
      await emails.narrow();
    },
  });
}
