// The token canvas: a prompt as chips, with the model's decisions. One listener of a kind for all tokens and buttons.
import { finder, make, setText } from '../shared/dom.js';
import { LineReader } from '../shared/lines.js';
import { Chips } from './chips.js';
import { Correct } from './correct.js';
import { Explore } from './explore.js';
import { copyBy } from './panel.js';
import { take } from './protocol.js';
import { Review } from './review.js';
import { Views } from './views.js';

const MODES = { view: Explore, edit: Correct, review: Review };

/**
 * A canvas in an element that holds canvas.html.
 *
 * props, trigger, watch: Gradio's.
 * settings: { mode: "view", "edit" or "review"; slider: id of the retention slider; inputs: ids of the text box and of
 * the settings, as { text, settings }; file: id of an upload button; check: id of the fold where answers are checked;
 * empty: what to say before there is a prompt; counters: names of tokenizers; roles: of parts, with their names }, from
 * app/components/canvas.py.
 *
 * A mode is an object with `acts` (buttons by their data-act), `role` and `label` of the scroller, onDocument(isSame)
 * and, as far as the mode needs them, onStep, onEnd, onMasks, onRefused, onSaved, onDrafted, onJudged, onOffer,
 * onWaiting, onShot, onPlace, onKey, hint and redraw.
 */
export default function createCanvas({ element, props, trigger, watch, settings }) {
  const find = finder(element);
  const canvas = {
    find,
    trigger,
    settings,
    doc: null, // the document line
    run: null, // what the model said of it
    chips: new Chips(find('.dm-scroll'), settings.mode === 'edit', settings.roles ?? {}),
    views: new Views(find),
    say: (selector, text) => setText(find(selector), text),
    setState: (state) => { find('.dm').dataset.state = state; },
  };
  const mode = new MODES[settings.mode](canvas);
  const reader = new LineReader();
  const read = () => reader.read(props.value || '').forEach((line) => take(canvas, mode, line));
  showMode(canvas, mode);
  listen(element, canvas, mode);
  watch('value', read);
  read();
  return canvas;
}

function showMode({ find, say, settings }, { role, label }) {
  find('.dm').classList.add(`is-${settings.mode}`);
  find('.dm-scroll').setAttribute('role', role);
  find('.dm-scroll').setAttribute('aria-label', label);
  say('.dm-empty-text', settings.empty);
  find('.dm-first').hidden = !settings.check;
  for (const name of settings.counters) find('.dm-counter select').add(new Option(name, name));
}

function listen(element, canvas, mode) {
  const { find, say, trigger } = canvas;
  const acts = { copy: () => copyResult(canvas), download: () => download(...canvas.views.result), ...mode.acts };
  element.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    const { act, fold, shot, view } = button.dataset;
    if (act) acts[act]();
    else if (view) canvas.views.choose(view);
    else if (fold !== undefined) canvas.chips.toggleFold(Number(fold));
    else if (shot !== undefined) mode.onShot(canvas.doc.shots[Number(shot)]);
    else mode.onPlace?.(button.dataset);
  });
  find('.dm-scroll').addEventListener('mouseover', (event) => {
    const i = canvas.chips.tokenAt(event);
    if (i >= 0 && mode.hint) event.target.title = mode.hint(i);
  });
  find('.dm-scroll').addEventListener('keydown', (event) => {
    if (event.target.closest('button') || !canvas.run) return;
    if (mode.onKey?.(event)) event.preventDefault();
  });
  for (const input of element.querySelectorAll('.dm-price input')) {
    input.addEventListener('input', () => canvas.run && mode.redraw?.());
  }
  find('.dm-counter select').addEventListener('change', (event) => {
    say('.dm-after-note', 'counting…');
    trigger('count', { name: event.target.value });
  });
  window.addEventListener('resize', () => canvas.doc && canvas.chips.fitHeight());
}

function copyResult({ find, views }) {
  return copyBy(find('[data-act=copy]'), views.result[0]);
}

function download(text, name) {
  const link = make('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
