// The runs of this visit: each can be gone back to, and the last can be undone.
import { number } from '../shared/format.js';
import { wholeText } from './verdict.js';

const MOST = 20;

export class History {
  #canvas;
  #runs = []; // { setup, label }, the oldest first
  #at = -1; // which of them is shown
  #wanted = -1; // which of them was asked for

  constructor(canvas) {
    this.#canvas = canvas;
    canvas.find('.dm-runs select').addEventListener('change', (event) => this.#recall(Number(event.target.value)));
  }

  acts = { 'undo-run': () => this.#recall(this.#at - 1) };

  /** A run has ended. doc: its document line; run: what came of it. */
  add(doc, run) {
    if (!doc.setup) return;
    const entry = { setup: { ...doc.setup, text: wholeText(doc) }, label: labelOf(doc, run) };
    const same = (i) => i >= 0 && JSON.stringify(this.#runs[i]?.setup) === JSON.stringify(entry.setup);
    if (same(this.#wanted)) this.#at = this.#wanted;
    else if (!same(this.#at)) {
      this.#runs = [...this.#runs, entry].slice(-MOST);
      this.#at = this.#runs.length - 1;
    }
    this.#wanted = -1;
    this.#draw();
  }

  #recall(at) {
    if (!this.#runs[at]) return;
    this.#wanted = at;
    this.#canvas.trigger('recall', this.#runs[at].setup);
  }

  #draw() {
    const box = this.#canvas.find('.dm-runs');
    box.hidden = this.#runs.length < 2;
    const options = this.#runs.map(({ label }, i) => new Option(`${i + 1}. ${label}`, i, false, i === this.#at));
    box.querySelector('select').replaceChildren(...options);
    box.querySelector('[data-act=undo-run]').disabled = this.#at < 1;
  }
}

function labelOf(doc, { end }) {
  const start = wholeText(doc).slice(0, 60).replace(/\s+/g, ' ').slice(0, 24);
  const verdict = { good: 'good', look: 'to look at', bad: 'not to send' }[end.verdict?.level] ?? '';
  const length = `${doc.setup.auto ? 'auto, ' : ''}${doc.setup.retention} %`;
  return `${length}: ${number(doc.tokens.length)} → ${number(end.kept)}, ${verdict} · ${start}…`;
}
