// Correct: a person's edits on top of the model's mask; they are sent as a draft, to be denoised around, or for good.
import { number } from '../shared/format.js';
import { shade } from './chips.js';
import { Draft } from './draft.js';
import { Edits, range } from './edits.js';
import { fillKeys, onKey, toggleHelp } from './keys.js';
import { showCounts, showResult } from './panel.js';
import { listenToPointer } from './pointer.js';
import { DROP, KEEP, OPEN } from './run.js';
import { UnitCard } from './unit.js';
import { showVerdict, spansOf } from './verdict.js';

export class Correct {
  role = 'application';
  label = 'Prompt; press ? for the keys';
  edits = new Edits([], []);
  #since = 0; // when the person began, for the time spent
  #waiting = ''; // what the server was asked for
  #judged = ''; // the mask that the verdict is of
  #draft = new Draft(() => this.canvas.trigger('draft', this.#work()));

  acts = {
    undo: () => this.undo(),
    redo: () => this.redo(),
    pin: () => this.edited(this.edits.togglePin(this.edits.selection)),
    help: () => toggleHelp(this.canvas.find),
    redenoise: () => this.ask('redenoise'),
    submit: () => this.ask('submit'),
    restore: () => this.canvas.trigger('restore', {}),
    discard: () => this.canvas.trigger('discard', {}),
    'unit-keep': () => this.edited(this.edits.setKeep(this.#unitTokens(), 1)),
    'unit-drop': () => this.edited(this.edits.setKeep(this.#unitTokens(), 0)),
    'unit-free': () => this.#freeUnit(),
  };

  constructor(canvas) {
    this.canvas = canvas;
    fillKeys(canvas.find);
    canvas.find('.dm-note').addEventListener('input', () => canvas.run?.end && this.#planDraft());
    this.unit = new UnitCard(canvas);
    Object.assign(this.acts, this.unit.acts);
    canvas.find('.dm-unit-words').addEventListener('click', ({ target }) => {
      if (target.dataset.word !== undefined) this.edited(this.edits.toggle([Number(target.dataset.word)]));
    });
    listenToPointer(canvas, this);
  }

  onDocument(isSame) {
    if (isSame && this.#waiting === 'redenoise') return;
    const { chips, doc, find, say } = this.canvas;
    const n = doc.tokens.length;
    this.#draft.cancel();
    this.#draft.forget();
    this.unit.close();
    this.edits = new Edits(new Uint8Array(n), new Uint8Array(n));
    this.#since = Date.now();
    this.#waiting = '';
    say('.dm-moved', 'The model is reading the prompt …');
    if (find('.dm').dataset.state !== 'saved') say('.dm-saved', ''); // else it says so of the prompt before
    say('.dm-out', '');
    find('.dm-verdict').hidden = true;
    chips.paint(() => [OPEN, 0, '']);
    this.canvas.setState('denoising');
  }

  onEnd() {
    this.#takeDecision();
    const { run } = this.canvas;
    if (run.end.verdict) this.onJudged(run.end.verdict, run.keep.join(''));
    this.redraw();
  }

  /** A button of the verdict: go to a place, or keep or free some, which is an edit like any other. */
  onPlace({ go, fix, mark }) {
    const { chips, run } = this.canvas;
    if (go) chips.reveal(...spansOf(go)[0]);
    if (!fix || !run.end) return;
    const tokens = spansOf(fix).flatMap(([first, last]) => range(first, last - 1));
    this.edited(mark === 'K' ? this.edits.setKeep(tokens, 1) : this.edits.togglePin(tokens));
    chips.reveal(tokens[0], tokens.at(-1) + 1);
  }

  // An earlier correction of the prompt that was just opened: the person's edits are put back as one edit.
  onMasks({ human, pins, note, seconds, said }) {
    this.#takeDecision();
    if (human.length === this.edits.mask.length && pins.length === human.length) {
      this.#clearMessages(this.edits.restore(human, pins));
      this.canvas.find('.dm-note').value = note || '';
      this.#since -= 1000 * (seconds || 0);
    }
    this.redraw();
    this.#draft.cancel(); // it is in the store already
    this.canvas.say('.dm-moved', said);
  }

  #takeDecision() {
    const { run, doc } = this.canvas;
    if (this.#waiting === 'redenoise') this.#showMoved(this.edits.takeOver(run.keep));
    else {
      this.edits = Edits.of(run.keep, doc.pins);
      this.canvas.say('.dm-moved', '');
    }
    this.#waiting = '';
    this.canvas.setState('done');
  }

  #showMoved({ kept, dropped }) {
    const { say, chips } = this.canvas;
    const moved = kept.length + dropped.length;
    const list = (tokens, verb) => tokens.length ? [`${number(tokens.length)} now ${verb} ${chips.quote(tokens)}`] : [];
    const lists = [...list(kept, 'kept'), ...list(dropped, 'dropped')].join(' · ');
    if (moved) say('.dm-saved', '');
    say('.dm-moved', moved
      ? `The model moved ${number(moved)}: ${lists}`
      : 'The model moved nothing: with your pins it decides the same.');
  }

  onSaved(message) {
    const { find, say } = this.canvas;
    this.#waiting = '';
    this.canvas.setState('saved');
    say('.dm-saved', message);
    find('.dm-note').value = '';
    this.#draft.forget();
  }

  onDrafted(message) {
    const { find, say } = this.canvas;
    if (!this.#waiting && find('.dm').dataset.state !== 'saved') say('.dm-saved', message);
  }

  /** What a mask ("0110") costs; edits since then make it old. */
  onJudged(verdict, mask) {
    this.#judged = mask;
    showVerdict(this.canvas, verdict, mask.replaceAll('0', '').length);
    this.#markOld();
  }

  #markOld() {
    this.canvas.find('.dm-verdict').classList.toggle('is-old', this.#judged !== this.edits.maskText);
  }

  // There is a draft to go on with ("" = none): said as long as no prompt is open.
  onOffer(start) {
    this.canvas.find('.dm-draft').hidden = !start;
    this.canvas.find('.dm-draft-start').textContent = start;
  }

  onRefused() {
    this.#waiting = '';
    this.canvas.say('.dm-saved', '');
    this.canvas.say('.dm-moved', '');
    this.canvas.setState('refused');
  }

  onShot({ first, last }) {
    if (this.canvas.run.end) this.edited(this.edits.toggle(range(first, last - 1)));
  }

  onKey(event) {
    return Boolean(this.canvas.run.end) && onKey(this, event);
  }

  /** Draw after an edit. changed: whether it changed anything. */
  edited(changed) {
    this.#clearMessages(changed);
    this.redraw();
  }

  /** A finger has tapped on a token. */
  chooseUnit(i) {
    if (this.unit.choose(i)) this.redraw();
    this.canvas.find('.dm-unit').scrollIntoView({ block: 'nearest' });
  }

  #unitTokens() {
    const { first, last } = this.unit.unit;
    return range(first, last - 1);
  }

  #freeUnit() {
    const pinned = this.#unitTokens().filter((i) => this.edits.pin[i]);
    if (pinned.length) this.edited(this.edits.togglePin(pinned));
  }

  #clearMessages(changed) {
    if (!changed) return;
    this.canvas.say('.dm-moved', '');
    this.canvas.say('.dm-saved', '');
  }

  undo() {
    this.#stepped(this.edits.undo());
  }

  redo() {
    this.#stepped(this.edits.redo());
  }

  #stepped(changed) {
    if (!changed) return;
    this.canvas.say('.dm-moved', '');
    this.redraw();
  }

  /** Send the edits. what: "redenoise" or "submit". */
  ask(what) {
    const { run, say, trigger } = this.canvas;
    if (!run?.end || this.#waiting) return;
    this.#waiting = what;
    this.canvas.setState(what);
    if (what === 'submit') {
      say('.dm-saved', 'Sending…');
      this.#draft.cancel();
    } else say('.dm-moved', 'Denoising around your pins…');
    trigger(what, this.#work());
  }

  // What the person has done, as the server takes it.
  #work() {
    const { doc, find } = this.canvas;
    const seconds = Math.round((Date.now() - this.#since) / 100) / 10;
    const { maskText: mask, pinText: pins } = this.edits;
    return { mask, pins, note: find('.dm-note').value, seconds, correction: doc.correction || doc.run };
  }

  #planDraft() {
    this.#draft.plan(this.edits.done.length > 0 || this.canvas.find('.dm-note').value !== '');
  }

  redraw() {
    if (!this.canvas.run?.end) return;
    drawChips(this.canvas, this.edits);
    if (this.unit.unit) this.unit.showWords((i) => this.edits.mask[i]);
    if (this.edits.brush) return; // counts and text follow when the brush is lifted
    drawResult(this.canvas, this.edits);
    this.#markOld();
    this.#planDraft();
  }
}

function drawChips({ chips, run }, { mask, pin, cursor, anchor, brush, moved }) {
  const [low, high] = anchor < cursor ? [anchor, cursor] : [cursor, anchor];
  const [first, last] = brush ? [Math.min(brush.from, brush.to), Math.max(brush.from, brush.to)] : [1, 0];
  chips.paint((i) => {
    const painted = i >= first && i <= last;
    const keep = painted ? brush.keep : mask[i];
    const extra = [
      pin[i] || painted ? 'pin' : '',
      painted ? 'brush' : '',
      moved.has(i) ? 'moved' : '',
      low < high && i >= low && i <= high ? 'sel' : '',
      i === cursor ? 'cur' : '',
    ];
    return [keep ? KEEP : DROP, pin[i] || painted ? 3 : shade(run.sure[i]), extra.filter(Boolean).join(' ')];
  });
}

function drawResult(canvas, { mask, pin, done, undone }) {
  const { doc, find } = canvas;
  const pins = pin.reduce((sum, one) => sum + one, 0);
  const asked = Math.round(100 * doc.retention);
  showCounts(canvas, (i) => (mask[i] ? KEEP : DROP), ` · asked ${asked} % · ${number(pins)} pinned by you`);
  showResult(canvas, (i) => mask[i] === 1, 'Corrected prompt');
  find('[data-act=undo]').disabled = !done.length;
  find('[data-act=redo]').disabled = !undone.length;
}
