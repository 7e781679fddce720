// A draft: the server keeps the edits, under the person's name. Apart from the DOM.
const QUIET = 700; // milliseconds without an edit, after which the draft is sent

export class Draft {
  #timer = 0;
  #isKept = false; // the server has one, so that taking all edits back is news, too
  #send;

  constructor(send) {
    this.#send = send;
  }

  /** Send one soon, if there is anything to keep. */
  plan(hasWork) {
    this.cancel();
    if (!hasWork && !this.#isKept) return;
    this.#isKept = true;
    this.#timer = setTimeout(this.#send, QUIET);
  }

  /** Do not send what was planned. */
  cancel() {
    clearTimeout(this.#timer);
  }

  /** The server has no draft any more. */
  forget() {
    this.#isKept = false;
  }
}
