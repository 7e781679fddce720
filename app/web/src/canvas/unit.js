// The chosen sentence, item or line: what it is, why it stays or goes, and what a person may do with it.
import { make, makeButton } from '../shared/dom.js';
import { range } from './edits.js';
import { isBreak, shownToken } from './layout.js';

/** The innermost unit of a token, -1 = none. units: [first, last] of each, in the order of their tree. */
export const unitAt = (units, i) => units.findLastIndex(([first, last]) => first <= i && i < last);

const KINDS = { sentence: 'Sentence', item: 'Item', line: 'Line', member: 'Entry', row: 'Row', record: 'Record' };

export class UnitCard {
  #canvas;
  unit = null; // { at, first, last }: the chosen one

  constructor(canvas) {
    this.#canvas = canvas;
  }

  acts = { 'unit-close': () => this.close() };

  /** Choose the unit of a token. Returns whether there is one. */
  choose(token) {
    const { units } = this.#canvas.doc;
    const at = unitAt(units, token);
    if (at < 0) return false;
    const [first, last] = units[at];
    this.close();
    this.unit = { at, first, last };
    for (let i = first; i < last; i++) this.#canvas.chips.spans[i].dataset.unit = '';
    this.#canvas.find('.dm-unit').hidden = false;
    this.#canvas.say('.dm-unit-title', this.#title());
    return true;
  }

  /** The unit after (way 1) or before (-1) the chosen one; without one, the first. */
  step(way) {
    const { units } = this.#canvas.doc;
    const isLeaf = ({ first, at }) => unitAt(units, first) === at;
    const leaves = units.map(([first, last], at) => ({ first, last, at })).filter(isLeaf);
    if (!leaves.length) return;
    const now = leaves.findIndex(({ at }) => at === this.unit?.at);
    const next = leaves[now < 0 ? 0 : Math.max(0, Math.min(leaves.length - 1, now + way))];
    this.choose(next.first);
    this.#canvas.chips.spans[next.first].scrollIntoView({ block: 'nearest' });
  }

  close() {
    if (!this.unit) return;
    for (let i = this.unit.first; i < this.unit.last; i++) delete this.#canvas.chips.spans[i]?.dataset.unit;
    this.unit = null;
    this.#canvas.find('.dm-unit').hidden = true;
  }

  #title() {
    const { units, shots } = this.#canvas.doc;
    const { at, first } = this.unit;
    const kind = KINDS[units[at][2]] ?? 'Passage';
    const part = shots.find((shot) => shot.first <= first && first < shot.last);
    return part ? `${kind} in ${part.name}` : kind;
  }

  /** Show its text, with sentences about why. */
  explain(sentences) {
    const { doc, find, say } = this.#canvas;
    say('.dm-unit-text', textOf(doc, this.unit));
    find('.dm-unit-why').replaceChildren(...sentences.map((text) => make('li', '', text)));
  }

  /** Show its words as buttons that are large enough for a finger. isKept(i): whether word i is. */
  showWords(isKept) {
    const { doc, find } = this.#canvas;
    const buttons = [];
    for (let i = this.unit.first; i < this.unit.last; i++) {
      if (isBreak(doc, i)) continue;
      const button = makeButton(`t ${isKept(i) ? 'k' : 'd'} c3`, shownToken(doc, i));
      button.dataset.word = i;
      button.setAttribute('aria-pressed', String(Boolean(isKept(i))));
      buttons.push(button);
    }
    find('.dm-unit-words').replaceChildren(...buttons);
  }
}

function textOf(doc, { first, last }) {
  const parts = [];
  for (let i = first; i < last && parts.length < 200; i++) parts.push(i > first ? doc.gaps[i] : '', doc.tokens[i]);
  return parts.join('').trim();
}

// How likely it is to be kept, in percent; where units are not judged, the mean of its words.
function likely({ units, probability }, unit, first, last) {
  const shares = units ? [atob(units).charCodeAt(unit)] : Array.from(atob(probability).slice(first, last), codeOf);
  return Math.round(shares.reduce((sum, byte) => sum + byte, 0) / shares.length / 2.55);
}

// What the model thought of it at a step, and why it nevertheless went the other way.
function judged(percent, at, kept, { steps, end }) {
  const says = `At step ${at} the model gives it a chance of ${percent} % to stay`;
  if (!end || at < steps.length || (percent >= 50) === kept) return `${says}.`;
  return `${says}; ${kept ? 'it stays, for there was room' : 'it goes, for what is likelier fills the length'}.`;
}

const partly = ({ name }, chance) => `All of ${name} has a chance of ${Math.round(100 * chance)} %.`;

const codeOf = (character) => character.charCodeAt(0);

/**
 * Why a unit stays or goes at a step, as sentences. Pure.
 *
 * at: the step; isKept(i): whether token i is kept by then; why: of the end line, see app/explore/why.py.
 */
export function reasons({ doc, run }, { at: unit, first, last }, at, isKept) {
  const part = doc.shots.findIndex((shot) => shot.first <= first && first < shot.last);
  const { says: byWhom, isWhole } = fixed(doc, first, last);
  const says = byWhom ? [byWhom] : [];
  const why = run.end?.why ?? {};
  const step = at > 0 ? run.steps[at - 1] : null;
  if (step && !isWhole) says.push(judged(likely(step, unit, first, last), at, isKept(first), run));
  const rank = why.asked?.[unit];
  if (rank !== undefined) says.push(`It is nearer to the ${why.to} than ${rank} % of the sentences and lines.`);
  if (step && part >= 0 && !isWhole) says.push(partly(doc.shots[part], step.shots[part]));
  const twin = (why.like?.[unit] ?? []).find((other) => isKept(doc.units[other][0]));
  if (twin !== undefined) {
    const [from, to] = doc.units[twin];
    says.push(`Said already by what is kept: “${textOf(doc, { first: from, last: to }).slice(0, 120)}”`);
  }
  return says;
}

// What is fixed of it, and by whom; "" = nothing. isWhole: whether all of it is, so that the model has no say.
function fixed(doc, first, last) {
  const marks = range(first, last - 1).filter((i) => !isBreak(doc, i)).map((i) => doc.pins[i]);
  const pinned = marks.filter((mark) => mark !== '.');
  if (!pinned.length) return { says: '', isWhole: false };
  const isWhole = pinned.length === marks.length;
  const by = pinned.some((mark) => 'KD'.includes(mark)) ? 'you' : 'the setting “Always keep”';
  const what = pinned.every((mark) => 'kK'.includes(mark)) ? 'kept' : 'dropped';
  return { says: isWhole ? `Always ${what}, by ${by}.` : `Some of its words are fixed by ${by}.`, isWhole };
}

/** What is said of a token under the pointer: when it was decided, and why its unit stays or goes. As `reasons`. */
export function hint(canvas, i, at, isKept) {
  const { doc, run } = canvas;
  if (!at || !run.steps.length) return '';
  const unit = unitAt(doc.units, i);
  if (unit < 0) return decision(run, i, at);
  const [first, last] = doc.units[unit];
  return [decision(run, i, at), ...reasons(canvas, { at: unit, first, last }, at, isKept)].filter(Boolean).join('\n');
}

function decision(run, i, at) {
  const when = run.when[i];
  if (when === 0) return '';
  if (when < 0 || when > at) return 'Not decided yet.';
  return `${run.keep[i] ? 'Kept' : 'Dropped'} in step ${when}.`;
}
