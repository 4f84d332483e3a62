/** Asking before something is done. */

import { Form } from "./form.js";
import { html, nothing, render } from "./view.js";

/**
 * Ask whether to go on, in a dialog; `fields` may ask for more, such as a reason. `work` gets what they hold; the dialog stays
 * open with what is wrong until it succeeds, or is cancelled.
 */
export function ask({ title, text, button, fields, work }) {
  const dialog = document.createElement("dialog");
  const page = { update: () => render(content(), dialog) };
  const form = new Form(page, async (values) => {
    await work(values);
    dialog.close();
  });
  const content = () => html`<h2 id="question">${title}</h2>
    ${text ? html`<p>${text}</p>` : nothing}
    ${form.around(html`${fields?.(form) ?? nothing}
      <div class="actions">
        ${form.button(button)}
        <button type="button" class="second" @click=${() => dialog.close()}>Back</button>
      </div>`)}`;
  dialog.setAttribute("aria-labelledby", "question");
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  page.update();
  dialog.showModal();
}
