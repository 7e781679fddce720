// The panel beside Copy: what the mask costs. Its lines lead to their places; a place is kept, or freed, by a click.
import { number, percent } from '../shared/format.js';
import { make, makeButton } from '../shared/dom.js';
import { compressedText } from './layout.js';

const ACTS = { keep: 'Keep this', free: 'Let go' };

/** Show a verdict, as app.components.verdict.py sends it, of a mask that keeps so many tokens. */
export function showVerdict(canvas, { level, headline, lines, rules, clean }, kept = canvas.run.end.kept) {
  const { find, say } = canvas;
  find('.dm-verdict').hidden = false;
  find('.dm-verdict').dataset.level = level;
  say('.dm-verdict-head', headline);
  showLengths(canvas, kept);
  find('.dm-verdict-lines').replaceChildren(...lines.map(buildLine));
  find('.dm-clean').hidden = !rules.length;
  find('.dm-clean').dataset.fix = rules.map((span) => span.join('-')).join(' ');
  const needs = clean > askedPercent(canvas.doc) ? ` (needs ${clean} %)` : '';
  say('.dm-clean', `Keep the task and all rules${needs}`);
}

const askedPercent = (doc) => doc.setup?.retention ?? Math.round(100 * doc.retention);

/** What was asked and what is kept. */
export function showLengths({ doc, run, say }, kept = run.end.kept) {
  const n = doc.tokens.length;
  const asked = doc.setup?.auto ? 'as short as the model is sure of' : `asked ${askedPercent(doc)} %`;
  say('.dm-length', `${asked}, kept ${percent(kept, n)}: ${number(kept)} of ${number(n)} words and marks`);
}

function buildLine({ level, text, places, more, act }) {
  if (!places.length) return make('p', `dm-line is-${level}`, text);
  const box = make('details', `dm-line is-${level}`);
  const list = make('ul');
  list.append(...places.map((place) => buildPlace(place, act)));
  if (more) list.append(make('li', 'dm-more', `and ${number(more)} more`));
  box.append(make('summary', '', text), list);
  box.open = level !== 'note';
  return box;
}

function buildPlace({ text, first, last }, act) {
  const item = make('li');
  const [go, fix] = [makeButton('dm-go', text), makeButton('dm-fix', ACTS[act])];
  go.title = 'Show it in the prompt';
  go.dir = 'auto';
  go.dataset.go = `${first}-${last}`;
  fix.dataset.fix = `${first}-${last}`;
  fix.dataset.mark = act === 'keep' ? 'K' : '.';
  fix.setAttribute('aria-label', `${ACTS[act]}: ${text}`);
  item.append(go, fix);
  return item;
}

/** "3-5 9-12" -> [[3, 5], [9, 12]] */
export const spansOf = (text) => text.split(' ').map((span) => span.split('-').map(Number));

/** A person's pins, with some tokens fixed (mark "K") or freed ("."). pins: a document's, those of rules among them. */
export function marksWith(pins, spans, mark) {
  const marks = Array.from(pins, (pin) => (pin === 'K' || pin === 'D' ? pin : '.'));
  for (const [first, last] of spans) marks.fill(mark, first, last);
  return marks.join('');
}

/** What stood in the text box: the whole prompt, or the messages that it was made of. */
export const wholeText = (doc) => doc.source ?? compressedText(doc, () => true);
