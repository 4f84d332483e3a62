/** The header: navigation and the signed-in user. */

import { routes } from "./routes.js";
import { session, signOut } from "./session.js";
import { html, nothing, render } from "./view.js";

const header = document.getElementById("header");

/** Renders the header again after the user or the page has changed. */
export function showHeader() {
  render(bar(session.user, location.hash.slice(1)), header);
}

addEventListener("hashchange", showHeader);

function bar(user, address) {
  return html`<div class="bar">
    <a class="brand" href="#/"><img src="/icon.svg" alt="" width="28" height="28"><span>MedConnect</span></a>
    ${user ? navigation(user, address) : nothing}
    ${user
      ? html`<div class="who">
          <a href="#/account" aria-current=${address === "/account" ? "page" : nothing}>${user.fullName}</a>
          <button type="button" class="plain" @click=${leave}>Sign out</button>
        </div>`
      : nothing}
  </div>`;
}

function navigation(user, address) {
  const pages = routes.filter((route) => route.nav && route.roles.includes(user.role));
  const here = (path) => address === path || address.startsWith(`${path}/`) || address.startsWith(`${path}?`);
  return html`<nav aria-label="Pages">
    ${pages.map(
      (route) => html`<a href="#${route.path}" aria-current=${here(route.path) ? "page" : nothing}>${route.nav}</a>`,
    )}
  </nav>`;
}

async function leave() {
  try {
    await signOut();
  } catch {
    // The session has ended in this browser; on the server it expires by itself.
  }
}
