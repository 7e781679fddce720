// What each kind of line does; app/components/canvas_lines.py writes them.
import { showError } from '../shared/dom.js';
import { haveSameParts, isSamePrompt } from './layout.js';
import { Run } from './run.js';

/** Take in a parsed line: bring the canvas up to date, then tell its mode. */
export function take(canvas, mode, line) {
  if ('error' in line) takeError(canvas, mode, line.error);
  else if ('waiting' in line) mode.onWaiting?.(line.waiting);
  else if ('saved' in line) mode.onSaved?.(line.saved);
  else if ('drafted' in line) mode.onDrafted?.(line.drafted);
  else if ('judged' in line) mode.onJudged?.(line.judged, line.mask);
  else if ('offer' in line) mode.onOffer?.(line.offer);
  else if ('run' in line) takeDocument(canvas, mode, line);
  else if ('model' in line) takeMasks(canvas, mode, line);
  else if ('step' in line) takeStep(canvas, mode, line);
  else if ('end' in line) takeEnd(canvas, mode, line);
  else if ('subwords' in line) takeCounts(canvas, mode, line);
}

function takeError(canvas, mode, message) {
  showError(canvas.find('.dm-error'), message);
  mode.onRefused?.();
}

function takeDocument(canvas, mode, doc) {
  const isSame = canvas.doc !== null && isSamePrompt(canvas.doc, doc) && haveSameParts(canvas.doc, doc);
  canvas.doc = doc;
  canvas.run = new Run(doc);
  showError(canvas.find('.dm-error'), '');
  if (!isSame) build(canvas);
  mode.onDocument?.(isSame);
}

function build({ find, chips, doc }) {
  chips.build(doc);
  find('.dm-empty').hidden = true;
  find('.dm-body').hidden = false;
  chips.fitHeight();
}

function takeStep({ run }, mode, line) {
  run.addStep(line);
  mode.onStep?.();
}

function takeEnd({ run, chips }, mode, line) {
  run.end = line;
  if (run.steps.length) chips.showScores(run.steps.at(-1).shots);
  mode.onEnd?.();
}

function takeMasks({ run }, mode, line) {
  run.addMasks(line);
  mode.onMasks?.(line);
}

// The same prompt, counted by another tokenizer.
function takeCounts({ doc }, mode, { subwords, counter }) {
  if (!doc || subwords.length !== doc.tokens.length) return;
  Object.assign(doc, { subwords, counter });
  mode.redraw?.();
}
