// The board of the Compare tab: reads the lines of app/compare.py, writes with textContent only.
const $ = (selector) => element.querySelector(selector);
const sides = [...element.querySelectorAll('.dc-side')];
const VOTED = { left: 'Saved: left is better.', right: 'Saved: right is better.', equal: 'Saved: equally good.', neither: 'Saved: both are bad.' };
let first = ''; // the first line of the round on screen
let seen = 0; // characters of the value that were read

function say(text) {
  $('.dc-say').textContent = text;
}

function refuse(text) {
  $('.dc-error').textContent = text;
  $('.dc-error').hidden = !text;
}

function begin() {
  $('.dc').dataset.state = 'running';
  $('.dm-empty').hidden = true;
  $('.dc-sides').hidden = false;
  $('.dc-vote').hidden = $('.dc-gain').hidden = true;
  refuse('');
  sides.forEach((side, at) => {
    side.querySelector('h3').textContent = '';
    const answer = side.querySelector('.dc-answer');
    answer.textContent = '';
    answer.setAttribute('aria-label', ['Left answer', 'Right answer'][at]);
    for (const part of ['.dm-error', '.dm-tiles', 'details']) side.querySelector(part).hidden = true;
    side.querySelector('details').open = false;
  });
}

function tile([value, note]) {
  const box = document.createElement('div');
  const number = document.createElement('b');
  const text = document.createElement('span');
  number.textContent = value;
  text.textContent = note;
  box.append(number, text);
  return box;
}

function show(line) {
  const side = sides[line.side];
  const put = (selector, text) => {
    side.querySelector(selector).textContent = text;
    side.querySelector(selector).hidden = false;
  };
  if (line.piece !== undefined) {
    const answer = side.querySelector('.dc-answer');
    const text = answer.firstChild ? line.piece : line.piece.trimStart();
    if (text) answer.append(text);
    answer.scrollTop = answer.scrollHeight;
  }
  if (line.name !== undefined) put('h3', line.name);
  if (line.sent !== undefined) {
    put('pre', line.sent);
    side.querySelector('details').hidden = false;
  }
  if (line.error !== undefined) put('.dm-error', line.error);
  if (line.tiles !== undefined) {
    side.querySelector('.dm-tiles').replaceChildren(...line.tiles.map(tile));
    side.querySelector('.dm-tiles').hidden = false;
  }
}

function take(line) {
  if (line.round !== undefined) return begin();
  if (line.side !== undefined) return show(line);
  if (line.error !== undefined) return refuse(line.error);
  if (line.say !== undefined) return say(line.say);
  if (line.gain !== undefined) {
    $('.dc-gain').textContent = line.gain;
    $('.dc-gain').hidden = false;
    return;
  }
  $('.dc').dataset.state = line.voted ? 'voted' : 'done';
  if (line.end !== undefined) say(line.end);
  if (line.ask) say('');
  if (line.voted) say(VOTED[line.voted]);
  $('.dc-vote').hidden = !line.ask;
}

function read() {
  const value = props.value || '';
  const start = value.slice(0, value.indexOf('\n') + 1);
  if (!start) return;
  if (start !== first) [first, seen] = [start, 0];
  const end = value.lastIndexOf('\n') + 1;
  const lines = value.slice(seen, end).split('\n');
  seen = Math.max(seen, end);
  for (const line of lines) if (line) take(JSON.parse(line));
}

element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-winner]');
  if (button) trigger('vote', { winner: button.dataset.winner });
});
watch('value', read);
read();
