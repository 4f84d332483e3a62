/** One page while it is open: what it shows, and what ends with it. */

import { html, render } from "./view.js";

const announcer = document.getElementById("announcer");

export class Page {
  #main;
  #view = () => "";
  #leaving = new AbortController();

  constructor(main, params, query, go) {
    this.#main = main;
    /** @type {Record<string, string>} What the address holds, such as `id`. */
    this.params = params;
    /** @type {URLSearchParams} */
    this.query = query;
    /** Go to another page. */
    this.go = go;
  }

  /** Aborted when the page is left: calls and streams made with it end. */
  get signal() {
    return this.#leaving.signal;
  }

  /** Whether another page is open by now. */
  get left() {
    return this.signal.aborted;
  }

  /** Give the page its heading and the window its title. */
  name(title) {
    this.title = title;
    document.title = `${title} · MedConnect`;
    this.update();
  }

  /** Show what `view` makes below the heading, now and at each update. */
  show(view) {
    this.#view = view;
    this.update();
  }

  /** Show the page anew: something has changed. */
  update() {
    if (!this.left) render(html`<h1 tabindex="-1">${this.title}</h1>${this.#view()}`, this.#main);
  }

  /** Tell those who listen to the page. */
  say(text) {
    announcer.textContent = text;
  }

  /** Put the reader at the top of the page. */
  arrive() {
    const heading = this.#main.querySelector("h1");
    if (!this.#main.contains(document.activeElement) || document.activeElement === this.#main) heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  /** Do something every so many seconds while the page is open and seen, and at once when it is seen again. */
  every(seconds, work) {
    const ifSeen = async () => {
      try {
        if (!document.hidden) await work();
      } catch (error) {
        if (!this.left) throw error; // what is under way when the page is left ends in the middle
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
