/** One page while it is open: its content, and the calls and timers that end with it. */

import { html, render } from "./view.js";

const announcer = document.getElementById("announcer");

export class Page {
  #main;
  #view = () => "";
  #leaving = new AbortController();

  constructor(main, params, query, go) {
    this.#main = main;
    /** @type {Record<string, string>} Parameters of the address, such as `id`. */
    this.params = params;
    /** @type {URLSearchParams} */
    this.query = query;
    /** Navigates to another page. */
    this.go = go;
  }

  /** Aborted when the user leaves the page, which ends calls and streams that use it. */
  get signal() {
    return this.#leaving.signal;
  }

  /** True once the user has left the page. */
  get left() {
    return this.signal.aborted;
  }

  /** Sets the heading and the window title. */
  name(title) {
    this.title = title;
    document.title = `${title} · MedConnect`;
    this.update();
  }

  /** Renders `view` below the heading, now and at each update. */
  show(view) {
    this.#view = view;
    this.update();
  }

  /** Renders the page again after a change. */
  update() {
    if (!this.left) render(html`<h1 tabindex="-1">${this.title}</h1>${this.#view()}`, this.#main);
  }

  /** Announces a text to screen readers. */
  say(text) {
    announcer.textContent = text;
  }

  /** Scrolls to the top and focuses the heading. */
  arrive() {
    const heading = this.#main.querySelector("h1");
    if (!this.#main.contains(document.activeElement) || document.activeElement === this.#main) heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  /** Calls `work` at an interval in seconds while the page is open and visible, and immediately when it becomes visible. */
  every(seconds, work) {
    const ifSeen = async () => {
      try {
        if (!document.hidden) await work();
      } catch (error) {
        if (!this.left) throw error; // leaving the page aborts calls in progress
      }
    };
    const timer = setInterval(ifSeen, seconds * 1000);
    this.signal.addEventListener("abort", () => clearInterval(timer));
    document.addEventListener("visibilitychange", ifSeen, { signal: this.signal });
  }

  leave() {
    this.#leaving.abort();
  }
}
