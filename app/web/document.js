// The prompt as chips: reads the lines of app/view.py and builds the DOM, with textContent only.
// Runs once per canvas, inside one function together with the other scripts of this folder.
const $ = (selector) => element.querySelector(selector);
const [OPEN, KEEP, DROP] = [0, 1, 2];
const { editable, reviewing } = settings; // from app/canvas.py
const BLOCK = 100; // tokens that the browser may skip at once while they are off screen

let doc = null; // the document line
let run = null; // what the steps say: see newRun
let seen = 0; // characters of the value that were read
let spans = []; // one for each token
let classes = []; // what each span wears now
let heads = []; // of the shots

function newRun() {
  const n = doc.tokens.length;
  run = {
    when: new Int16Array(n).fill(-1), // step that decided it, 0 = pinned, -1 = not yet
    keep: new Uint8Array(n),
    sure: new Uint8Array(n).fill(255), // confidence, 0-255
    steps: [], // step lines
    end: null, // end line
  };
  for (let i = 0; i < n; i++) {
    if (doc.pins[i] !== '.') {
      run.when[i] = 0;
      run.keep[i] = doc.pins[i].toLowerCase() === 'k' ? 1 : 0;
    }
  }
}

const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

// Take in the lines of the value that were not read yet.
function read(value) {
  const first = value.slice(0, value.indexOf('\n') + 1);
  if (!first) return;
  if (read.first !== first) [read.first, seen] = [first, 0];
  const end = value.lastIndexOf('\n') + 1;
  const lines = value.slice(seen, end).split('\n');
  seen = end;
  for (const line of lines) if (line) take(JSON.parse(line));
}

function take(line) {
  if (line.error !== undefined) return refuse(line.error);
  if (line.saved !== undefined) return editable && onSaved(line.saved);
  if (line.drafted !== undefined) return editable && onDrafted(line.drafted);
  if (line.offer !== undefined) return editable && onOffer(line.offer);
  if (line.run === undefined && line.subwords) return takeCounts(line);
  if (line.run !== undefined) return takeDocument(line);
  if (line.model !== undefined) return takeMasks(line);
  if (line.step !== undefined) return takeStep(line);
  if (line.end) return takeEnd(line);
}

function takeDocument(line) {
  const same = doc && doc.tokens.length === line.tokens.length && doc.flags === line.flags
    && doc.tokens.every((t, i) => t === line.tokens[i]) && doc.gaps.every((g, i) => g === line.gaps[i]);
  const before = doc;
  doc = line;
  newRun();
  showError('');
  if (!same) build();
  if (reviewing) return;
  editable ? onDocument(before, same) : startPlaying(same);
}

// The same prompt, counted by another tokenizer.
function takeCounts(line) {
  if (!doc || line.subwords.length !== doc.tokens.length) return;
  Object.assign(doc, { subwords: line.subwords, counter: line.counter });
  redraw();
}

function takeStep(line) {
  line.sure = bytes(line.sure);
  line.probability = bytes(line.probability);
  run.steps.push(line);
  line.decided.forEach((i, at) => {
    run.when[i] = line.step;
    run.keep[i] = line.keep[at] === '1' ? 1 : 0;
    run.sure[i] = line.sure[at];
  });
  if (!editable) onStep();
}

function takeEnd(line) {
  run.end = line;
  if (run.steps.length) showShotScores(run.steps[run.steps.length - 1].shots);
  editable ? onDecided() : onEnd();
}

function refuse(message) {
  showError(message);
  if (reviewing) return;
  if (editable) onRefused();
  else if (run && !run.end) setPlaying(false);
  $('.dm').dataset.state = 'refused';
}

function showError(message) {
  const box = $('.dm-error');
  box.textContent = message;
  box.hidden = !message;
}

// --- the DOM ---

function build() {
  spans = new Array(doc.tokens.length);
  classes = new Array(doc.tokens.length).fill('');
  heads = [];
  const all = document.createDocumentFragment();
  doc.shots.forEach((shot, at) => all.append(buildShot(shot, at)));
  $('.dm-scroll').replaceChildren(all);
  $('.dm-scroll').scrollTop = 0;
  $('.dm-empty').hidden = true;
  $('.dm-body').hidden = false;
  fitHeight();
}

