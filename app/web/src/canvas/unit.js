// The chosen sentence, item or line: what it is, why it stays or goes, and what a person may do with it.
import { make, makeButton } from '../shared/dom.js';
import { unitAt } from './hint.js';
import { isBreak, shownToken } from './layout.js';

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
  const says = `At step ${at} the model gave it ${percent} % to be kept`;
  if (!end || at < steps.length || (percent >= 50) === kept) return `${says}.`;
  return `${says}; ${kept ? 'it stays, for there was room for it' : 'it goes, for what is likelier fills the length'}.`;
}

const codeOf = (character) => character.charCodeAt(0);

/**
 * Why a unit stays or goes at a step, as sentences. Pure.
 *
 * at: the step; isKept(i): whether token i is kept by then; why: of the end line, see app/explore/why.py.
 */
export function reasons({ doc, run }, { at: unit, first, last }, at, isKept) {
  const says = [];
  const why = run.end?.why ?? {};
  const rank = why.asked?.[unit];
  if (rank !== undefined) says.push(`Nearer to the ${why.to} than ${rank} % of the sentences and lines.`);
  const step = at > 0 ? run.steps[at - 1] : null;
  if (step) says.push(judged(likely(step, unit, first, last), at, isKept(first), run));
  const part = doc.shots.findIndex((shot) => shot.first <= first && first < shot.last);
  if (step && part >= 0) says.push(`${doc.shots[part].name} as a whole: ${Math.round(100 * step.shots[part])} %.`);
  const twin = (why.like?.[unit] ?? []).find((other) => isKept(doc.units[other][0]));
  if (twin !== undefined) {
    const [from, to] = doc.units[twin];
    says.push(`Said already by what is kept: “${textOf(doc, { first: from, last: to }).slice(0, 120)}”`);
  }
  const pinned = Array.from({ length: last - first }, (_, i) => doc.pins[first + i]).some((pin) => pin !== '.');
  if (pinned) says.push('Something of it is fixed, by a rule or by you.');
  return says;
}
