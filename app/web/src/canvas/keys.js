// Correct by keyboard: everything can be done with it.
import { make } from '../shared/dom.js';
import { announce } from './panel.js';

const KEYS = [
  ['← → ↑ ↓', 'move from word to word'],
  ['shift + arrow', 'select a range'],
  ['space', 'keep or drop'],
  ['K · D', 'keep · drop'],
  ['P', 'pin or unpin'],
  ['Z · shift + Z', 'undo · redo'],
  ['R', 're-denoise around the pins'],
  ['Enter', 'submit and next'],
  ['Home · End', 'first · last word'],
  ['?', 'show or hide this list'],
  ['mouse', 'click: keep or drop · drag: paint a range · shift + click: extend the last one'],
];

export function fillKeys(find) {
  for (const [keys, meaning] of KEYS) {
    const row = make('tr');
    row.append(make('th', '', keys), make('td', '', meaning));
    find('.dm-keys tbody').append(row);
  }
}

export function toggleHelp(find) {
  const table = find('.dm-keys');
  table.hidden = !table.hidden;
  find('[data-act=help]').setAttribute('aria-expanded', String(!table.hidden));
}

/** Do what a key says; returns whether it says anything. */
export function onKey(correct, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return onShortcut(correct, event);
  const to = target(correct, event.key);
  if (to !== null) {
    moveCursor(correct, to, event.shiftKey);
    return true;
  }
  const act = action(correct, event);
  if (act) act();
  return Boolean(act);
}

function onShortcut(correct, event) {
  const letter = event.key.toLowerCase();
  if (event.altKey || !['z', 'y'].includes(letter)) return false;
  if (letter === 'y' || event.shiftKey) correct.redo();
  else correct.undo();
  return true;
}

// Where a key moves the cursor; null = it does not.
function target({ edits, canvas: { chips } }, key) {
  const { cursor } = edits;
  switch (key) {
    case 'ArrowLeft': return cursor - 1;
    case 'ArrowRight': return cursor + 1;
    case 'ArrowUp': return chips.neighbour(cursor, -1);
    case 'ArrowDown': return chips.neighbour(cursor, 1);
    case 'Home': return 0;
    case 'End': return chips.spans.length - 1;
    default: return null;
  }
}

function action(correct, event) {
  const { edits, acts, canvas: { find } } = correct;
  const { selection } = edits;
  const escape = () => {
    if (!find('.dm-keys').hidden) toggleHelp(find);
    moveCursor(correct, edits.cursor, false);
  };
  return {
    ' ': () => correct.edited(edits.toggle(selection)),
    k: () => correct.edited(edits.setKeep(selection, 1)),
    d: () => correct.edited(edits.setKeep(selection, 0)),
    p: acts.pin,
    z: event.shiftKey ? acts.redo : acts.undo,
    r: acts.redenoise,
    enter: acts.submit,
    '?': acts.help,
    escape,
  }[event.key.toLowerCase()];
}

function moveCursor(correct, to, extend) {
  const { edits, canvas } = correct;
  edits.moveTo(to, extend);
  correct.redraw();
  const span = canvas.chips.spans[edits.cursor];
  span.scrollIntoView({ block: 'nearest' });
  const state = edits.mask[edits.cursor] ? 'kept' : 'dropped';
  announce(canvas, `${span.textContent}, ${state}${edits.pin[edits.cursor] ? ', pinned' : ''}`);
}
