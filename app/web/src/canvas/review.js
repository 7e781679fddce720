// Review: a stored correction, read only: the model's mask, the person's, and their difference.
import { number } from '../shared/format.js';
import { announce, showCompressed, showCounts } from './panel.js';
import { DROP, KEEP } from './run.js';

const MASKS = ['difference', 'model', 'person'];

export class Review {
  role = 'group';
  label = 'Prompt';
  #changed = []; // tokens that the person decided otherwise
  #at = -1; // which of them was jumped to last
  acts = {
    difference: () => this.show('difference'),
    model: () => this.show('model'),
    person: () => this.show('person'),
    before: () => this.jump(-1),
    after: () => this.jump(1),
  };

  constructor(canvas) {
    this.canvas = canvas;
  }

  #byModel = (i) => this.canvas.run.keep[i] === 1;
  #byPerson = (i) => this.canvas.run.end.human[i] === '1';

  onMasks({ model, human }) {
    this.#changed = Array.from(model, (_, i) => i).filter((i) => model[i] !== human[i]);
    this.#at = -1;
    this.canvas.setState('done');
    this.show('difference');
  }

  /** shown: one of MASKS. */
  show(shown) {
    const { canvas } = this;
    for (const name of MASKS) canvas.find(`[data-act=${name}]`).setAttribute('aria-pressed', String(name === shown));
    const isKept = shown === 'model' ? this.#byModel : this.#byPerson;
    const state = (i) => (isKept(i) ? KEEP : DROP);
    this.#paint(shown, state);
    showCounts(canvas, state);
    if (shown === 'difference') canvas.say('.dm-counts', this.#summary());
    showCompressed(canvas, isKept, shown === 'model' ? 'Compressed by the model' : 'Corrected prompt');
    for (const name of ['before', 'after']) canvas.find(`[data-act=${name}]`).disabled = !this.#changed.length;
  }

  #paint(shown, state) {
    const { chips, run } = this.canvas;
    const differs = (i) => shown === 'difference' && this.#byPerson(i) !== this.#byModel(i);
    const pin = (i) => (shown !== 'model' && run.end.pins[i] !== '.' ? 'pin' : '');
    chips.paint((i) => {
      if (differs(i)) return [state(i), 5, this.#byPerson(i) ? 'plus' : 'minus'];
      return [state(i), 1, pin(i)];
    });
  }

  #summary() {
    const changed = this.#changed.length;
    if (!changed) return 'The person left the mask as it was.';
    const added = this.#changed.filter(this.#byPerson).length;
    const total = number(this.canvas.doc.tokens.length);
    return `+${number(added)} kept · −${number(changed - added)} dropped by the person of ${total} words and marks`;
  }

  /** To the next change (1) or the one before (-1), round and round. */
  jump(way) {
    const changed = this.#changed;
    this.#at = (Math.max(this.#at, way < 0 ? 0 : -1) + way + changed.length) % changed.length;
    const i = changed[this.#at];
    const span = this.canvas.chips.spans[i];
    span.scrollIntoView({ block: 'center' });
    announce(this.canvas, `${span.textContent}, ${this.#byPerson(i) ? 'kept' : 'dropped'} by the person`);
  }
}
