// Answers side by side, question by question: the lines of app/compare/comparison.py.
import { finder, make, showError } from './shared/dom.js';
import { LineReader } from './shared/lines.js';

const VOTED = {
  left: 'Saved: left is better.',
  right: 'Saved: right is better.',
  equal: 'Saved: equally good.',
  neither: 'Saved: both are bad.',
};
const PLACES = ['Left', 'Right'];

export default function createCompare({ element, props, trigger, watch }) {
  const page = { find: finder(element), sides: [] };
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
  if ('comparison' in line) begin(page, line);
  else if ('side' in line) showSide(page.sides[line.round][line.side], line);
  else if ('error' in line) showError(page.find('.dc-error'), line.error);
  else if ('say' in line) say(page, line.say);
  else if ('gain' in line) put(page.find('.dc-gain'), line.gain);
  else finish(page, line);
}

// A new comparison: a row of empty sides for each question.
function begin(page, { blind, questions, sides }) {
  const { find } = page;
  find('.dc').dataset.state = 'running';
  find('.dm-empty').hidden = true;
  find('.dc-vote').hidden = find('.dc-gain').hidden = true;
  showError(find('.dc-error'), '');
  const rounds = questions.map((question, at) => makeRound(question, at + 1, sides, blind));
  page.sides = rounds.map((round) => [...round.querySelectorAll('.dc-side')]);
  find('.dc-rounds').replaceChildren(...rounds);
}

function makeRound(question, number, count, blind) {
  const round = make('section', 'dc-round');
  const title = make('h2', 'dc-question', question || 'The prompt as it is');
  const sides = make('div', 'dc-sides');
  title.dir = 'auto';
  sides.style.setProperty('--sides', count);
  for (let at = 0; at < count; at += 1) sides.append(makeSide(number, blind ? PLACES[at] : ''));
  round.append(title, sides);
  return round;
}

function makeSide(number, place) {
  const side = make('article', 'dc-side');
  side.dataset.question = number;
  const answer = make('div', 'dc-answer');
  const details = make('details');
  const sent = make('pre', 'dm-out');
  const parts = [make('h3'), make('p', 'dc-agrees'), answer, make('p', 'dm-error'), make('p', 'dc-figures'), details];
  answer.tabIndex = sent.tabIndex = 0;
  answer.dir = sent.dir = 'auto';
  answer.setAttribute('role', 'region');
  nameSide(side, parts[0], answer, place);
  details.append(make('summary', '', 'The prompt that was sent'), sent);
  for (const part of parts) part.hidden = part !== answer && part !== parts[0];
  side.append(...parts);
  return side;
}

function nameSide(side, title, answer, name) {
  title.textContent = name;
  side.setAttribute('aria-label', `Question ${side.dataset.question}: ${name}`);
  answer.setAttribute('aria-label', `Answer to question ${side.dataset.question}: ${name}`);
}

// What is new of one side: a piece of its answer, its name, the prompt that was sent, a failure, its figures, whether
// it agrees with the full prompt's answer.
function showSide(side, { piece, name, sent, error, figures, agrees }) {
  const find = finder(side);
  if (piece !== undefined) addPiece(find('.dc-answer'), piece);
  if (name !== undefined) reveal(side, name);
  if (sent !== undefined) put(find('pre'), sent);
  if (sent !== undefined) find('details').hidden = false;
  if (error !== undefined) put(find('.dm-error'), error);
  if (figures !== undefined) put(find('.dc-figures'), figures);
  if (figures !== undefined && !find('.dc-answer').firstChild) find('.dc-answer').classList.add('is-empty');
  if (agrees === undefined) return;
  put(find('.dc-agrees'), agrees ? '✓ as the full prompt' : '✕ not as the full prompt');
  find('.dc-agrees').classList.toggle('is-other', !agrees);
}

function reveal(side, name) {
  const [title, answer] = ['h3', '.dc-answer'].map(finder(side));
  const place = title.textContent;
  nameSide(side, title, answer, PLACES.includes(place) ? `${place}: ${name}` : name);
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
  if (ask) say(page, 'Read both answers, then vote: the names come with your vote.');
  if (voted) say(page, `${VOTED[voted]} Draw a pair for the next one.`);
  page.find('.dc-vote').hidden = !ask;
}

function say({ find }, text) {
  find('.dc-say').textContent = text;
}

function put(node, text) {
  node.textContent = text;
  node.hidden = false;
}
