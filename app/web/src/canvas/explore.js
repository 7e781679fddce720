// Explore: plays the steps, scrubs through them, and previews other retentions from the last step.
import { counted, number } from '../shared/format.js';
import { maskAt } from './budget.js';
import { shade } from './chips.js';
import { History } from './history.js';
import { takeDrops, takeLinks } from './inbox.js';
import { showCounts, showResult } from './panel.js';
import { Player } from './player.js';
import { DROP, KEEP, OPEN } from './run.js';
import { listenToInputs, listenToSlider, markSlider } from './slider.js';
import { openFold } from './fold.js';
import { hint, reasons, UnitCard } from './unit.js';
import { Use } from './use.js';
import { marksWith, showLengths, showVerdict, spansOf, wholeText } from './verdict.js';

const KEYS = {
  ' ': 'play', ArrowLeft: 'back', ArrowRight: 'forward', Home: 'first', End: 'last',
  ArrowDown: 'next-unit', ArrowUp: 'last-unit', Escape: 'unit-close',
};

export class Explore {
  role = 'group';
  label = 'Prompt; space plays, left and right step, up and down choose a sentence';
  acts = {
    first: () => this.player.pauseAt(0),
    back: () => this.player.pauseAt(this.player.at - 1),
    play: () => this.player.setPlaying(!this.player.playing),
    forward: () => this.player.pauseAt(this.player.at + 1),
    last: () => this.player.pauseAt(this.canvas.run.steps.length),
    check: () => openFold(this.canvas.settings.check),
    'next-unit': () => this.#chooseUnit(() => this.unit.step(1)),
    'last-unit': () => this.#chooseUnit(() => this.unit.step(-1)),
    'unit-keep': () => this.#fixUnit('K'),
    'unit-drop': () => this.#fixUnit('D'),
    'unit-free': () => this.#fixUnit('.'),
    'unit-question': () => this.#name(this.unit.unit, 'question'),
  };
  #settingsChanged = false; // since the run began
  #fixed = null; // [first, last) of what was kept by the last click

  constructor(canvas) {
    const { find, settings, trigger } = canvas;
    this.canvas = canvas;
    this.use = new Use(canvas);
    this.history = new History(canvas);
    this.unit = new UnitCard(canvas);
    Object.assign(this.acts, this.use.acts, this.history.acts, this.unit.acts);
    find('.dm-scroll').addEventListener('click', (event) => this.#onClick(event));
    this.player = new Player(() => this.redraw(), () => Number(find('.dm-speed select').value));
    find('.dm-scrub').addEventListener('input', (event) => this.player.pauseAt(Number(event.target.value)));
    if (!settings.slider) return;
    const release = () => canvas.run && trigger('resample', {});
    listenToSlider(settings.slider, (retention) => this.preview(retention), release);
    listenToInputs(settings.inputs, (text) => this.onInput(text));
    takeDrops({ text: settings.inputs.text, file: settings.file });
    takeLinks((link) => trigger('link', { link }));
    find('.dm-scroll').addEventListener('change', ({ target }) => {
      if (target.dataset.role !== undefined) this.onRole(Number(target.dataset.role), target.value);
    });
  }

  onDocument(isSame) {
    const { doc, run, chips, find } = this.canvas;
    const quiet = Boolean(doc.quiet) && isSame; // the prompt is on screen: its mask changes once, when the run is done
    this.#settingsChanged = false;
    this.#setStale(false);
    find('.dm').dataset.running = '';
    if (!isSame) {
      find('.dm-verdict').hidden = true;
      this.unit.close();
    }
    if (!quiet) chips.showScores(null);
    find('.dm-scrub').max = doc.steps;
    this.player.start(run, quiet);
  }

  /** Others' runs wait for the model, too. */
  onWaiting(others) {
    const runs = `${counted(others, 'other run')} ${others === 1 ? 'is' : 'are'}`;
    this.canvas.say('.dm-what', `${runs} waiting for the model, too: this one takes its turn.`);
  }

  onStep() {
    this.player.onStep();
  }

  onEnd() {
    this.player.onEnd();
    const { run, chips, settings } = this.canvas;
    delete this.canvas.find('.dm').dataset.running;
    if (!run.end.verdict) return;
    showVerdict(this.canvas, run.end.verdict);
    if (run.end.use) this.use.show(run.end.use);
    this.history.add(this.canvas.doc, run);
    const { clean } = run.end.verdict;
    markSlider(settings.slider, clean, `From ${clean} % on the task and all rules can stay whole`);
    if (this.#fixed) chips.reveal(...this.#fixed);
    this.#fixed = null;
  }

  /** Another text, or (null) another setting: what is shown is not of it. */
  onInput(text) {
    const { doc } = this.canvas;
    if (!doc) return;
    if (text === null) this.#settingsChanged = true;
    this.#setStale(this.#settingsChanged || text !== wholeText(doc));
  }

  #setStale(isStale) {
    const { find } = this.canvas;
    find('.dm').classList.toggle('is-stale', isStale);
    find('.dm-stale').hidden = !isStale;
  }

  /** A button of the verdict: go to a place, or keep or free some. */
  onPlace({ go, fix, mark }) {
    const { chips, doc, trigger } = this.canvas;
    if (go) chips.reveal(...spansOf(go)[0]);
    if (!fix) return;
    const spans = spansOf(fix);
    this.#fixed = spans[0];
    this.canvas.setState('fixing');
    trigger('fix', { marks: marksWith(doc.pins, spans, mark) });
  }

  /** A part was given another role. */
  onRole(at, role) {
    this.#name(this.canvas.doc.shots[at], role);
  }

  #name({ first, last }, role) {
    this.canvas.setState('fixing');
    this.canvas.trigger('role', { first, last, role });
  }

