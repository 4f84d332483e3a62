import { read, write } from "../../api.js";
import { ask } from "../../dialog.js";
import { asFailure } from "../../http.js";
import { session } from "../../session.js";
import { html, label, notice, nothing, problem } from "../../view.js";
import { Live } from "./live.js";
import { MailList } from "./mail_list.js";

const STATUSES = ["pending", "processing", "completed", "failed"];

export default async function open(page) {
  let status = await read("/events/email-queue/status", {}, page.signal);
  let said = nothing;
  const mails = new MailList(page);
  const live = follow(page, (newer) => (status = newer), mails);
  const tell = (text) => {
    said = notice("good", text);
    page.say(text);
    page.update();
  };
  const attempt = async (work, text) => {
    try {
      await work();
      tell(text);
    } catch (thrown) {
      said = problem(asFailure(thrown));
      page.update();
    }
  };
  const retry = (mail) => attempt(() => write("POST", `/events/emails/${mail.id}/retry`), "The mail is back in the queue.");
  const test = () => attempt(
    () => write("POST", "/events/test", { eventType: "test.mail" }),
    `A test mail is on its way to ${session.user.email}.`,
  );
  await mails.load();
  page.show(() => html`
    ${said}
    ${queue(status)}
    ${live.show()}
    <p class="actions">
      <button type="button" @click=${test}>Send a test mail</button>
      <button type="button" class="second" @click=${() => forget(mails, tell)}>Clear the sent ones</button>
    </p>
    <h2>Each mail</h2>
    ${chooser((chosen) => mails.narrow(chosen))}
    ${mails.show(retry)}`);
}

function follow(page, takeStatus, mails) {
  const live = new Live(page);
  let afterSequence;
  live.follow("/events/email-queue/status/stream", () => ({}), takeStatus);
  live.follow("/events/emails/stream", () => ({ afterSequence }), ({ sequence, email }) => {
    afterSequence = sequence;
    if (email) mails.change(email);
  });
  return live;
}

function queue(status) {
  const figures = [
    ["Waiting", status.pendingJobs], ["Sending", status.processingJobs], ["Sent", status.completedJobs], ["Failed", status.failedJobs],
  ];
  return html`${status.isHealthy
      ? notice("good", "Mails are going out.")
      : notice("bad", "Mails are held up: none are sent, they wait too long, or some have failed within the last hour.")}
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

function forget(mails, tell) {
  ask({
    title: "Clear the sent mails?",
    text: "They are forgotten here; those that wait or have failed stay.",
    button: "Clear them",
    work: async () => {
      const { clearedJobs } = await write("POST", "/events/email-queue/clear-completed");
      tell(`Cleared: ${clearedJobs}.`);
      await mails.narrow();
    },
  });
}