function buildShot(shot, at) {
  const box = document.createElement('div');
  box.className = 'dm-shot';
  if (doc.shots.length > 1) box.append(buildHead(shot, at));
  const body = document.createElement('div');
  body.className = 'dm-shot-body';
  let block = null;
  let held = 0;
  for (let i = shot.first; i < shot.last; i++) {
    // a new block is a new line on screen: wait for a line break, but not for ever
    if (!block || (held >= BLOCK / 2 && isBreak(i - 1)) || held >= BLOCK * 1.5) {
      block = document.createElement('div');
      block.className = 'dm-block';
      body.append(block);
      held = 0;
    }
    block.append(doc.gaps[i], (spans[i] = buildToken(i)));
    if (isBreak(i) && i + 1 < shot.last) block.append(doc.tokens[i].length > 1 ? '\n\n' : '\n');
    held += 1;
  }
  box.append(body);
  return box;
}

function buildToken(i) {
  const span = document.createElement('span');
  span.dataset.i = i;
  span.textContent = visible(doc.tokens[i], i);
  return span;
}

// What is shown of a token: signs for line breaks, code points for characters that nobody sees (or that turn the
// text around them), the token itself otherwise.
function visible(token, i) {
  if (isBreak(i)) return '↵'.repeat(Math.min(token.replace(/\r\n/g, '\n').length, 2));
  if (/^[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Default_Ignorable_Code_Point}]+$/u.test(token)) {
    return [...token].map((c) => 'U+' + c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')).join(' ');
  }
  return token;
}

function buildHead(shot, at) {
  const head = document.createElement('div');
  head.className = 'dm-head';
  const fold = document.createElement('button');
  fold.type = 'button';
  fold.className = 'dm-fold';
  fold.dataset.fold = at;
  fold.setAttribute('aria-expanded', 'true');
  fold.setAttribute('aria-label', 'Fold ' + shot.name);
  const name = document.createElement('button');
  name.type = 'button';
  name.className = 'dm-name';
  name.dataset[editable ? 'shot' : 'fold'] = at;
  name.textContent = shot.name;
  name.title = editable ? 'Keep or drop all of ' + shot.name : 'Fold or unfold';
  const share = document.createElement('span');
  share.className = 'dm-share';
  const score = document.createElement('span');
  score.className = 'dm-score';
  score.title = 'What the model thinks of keeping this part as a whole';
  head.append(fold, name, share, score);
  heads.push({ head, fold, share, score });
  return head;
}

function showShotScores(scores) {
  heads.forEach(({ score }, at) => {
    score.textContent = 'own score ' + Math.round(100 * scores[at]) + ' %';
    score.style.setProperty('--share', scores[at]);
  });
}

function foldShot(at) {
  const { head, fold } = heads[at];
  const folded = head.parentElement.classList.toggle('is-folded');
  fold.setAttribute('aria-expanded', String(!folded));
  fitHeight();
}

// The scroller is contained, so its height does not follow from what is in it: as high as needed, up to a limit.
function fitHeight() {
  const box = $('.dm-scroll');
  box.style.height = '120px';
  const most = Math.max(260, Math.round(window.innerHeight * 0.62));
  box.style.height = Math.min(box.scrollHeight + 4, most) + 'px';
}

// --- the compressed text: what Prompt.layout in model/prompt.py does ---

const flag = (i) => doc.flags.charCodeAt(i) - 48;
const isBreak = (i) => (flag(i) & 4) !== 0;

function compressed(isKept) {
  const out = [];
  let before = -1;
  let space = false; // white space since the last kept token
  const n = doc.tokens.length;
  for (let i = 0; i < n; i++) {
    const bits = flag(i);
    space = space || (bits & 8) !== 0;
    if (!isKept(i)) {
      space = space || (bits & 16) !== 0;
      continue;
    }
    if (before === i - 1) out.push(doc.gaps[i]);
    else if (before >= 0 && !isBreak(before) && !(bits & 4)) {
      const fuse = (flag(before) & 2) !== 0 && (bits & 1) !== 0;
      if (fuse || space) out.push(' ');
    }
    out.push(doc.tokens[i]);
    [before, space] = [i, false];
  }
  if (before === n - 1) out.push(doc.tail);
  return out.join('');
}
