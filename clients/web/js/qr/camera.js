/** Scans QR codes with the camera. */

import { html, notice, nothing } from "../view.js";
import { detector } from "./reader.js";

const PAUSE_MS = 120;
const REAR = { audio: false, video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } } };
const WORDS = {
  NotAllowedError: "The browser does not let this page use the camera. Allow it in the browser's settings for this page.",
  NotFoundError: "No camera was found on this device.",
  NotReadableError: "The camera is in use by another program.",
};

export class Camera {
  #page;
  #seen;
  #stream = null;
  #problem = "";
  /** Incremented at each start and stop, so that results of an earlier start are discarded. */
  #round = 0;

  /** seen: called with each QR code's text; if it returns true, the camera stops. */
  constructor(page, seen) {
    this.#page = page;
    this.#seen = seen;
    page.signal.addEventListener("abort", () => this.stop());
  }

  /** Renders the start button or the camera's picture, and the error if there is one. */
  show() {
    return html`${this.#problem ? notice("bad", this.#problem) : nothing}
      ${this.#stream ? this.#picture() : html`<button type="button" @click=${this.#start}>Scan with the camera</button>`}`;
  }

  /** Stops the camera and releases the device. */
  stop = () => {
    this.#round += 1;
    if (this.#stream) release(this.#stream);
    this.#stream = null;
    this.#page.update();
  };

  #picture() {
    return html`<div class="camera">
        <video autoplay playsinline .muted=${true} .srcObject=${this.#stream} aria-label="Camera view"></video>
      </div>
      <p>Hold the QR code in front of the camera.</p>
      <button type="button" class="second" @click=${this.stop}>Stop the camera</button>`;
  }

  #start = async () => {
    const round = ++this.#round;
    this.#problem = "";
    try {
      const codeDetector = await detector();
      const stream = await opened();
      if (round !== this.#round) return release(stream);
      this.#stream = stream;
      this.#page.update();
      this.#page.say("The camera is on.");
      await this.#look(codeDetector, round);
    } catch (error) {
      if (round !== this.#round) return;
      this.#problem = WORDS[error.name] ?? `The camera cannot be used: ${error.message}`;
      this.stop();
    }
  };

  async #look(codeDetector, round) {
    const video = document.querySelector(".camera video");
    while (round === this.#round) {
      const codes = video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? await codeDetector.detect(video) : [];
      if (round === this.#round && codes.some((code) => this.#seen(code.rawValue))) this.stop();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

// Browsers offer the camera only to pages from a secure origin.
function opened() {
  if (!navigator.mediaDevices) throw new Error("the page must be opened over https://.");
  return navigator.mediaDevices.getUserMedia(REAR);
}

function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}
