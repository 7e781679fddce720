// Two answers side by side: the lines of app/compare/comparison.py.
import { finder, makeTile, showError } from './shared/dom.js';
import { LineReader } from './shared/lines.js';

const VOTED = {
  left: 'Saved: left is better.',
  right: 'Saved: right is better.',
  equal: 'Saved: equally good.',
  neither: 'Saved: both are bad.',
};
const NAMES = ['Left answer', 'Right answer'];

export default function createCompare({ element, props, trigger, watch }) {
  const page = { find: finder(element), sides: [...element.querySelectorAll('.dc-side')] };
  const reader = new LineReader();
  const read = () => reader.read(props.value || '').forEach((line) => take(page, line));
  element.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-winner]');
    if (button) trigger('vote', { winner: button.dataset.winner });
  });
  watch('value', read);
  read();
}

function take(page, line) {
  if ('round' in line) begin(page);
  else if ('side' in line) showSide(page.sides[line.side], line);
  else if ('error' in line) showError(page.find('.dc-error'), line.error);
  else if ('say' in line) say(page, line.say);
  else if ('gain' in line) put(page.find('.dc-gain'), line.gain);
  else finish(page, line);
}

function begin({ find, sides }) {
  find('.dc').dataset.state = 'running';
  find('.dm-empty').hidden = true;
  find('.dc-sides').hidden = false;
  find('.dc-vote').hidden = find('.dc-gain').hidden = true;
  showError(find('.dc-error'), '');
  sides.forEach((side, at) => clearSide(finder(side), NAMES[at]));
}

function clearSide(find, name) {
  find('h3').textContent = '';
  find('.dc-answer').textContent = '';
  find('.dc-answer').setAttribute('aria-label', name);
  for (const part of ['.dm-error', '.dm-tiles', 'details']) find(part).hidden = true;
  find('details').open = false;
}

// What is new of one side: a piece of its answer, its name, the prompt that was sent, a failure, its figures.
function showSide(side, { piece, name, sent, error, tiles }) {
  const find = finder(side);
  if (piece !== undefined) addPiece(find('.dc-answer'), piece);
  if (name !== undefined) put(find('h3'), name);
  if (sent !== undefined) put(find('pre'), sent);
  if (sent !== undefined) find('details').hidden = false;
  if (error !== undefined) put(find('.dm-error'), error);
  if (tiles === undefined) return;
  find('.dm-tiles').replaceChildren(...tiles.map(([value, note]) => makeTile(value, note)));
  find('.dm-tiles').hidden = false;
}

function addPiece(answer, piece) {
  const text = answer.firstChild ? piece : piece.trimStart();
  if (text) answer.append(text);
  answer.scrollTop = answer.scrollHeight;
}

// The answers are there (ask: a vote is wanted), or the vote is.
function finish(page, { end, ask, voted }) {
  page.find('.dc').dataset.state = voted ? 'voted' : 'done';
  if (end !== undefined) say(page, end);
  if (ask) say(page, '');
  if (voted) say(page, VOTED[voted]);
  page.find('.dc-vote').hidden = !ask;
}

function say({ find }, text) {
  find('.dc-say').textContent = text;
}

function put(node, text) {
  node.textContent = text;
  node.hidden = false;
}
