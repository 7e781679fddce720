// The keyboard. In Correct everything can be done with it; in Explore it drives the player.

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

function fillKeys() {
  for (const [keys, meaning] of KEYS) {
    const row = document.createElement('tr');
    const [head, cell] = [document.createElement('th'), document.createElement('td')];
    head.textContent = keys;
    cell.textContent = meaning;
    row.append(head, cell);
    $('.dm-keys tbody').append(row);
  }
}

function toggleHelp() {
  const table = $('.dm-keys');
  table.hidden = !table.hidden;
  $('[data-act=help]').setAttribute('aria-expanded', String(!table.hidden));
}

// The token nearest below (1) or above (-1) the one at i.
function inLine(i, way) {
  const from = spans[i].getBoundingClientRect();
  const middle = from.left + from.width / 2;
  let best = i;
  let bestAway = Infinity;
  let line = null; // top of the next line
  for (let j = i + way; j >= 0 && j < spans.length && Math.abs(j - i) < 400; j += way) {
    const at = spans[j].getBoundingClientRect();
    if (!at.width || Math.abs(at.top - from.top) < at.height / 2) continue; // folded away, or the same line
    if (line === null) line = at.top;
    if (Math.abs(at.top - line) > at.height / 2) break;
    const away = Math.abs(at.left + at.width / 2 - middle);
    if (away < bestAway) [best, bestAway] = [j, away];
  }
  return best;
}

function moveCursor(to, extend) {
  edit.cursor = Math.max(0, Math.min(spans.length - 1, to));
  if (!extend) edit.anchor = edit.cursor;
  drawEdit();
  const span = spans[edit.cursor];
  span.scrollIntoView({ block: 'nearest' });
  announce(span.textContent + ', ' + (edit.mask[edit.cursor] ? 'kept' : 'dropped') + (pinned(edit.cursor) ? ', pinned' : ''));
}

function onEditKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    const letter = event.key.toLowerCase();
    if (event.altKey || !['z', 'y'].includes(letter)) return false;
    (letter === 'y' || event.shiftKey ? redo : undo)();
    return true;
  }
  const { cursor } = edit;
  const moves = {
    ArrowLeft: () => cursor - 1,
    ArrowRight: () => cursor + 1,
    ArrowUp: () => inLine(cursor, -1),
    ArrowDown: () => inLine(cursor, 1),
    Home: () => 0,
    End: () => spans.length - 1,
  };
  if (moves[event.key]) {
    moveCursor(moves[event.key](), event.shiftKey);
    return true;
  }
  const acts = {
    ' ': () => toggle(selection()),
    k: () => setKeep(selection(), 1),
    d: () => setKeep(selection(), 0),
    p: () => togglePin(selection()),
    z: () => (event.shiftKey ? redo() : undo()),
    r: () => ask('redenoise'),
    enter: () => ask('submit'),
    '?': toggleHelp,
    escape: () => { if (!$('.dm-keys').hidden) toggleHelp(); moveCursor(cursor, false); },
  };
  const act = acts[event.key.toLowerCase()];
  if (act) act();
  return Boolean(act);
}

function onPlayerKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const acts = {
    ' ': () => setPlaying(!player.playing),
    ArrowLeft: () => pauseAt(player.at - 1),
    ArrowRight: () => pauseAt(player.at + 1),
    Home: () => pauseAt(0),
    End: () => pauseAt(run.steps.length),
  };
  if (acts[event.key]) acts[event.key]();
  return Boolean(acts[event.key]);
}

function pauseAt(step) {
  setPlaying(false);
  goTo(step);
}
