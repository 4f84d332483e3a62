/** Dialogs that ask for confirmation. */

import { Form } from "./form.js";
import { html, nothing, render } from "./view.js";

let dialogs = 0;

/**
 * Asks for confirmation in a dialog. `fields` may add fields, such as a reason, whose values `work` receives. The dialog
 * stays open and shows errors until `work` succeeds or the user cancels. closed: called when it closes.
 */
export function ask({ title, text, button, fields, work, closed }) {
  const id = `question${++dialogs}`; // a dialog may open above another one
  const dialog = document.createElement("dialog");
  const page = { update: () => render(content(), dialog) };
  const form = new Form(page, async (values) => {
    await work(values);
    dialog.close();
  });
  const content = () => html`<h2 id=${id}>${title}</h2>
    ${text ? html`<p>${text}</p>` : nothing}
    ${form.around(html`${fields?.(form) ?? nothing}
      <div class="actions">
        ${form.button(button)}
        <button type="button" class="second" @click=${() => dialog.close()}>Back</button>
      </div>`)}`;
  dialog.setAttribute("aria-labelledby", id);
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed?.();
  });
  document.body.append(dialog);
  page.update();
  dialog.showModal();
}
