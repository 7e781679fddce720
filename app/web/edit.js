// Correct: a person's edits. Every edit pins; every edit, a bulk one too, is one step of undo.

const edit = {
  mask: new Uint8Array(0), // 1 = keep
  pin: new Uint8Array(0), // 1 = the person fixed it
  undo: [], // each a list of [token, mask before, pin before, mask after, pin after]
  redo: [],
  cursor: 0,
  anchor: 0, // the other end of the selection; equal to the cursor: none
  drag: null, // { from, to, keep } while a range is painted
  moved: new Set(), // tokens that the last re-denoising moved
  since: 0, // when the person began, for the time spent
  waiting: '', // what the server was asked for
  draft: null, // an earlier correction to go on with
  kept: false, // the server has a draft of it
};

function onDocument(before, same) {
  if (same && edit.waiting === 'redenoise') return;
  clearTimeout(draftTimer);
  const n = doc.tokens.length;
  Object.assign(edit, { mask: new Uint8Array(n), pin: new Uint8Array(n), undo: [], redo: [], cursor: 0, anchor: 0 });
  Object.assign(edit, { moved: new Set(), since: Date.now(), waiting: '', kept: false });
  showText('.dm-moved', '');
  if ($('.dm').dataset.state !== 'saved') showText('.dm-saved', ''); // else it says so of the prompt before
  showText('.dm-out', '');
  paint(() => [OPEN, 0, '']);
  $('.dm').dataset.state = 'denoising';
}

function onDecided() {
  if (edit.waiting === 'redenoise') onRedenoised();
  else {
    for (let i = 0; i < spans.length; i++) {
      edit.mask[i] = run.keep[i];
      edit.pin[i] = doc.pins[i] === 'K' || doc.pins[i] === 'D' ? 1 : 0;
    }
  }
  edit.waiting = '';
  $('.dm').dataset.state = 'done';
  applyDraft();
  drawEdit();
}

function onRedenoised() {
  const changes = [];
  for (let i = 0; i < spans.length; i++) if (edit.mask[i] !== run.keep[i]) changes.push([i, run.keep[i], edit.pin[i]]);
  const kept = changes.filter((c) => c[1] === 1).map((c) => c[0]);
  const dropped = changes.filter((c) => c[1] === 0).map((c) => c[0]);
  change(changes);
  edit.moved = new Set(changes.map((c) => c[0]));
  const list = (tokens, verb) => tokens.length ? [number(tokens.length) + ' now ' + verb + ' ' + quote(tokens)] : [];
  const text = changes.length
    ? 'The model moved ' + number(changes.length) + ': ' + [...list(kept, 'kept'), ...list(dropped, 'dropped')].join(' · ')
    : 'The model moved nothing: with your pins it decides the same.';
  showText('.dm-moved', text);
}

const pinned = (i) => edit.pin[i] === 1;

// Apply [token, mask, pin] changes as one undoable edit.
function change(changes) {
  const done = [];
  for (const [i, mask, pin] of changes) {
    if (edit.mask[i] === mask && edit.pin[i] === pin) continue;
    done.push([i, edit.mask[i], edit.pin[i], mask, pin]);
    [edit.mask[i], edit.pin[i]] = [mask, pin];
  }
  if (done.length) {
    edit.undo.push(done);
    edit.redo = [];
    edit.moved = new Set();
    showText('.dm-moved', '');
    showText('.dm-saved', '');
  }
}

function stepBack(from, to, [maskAt, pinAt]) {
  const last = from.pop();
  if (!last) return;
  for (const entry of last) [edit.mask[entry[0]], edit.pin[entry[0]]] = [entry[maskAt], entry[pinAt]];
  to.push(last);
  edit.moved = new Set();
  showText('.dm-moved', '');
  drawEdit();
}

const undo = () => stepBack(edit.undo, edit.redo, [1, 2]);
const redo = () => stepBack(edit.redo, edit.undo, [3, 4]);

