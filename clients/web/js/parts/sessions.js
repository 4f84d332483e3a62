/** Sessions of an account: one row for each sign-in that has not ended. */

import { definitionList, html, moment, nothing } from "../view.js";

/** Renders a session. action: a button that ends it, if it can be ended here. */
export function sessionRow(session, action = nothing) {
  return html`<div class="row">
      <strong>${session.device}</strong>
      ${session.current ? html`<span class="badge good">This device</span>` : nothing}
    </div>
    ${definitionList([
      ["Address", session.address], ["Signed in", moment(session.createdAt)], ["Last used", moment(session.lastUsedAt)],
      ["Ends unless used", moment(session.expiresAt)],
    ])}
    ${action}`;
}