  #onClick(event) {
    const i = this.canvas.chips.tokenAt(event);
    if (i >= 0) this.#chooseUnit(() => this.unit.choose(i));
  }

  #chooseUnit(choose) {
    if (!this.canvas.run) return;
    choose();
    this.#explain();
    if (this.unit.unit) this.canvas.find('.dm-unit').scrollIntoView({ block: 'nearest' });
  }

  #explain() {
    if (!this.unit.unit) return;
    const { doc, find } = this.canvas;
    this.unit.explain(reasons(this.canvas, this.unit.unit, this.player.at, this.#isKept()));
    find('[data-act=unit-question]').hidden = Boolean(doc.chat);
  }

  // Whether token i is kept in what is shown.
  #isKept() {
    const { at, preview } = this.player;
    return preview ? (i) => preview[i] === 1 : (i) => this.canvas.run.stateAt(i, at) === KEEP;
  }

  #fixUnit(mark) {
    const { first, last } = this.unit.unit;
    this.onPlace({ fix: `${first}-${last}`, mark });
  }

  hint(i) {
    return this.canvas.run ? hint(this.canvas, i, this.player.at, this.#isKept()) : '';
  }

  onRefused() {
    const { run } = this.canvas;
    this.#fixed = null;
    delete this.canvas.find('.dm').dataset.running;
    if (run && !run.end) this.player.setPlaying(false);
    this.canvas.setState('refused');
  }

  onKey(event) {
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return false;
    this.acts[act]();
    return true;
  }

  /** The mask at another retention, as the last step would have it. */
  preview(retention) {
    const { doc, run } = this.canvas;
    const asked = doc?.setup ? doc.setup.retention / 100 : doc?.retention; // of messages a little less is asked
    if (run?.end) this.player.showPreview(maskAt(run, retention, asked));
  }

  redraw() {
    if (this.player.preview) drawPreview(this.canvas, this.player.preview);
    else drawStep(this.canvas, this.player);
    this.#explain();
    if (this.canvas.run.end?.verdict) showLengths(this.canvas);
  }
}

function drawStep(canvas, { at, playing, isAtEnd }) {
  const { doc, run, chips, say } = canvas;
  const fresh = !isAtEnd || playing ? at : -1; // the step whose decisions are marked
  const state = (i) => run.stateAt(i, at);
  canvas.setState(playing ? 'playing' : isAtEnd ? 'done' : 'paused');
  chips.paint((i) => {
    const shown = state(i);
    const extra = fixedBy(doc.pins[i]) || (fresh > 0 && run.when[i] === fresh ? 'now' : '');
    return [shown, shown === OPEN ? 0 : shade(run.sure[i]), extra];
  });
  showCounts(canvas, state);
  if (at > 0) chips.showScores(run.steps[at - 1].shots);
  showResult(canvas, (i) => state(i) !== DROP, isAtEnd ? 'Compressed prompt' : 'Not dropped so far');
  say('.dm-what', describe(canvas, at));
  showPosition(canvas, at, playing);
}

// The class of what is fixed: by a person, by a setting, or ("") not at all.
const fixedBy = (pin) => ({ K: 'pin', D: 'pin', k: 'rule', d: 'rule' })[pin] ?? '';

function showPosition({ doc, find }, at, playing) {
  find('.dm-scrub').value = at;
  find('.dm-scrub').setAttribute('aria-valuetext', `step ${at} of ${doc.steps}`);
  find('.dm-play').classList.toggle('is-playing', playing);
  find('.dm-play').setAttribute('aria-label', playing ? 'Pause' : 'Play');
}

// Why a step decided nothing.
function nothing({ when }, at) {
  const isDone = when.every((step) => step >= 0 && step < at);
  return isDone ? 'nothing was left to decide' : 'nothing was certain enough yet';
}

// What a step did, as a sentence.
function describe({ doc, run, chips }, at) {
  if (!run.steps.length && !run.end) return `The model is reading ${number(doc.tokens.length)} words and marks …`;
  if (at === 0) {
    const pinned = doc.pins.replace(/\./g, '').length;
    return `Start: nothing is decided yet${pinned ? `, but ${number(pinned)} words and marks are always kept` : ''}.`;
  }
  const { decided, keep } = run.steps[at - 1];
  const says = (bit, verb) => {
    const tokens = decided.filter((_, j) => keep[j] === bit);
    return tokens.length ? [`${number(tokens.length)} ${verb} ${chips.quote(tokens)}`.trim()] : [];
  };
  const parts = [...says('1', 'kept'), ...says('0', 'dropped')];
  return `Step ${at} of ${doc.steps}: ${parts.join(' · ') || nothing(run, at)}.`;
}

function drawPreview(canvas, mask) {
  const { doc, run, chips, find, say } = canvas;
  const extra = (i) => fixedBy(doc.pins[i]) || (mask[i] !== run.keep[i] ? 'moved' : '');
  const state = (i) => (mask[i] ? KEEP : DROP);
  canvas.setState('preview');
  chips.paint((i) => [state(i), shade(run.sure[i]), extra(i)]);
  showCounts(canvas, state);
  showResult(canvas, (i) => mask[i] === 1, 'Compressed prompt');
  say('.dm-what', 'Preview from the last step; the model decides again when you let go.');
  find('.dm-play').classList.remove('is-playing');
  find('.dm-scrub').value = run.steps.length;
}
