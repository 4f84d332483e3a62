/** Shows the page that the address names, or the reason why it cannot be opened. */

import { asFailure, Failure } from "./http.js";
import { Page } from "./page.js";
import { exists, find, home } from "./routes.js";
import { session } from "./session.js";
import { html, nothing, problem, render } from "./view.js";

const main = document.getElementById("main");
const announcer = document.getElementById("announcer");

/** The address that was requested before sign-in. */
let wanted = "";
let shown = null;
let shownFor = null;

/** Navigates to a page, such as `/patients`. */
export function go(address) {
  location.hash = address;
}

/** Shows the page of the current address and follows later changes of the address. */
export function start() {
  addEventListener("hashchange", follow);
  session.addEventListener("change", () => {
    if (session.user?.id === shownFor) return;
    blank();
    follow();
  });
  follow();
}

/** Removes everything that was shown to the former user, before any request for the next page. */
function blank() {
  shown?.leave();
  for (const dialog of document.querySelectorAll("dialog")) dialog.remove();
  announcer.textContent = "";
  render(nothing, main);
}

async function follow() {
  const user = session.user;
  const isAnchor = location.hash && !location.hash.startsWith("#/");
  if (isAnchor && user?.id === (shownFor ?? undefined)) return; // an anchor on this page
  const signedOut = shownFor && !user && !session.expired;
  shownFor = user?.id ?? null;
  const [address, query] = isAnchor ? [""] : location.hash.slice(1).split("?");
  if (!address || address === "/") return replace(home(user));
  if (user && ["/sign-in", "/register"].includes(address)) {
    const next = wanted || home(user);
    wanted = "";
    return replace(next);
  }
  const found = find(address, user);
  if (!found && !user && exists(address)) {
    wanted = signedOut ? "" : address;
    return replace("/sign-in");
  }
  if (!found && exists(address)) return replace(home(user));
  await show(found ?? { route: { title: "Page not found" }, params: {} }, query);
}

function replace(address) {
  location.replace(`#${address}`);
  return undefined;
}

async function show({ route, params }, query) {
  shown?.leave();
  const page = (shown = new Page(main, params, new URLSearchParams(query), go));
  page.name(route.title);
  page.show(() => html`<p class="quiet" role="status">Loading …</p>`);
  try {
    if (!route.module) throw new Failure(404, { type: "PAGE_UNKNOWN", message: "There is no such page." });
    const { default: open } = await import(`./pages/${route.module}`);
    await open(page);
  } catch (thrown) {
    if (page.left) return;
    const failure = asFailure(thrown);
    page.show(() => problem(failure, () => show({ route, params }, query)));
  }
  if (!page.left) page.arrive();
}
