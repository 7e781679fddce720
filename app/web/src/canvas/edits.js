// A person's edits of a mask. Every edit pins; every edit, a bulk one too, is one step of undo. Apart from the DOM.

/** Tokens a to b, both included, in order. */
export function range(a, b) {
  const [first, last] = a < b ? [a, b] : [b, a];
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

export class Edits {
  undone = []; // what redo does again
  done = []; // what undo takes back: lists of [token, mask before, pin before, mask after, pin after]
  cursor = 0;
  anchor = 0; // the other end of the selection; equal to the cursor: none
  brush = null; // { from, to, keep } while a range is painted
  moved = new Set(); // tokens that the model moved last

  /** mask: 1 = kept; pin: 1 = fixed by the person. */
  constructor(mask, pin) {
    this.mask = Uint8Array.from(mask);
    this.pin = Uint8Array.from(pin);
  }

  /** From the model's mask and the pins of a document ("..kD"), of which K and D are the person's. */
  static of(mask, pins) {
    return new Edits(mask, Array.from(pins, (mark) => (mark === 'K' || mark === 'D' ? 1 : 0)));
  }

  /** "0110" */
  get maskText() {
    return this.mask.join('');
  }

  /** "..K.D" */
  get pinText() {
    return Array.from(this.pin, (pin, i) => (pin ? (this.mask[i] ? 'K' : 'D') : '.')).join('');
  }

  get selection() {
    return range(this.anchor, this.cursor);
  }

  /** Apply [token, mask, pin] changes as one undoable edit; returns whether anything changed. */
  change(changes) {
    const entries = [];
    for (const [i, mask, pin] of changes) {
      if (this.mask[i] === mask && this.pin[i] === pin) continue;
      entries.push([i, this.mask[i], this.pin[i], mask, pin]);
      [this.mask[i], this.pin[i]] = [mask, pin];
    }
    if (!entries.length) return false;
    this.done.push(entries);
    this.undone = [];
    this.moved = new Set();
    return true;
  }

  setKeep(tokens, keep) {
    return this.change(tokens.map((i) => [i, keep, 1]));
  }

  /** All of them kept: drop them; otherwise keep them. */
  toggle(tokens) {
    return this.setKeep(tokens, tokens.every((i) => this.mask[i] === 1) ? 0 : 1);
  }

  togglePin(tokens) {
    const pin = tokens.every((i) => this.pin[i] === 1) ? 0 : 1;
    return this.change(tokens.map((i) => [i, this.mask[i], pin]));
  }

  undo() {
    return this.#step(this.done, this.undone, 1);
  }

  redo() {
    return this.#step(this.undone, this.done, 3);
  }

  // Take the last edit of one list over to the other; at: where the mask to set stands in its entries.
  #step(from, to, at) {
    const entries = from.pop();
    if (!entries) return false;
    for (const entry of entries) [this.mask[entry[0]], this.pin[entry[0]]] = [entry[at], entry[at + 1]];
    to.push(entries);
    this.moved = new Set();
    return true;
  }

  /** The model decided again around the pins: one edit. Returns the tokens that moved, as { kept, dropped }. */
  takeOver(mask) {
    const moved = [...mask.keys()].filter((i) => this.mask[i] !== mask[i]);
    this.change(moved.map((i) => [i, mask[i], this.pin[i]]));
    this.moved = new Set(moved);
    return { kept: moved.filter((i) => mask[i] === 1), dropped: moved.filter((i) => mask[i] !== 1) };
  }

  /** An earlier state ("0110", "..K.") of the same prompt as one edit; one of another length is left alone. */
  restore(maskText, pinText) {
    if (maskText.length !== this.mask.length || pinText.length !== this.pin.length) return false;
    return this.change(Array.from(maskText, (bit, i) => [i, Number(bit), pinText[i] === '.' ? 0 : 1]));
  }

  /** Put the cursor on a token; extend: the selection grows or shrinks to it. */
  moveTo(i, extend) {
    this.cursor = Math.max(0, Math.min(this.mask.length - 1, i));
    if (!extend) this.anchor = this.cursor;
  }

  /** From the anchor to token i everything becomes as the anchor is. */
  extendTo(i) {
    const changed = this.setKeep(range(this.anchor, i), this.mask[this.anchor]);
    this.cursor = this.anchor = i;
    return changed;
  }

  /** Paint a range: it becomes the opposite of its first token once the brush is lifted. */
  startBrush(i) {
    this.cursor = this.anchor = i;
    this.brush = { from: i, to: i, keep: this.mask[i] ? 0 : 1 };
  }

  liftBrush() {
    const { from, to, keep } = this.brush;
    this.brush = null;
    this.cursor = this.anchor = to;
    return this.setKeep(range(from, to), keep);
  }
}
