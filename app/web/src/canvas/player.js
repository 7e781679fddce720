// Plays the steps of a run at a pace, and holds the position in it. Apart from the DOM: whoever draws is called.

const PACE = 150; // milliseconds a step at speed 1

export class Player {
  run = null;
  at = 0; // the step that is shown
  playing = false;
  quiet = false; // the run is shown once it is done
  preview = null; // a mask at another retention, shown instead of the step
  #timer = 0;
  #last = 0; // when the last step was shown

  /** draw(): show what the player says. speed(): steps are played so many times faster than normal. */
  constructor(draw, speed) {
    this.draw = draw;
    this.speed = speed;
  }

  /** Whether everything is shown that there will be. */
  get isAtEnd() {
    return Boolean(this.run.end) && this.at >= this.run.steps.length;
  }

  /** A new run begins; a quiet one leaves what is on screen until it has ended. */
  start(run, quiet) {
    this.#stopTimer();
    this.run = run;
    this.quiet = quiet;
    if (quiet) return;
    Object.assign(this, { at: 0, playing: true, preview: null });
    this.draw();
  }

  /** The run has a further step. */
  onStep() {
    if (!this.quiet && this.playing && !this.#timer) this.#wait();
  }

  /** The run has its last step. */
  onEnd() {
    if (this.quiet) Object.assign(this, { quiet: false, preview: null, playing: false, at: this.run.steps.length });
    if (this.playing && !this.#timer) this.#wait();
    else this.draw();
  }

  /** Play on, from the start where all has been shown; or pause. */
  setPlaying(on) {
    if (!this.run) return;
    if (on && this.isAtEnd) this.at = 0;
    this.#stopTimer();
    Object.assign(this, { playing: on, preview: null });
    if (on) this.#wait();
    this.draw();
  }

  goTo(step) {
    this.at = Math.max(0, Math.min(step, this.run.steps.length));
    this.preview = null;
    this.draw();
  }

  pauseAt(step) {
    this.setPlaying(false);
    this.goTo(step);
  }

  showPreview(mask) {
    this.#stopTimer();
    Object.assign(this, { preview: mask, playing: false, at: this.run.steps.length });
    this.draw();
  }

  // The next tick, at the pace that was chosen, counted from the last one.
  #wait() {
    const due = this.#last + PACE / this.speed();
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, due - performance.now()));
  }

  #tick() {
    this.#timer = 0;
    if (!this.playing) return;
    this.#last = performance.now();
    if (this.at < this.run.steps.length) this.goTo(this.at + 1);
    if (this.at < this.run.steps.length) this.#wait();
    else if (this.run.end) this.setPlaying(false); // otherwise the next step that arrives goes on
  }

  #stopTimer() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }
}
