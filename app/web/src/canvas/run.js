// What the model has said of a document so far. Pure.

export const [OPEN, KEEP, DROP] = [0, 1, 2];
const UNKNOWN = 20; // stands in for the confidence, which the store does not keep

export class Run {
  /** doc: the document line. */
  constructor(doc) {
    const n = doc.tokens.length;
    this.when = new Int16Array(n).fill(-1); // step that decided a token, 0 = pinned, -1 = not yet
    this.keep = new Uint8Array(n);
    this.sure = new Uint8Array(n).fill(255); // confidence, 0-255
    this.steps = []; // step lines
    this.end = null; // end line; of a stored correction the line with its masks
    for (let i = 0; i < n; i++) {
      if (doc.pins[i] === '.') continue;
      this.when[i] = 0;
      this.keep[i] = doc.pins[i].toLowerCase() === 'k' ? 1 : 0;
    }
  }

  addStep(line) {
    const sure = bytes(line.sure);
    this.steps.push(line);
    line.decided.forEach((i, at) => {
      this.when[i] = line.step;
      this.keep[i] = line.keep[at] === '1' ? 1 : 0;
      this.sure[i] = sure[at];
    });
  }

  /** The masks of a stored correction stand for steps and end. */
  addMasks(line) {
    this.when.fill(1);
    this.keep = Uint8Array.from(line.model, Number);
    this.sure.fill(UNKNOWN);
    this.end = line;
  }

  /** OPEN, KEEP or DROP: token i after a step. */
  stateAt(i, step) {
    const when = this.when[i];
    if (when < 0 || when > step) return OPEN;
    return this.keep[i] ? KEEP : DROP;
  }
}

const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