function range(a, b) {
  const [first, last] = a < b ? [a, b] : [b, a];
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

const selection = () => range(edit.anchor, edit.cursor);

function setKeep(tokens, keep) {
  change(tokens.map((i) => [i, keep, 1]));
  drawEdit();
}

// All of them kept: drop them; otherwise keep them.
function toggle(tokens) {
  setKeep(tokens, tokens.every((i) => edit.mask[i] === 1) ? 0 : 1);
}

function togglePin(tokens) {
  const pin = tokens.every(pinned) ? 0 : 1;
  change(tokens.map((i) => [i, edit.mask[i], pin]));
  drawEdit();
}

function drawEdit() {
  if (!doc || !run.end) return;
  const { drag } = edit;
  const [low, high] = edit.anchor < edit.cursor ? [edit.anchor, edit.cursor] : [edit.cursor, edit.anchor];
  const painted = drag ? [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)] : [1, 0];
  paint((i) => {
    const preview = i >= painted[0] && i <= painted[1];
    const keep = preview ? drag.keep : edit.mask[i];
    const extra = [
      edit.pin[i] || preview ? 'pin' : '',
      preview ? 'brush' : '',
      edit.moved.has(i) ? 'moved' : '',
      low < high && i >= low && i <= high ? 'sel' : '',
      i === edit.cursor ? 'cur' : '',
    ];
    return [keep ? KEEP : DROP, edit.pin[i] || preview ? 3 : shade(run.sure[i]), extra.filter(Boolean).join(' ')];
  });
  if (drag) return; // counts and text follow when the brush is lifted
  const state = (i) => (edit.mask[i] ? KEEP : DROP);
  showCounts(state);
  const pins = edit.pin.reduce((sum, pin) => sum + pin, 0);
  const asked = Math.round(100 * doc.retention);
  const counts = $('.dm-counts').textContent;
  showText('.dm-counts', counts + ' · asked ' + asked + ' % · ' + number(pins) + ' pinned by you');
  showResult((i) => edit.mask[i] === 1, 'Corrected prompt');
  $('[data-act=undo]').disabled = !edit.undo.length;
  $('[data-act=redo]').disabled = !edit.redo.length;
  saveDraft();
}

const maskText = () => edit.mask.join('');
const pinText = () => Array.from(edit.pin, (pin, i) => (pin ? (edit.mask[i] ? 'K' : 'D') : '.')).join('');

function ask(what) {
  if (!run || !run.end || edit.waiting) return;
  edit.waiting = what;
  $('.dm').dataset.state = what;
  showText(what === 'submit' ? '.dm-saved' : '.dm-moved', what === 'submit' ? 'Sending…' : 'Denoising around your pins…');
  if (what === 'submit') clearTimeout(draftTimer);
  trigger(what, edits());
}

// What the person has done, as the server takes it.
function edits() {
  const seconds = Math.round((Date.now() - edit.since) / 100) / 10;
  return { mask: maskText(), pins: pinText(), note: $('.dm-note').value, seconds, correction: doc.correction || doc.run };
}

function onSaved(message) {
  edit.waiting = '';
  $('.dm').dataset.state = 'saved';
  showText('.dm-saved', message);
  $('.dm-note').value = '';
  edit.kept = false;
}

function onRefused() {
  edit.waiting = '';
  showText('.dm-saved', '');
  showText('.dm-moved', '');
}

// --- mouse, pen and touch ---

const tokenAt = (event) => {
  const span = event.target.closest && event.target.closest('.dm-scroll .t');
  return span ? Number(span.dataset.i) : -1;
};

function onPointerDown(event) {
  const i = tokenAt(event);
  if (i < 0 || event.button !== 0 || !run.end) return;
  if (event.shiftKey) {
    event.preventDefault();
    const keep = edit.mask[edit.anchor];
    const tokens = range(edit.anchor, i);
    edit.cursor = i;
    setKeep(tokens, keep);
    edit.anchor = i;
    return drawEdit();
  }
  edit.cursor = edit.anchor = i;
  edit.drag = { from: i, to: i, keep: edit.mask[i] ? 0 : 1, touch: event.pointerType === 'touch' };
}

function onPointerMove(event) {
  const { drag } = edit;
  if (!drag || drag.touch) return; // a finger scrolls; it toggles with a tap
  const i = tokenAt(event);
  if (i < 0 || i === drag.to) return;
  event.preventDefault();
  drag.to = i;
  drawEdit();
}

function onPointerUp() {
  const { drag } = edit;
  if (!drag) return;
  edit.drag = null;
  edit.anchor = edit.cursor = drag.to;
  setKeep(range(drag.from, drag.to), drag.keep);
}

function onPointerCancel() { // the page scrolls instead
  edit.drag = null;
  drawEdit();
}

// --- a draft: the server keeps it, under the person's name ---

const QUIET = 700; // milliseconds without an edit, after which the draft is sent
let draftTimer = 0;

function saveDraft() {
  clearTimeout(draftTimer);
  if (!edit.undo.length && !edit.kept && !$('.dm-note').value) return;
  edit.kept = true;
  draftTimer = setTimeout(() => trigger('draft', edits()), QUIET);
}

function onDrafted(message) {
  if (!edit.waiting && $('.dm').dataset.state !== 'saved') showText('.dm-saved', message);
}

// There is a draft to go on with ("" = none): said as long as no prompt is open.
function onOffer(start) {
  $('.dm-draft').hidden = !start;
  $('.dm-draft-start').textContent = start;
}

// An earlier state of the prompt that was just opened: put the person's edits back, as one edit.
function applyDraft() {
  const { draft } = edit;
  edit.draft = null;
  if (!draft || draft.mask.length !== spans.length || draft.pins.length !== spans.length) return;
  change(Array.from(draft.mask, (bit, i) => [i, Number(bit), draft.pins[i] === '.' ? 0 : 1]));
  $('.dm-note').value = draft.note || '';
  edit.since -= 1000 * (draft.seconds || 0);
}
