// Explore: plays the steps, scrubs through them, and previews other retentions from the trace.
const PACE = 150; // milliseconds a step at speed 1

const player = { at: 0, playing: false, timer: 0, last: 0, quiet: false, preview: null };

// A new run begins. same: it is the prompt that is on screen already; then the mask changes when the run is done.
function startPlaying(same) {
  clearTimeout(player.timer);
  player.quiet = Boolean(doc.quiet) && same;
  if (player.quiet) return;
  Object.assign(player, { at: 0, playing: true, preview: null, timer: 0 });
  $('.dm-scrub').max = doc.steps;
  showShotScores(doc.shots.map(() => 0));
  heads.forEach(({ score }) => { score.textContent = ''; });
  drawStep();
}

function onStep() {
  if (!player.quiet && player.playing && !player.timer) wait();
}

// The next tick, at the pace that was chosen, counted from the last one.
function wait() {
  const pace = PACE / Number($('.dm-speed select').value);
  player.timer = setTimeout(tick, Math.max(0, player.last + pace - performance.now()));
}

function onEnd() {
  if (player.quiet) {
    Object.assign(player, { quiet: false, preview: null, playing: false, at: run.steps.length });
    $('.dm-scrub').max = doc.steps;
  }
  if (player.playing && !player.timer) wait();
  else drawStep();
}

function tick() {
  player.timer = 0;
  if (!player.playing) return;
  player.last = performance.now();
  if (player.at < run.steps.length) goTo(player.at + 1);
  if (player.at < run.steps.length) wait();
  else if (run.end) setPlaying(false); // otherwise the next step that arrives goes on
}

function setPlaying(on) {
  if (!run) return;
  if (on && player.at >= run.steps.length && run.end) player.at = 0;
  player.playing = on;
  player.preview = null;
  clearTimeout(player.timer);
  player.timer = 0;
  if (on) wait();
  drawStep();
}

function goTo(step) {
  player.at = Math.max(0, Math.min(step, run.steps.length));
  player.preview = null;
  drawStep();
}

function stateAt(i, step) {
  const when = run.when[i];
  if (when < 0 || when > step) return OPEN;
  return run.keep[i] ? KEEP : DROP;
}

function drawStep() {
  if (player.preview) return drawPreview();
  const { at } = player;
  const last = run.end && at >= run.steps.length;
  const fresh = !last || player.playing ? at : -1;
  $('.dm').dataset.state = player.playing ? 'playing' : last ? 'done' : 'paused';
  paint((i) => {
    const state = stateAt(i, at);
    const extra = doc.pins[i] !== '.' ? 'pin' : fresh > 0 && run.when[i] === fresh ? 'now' : '';
    return [state, state === OPEN ? 0 : shade(run.sure[i]), extra];
  });
  showCounts((i) => stateAt(i, at));
  if (at > 0) showShotScores(run.steps[at - 1].shots);
  const title = last ? 'Compressed prompt' : 'Not dropped so far';
  showResult((i) => stateAt(i, at) !== DROP, title);
  showText('.dm-what', describe(at));
  const scrub = $('.dm-scrub');
  scrub.value = at;
  scrub.setAttribute('aria-valuetext', 'step ' + at + ' of ' + doc.steps);
  const play = $('.dm-play');
  play.classList.toggle('is-playing', player.playing);
  play.setAttribute('aria-label', player.playing ? 'Pause' : 'Play');
}

function describe(at) {
  if (at === 0) {
    const pinned = doc.pins.replace(/\./g, '').length;
    return 'Start: nothing is decided' + (pinned ? ' but the ' + number(pinned) + ' tokens that are always kept.' : ' yet.');
  }
  const { decided, keep } = run.steps[at - 1];
  const kept = decided.filter((_, j) => keep[j] === '1');
  const dropped = decided.filter((_, j) => keep[j] !== '1');
  const says = (list, verb) => list.length ? [number(list.length) + ' ' + verb + ' ' + quote(list)] : [];
  const parts = [...says(kept, 'kept'), ...says(dropped, 'dropped')].map((p) => p.trim());
  return 'Step ' + at + ' of ' + doc.steps + ': ' + (parts.length ? parts.join(' · ') : 'nothing was certain enough') + '.';
}

// --- the retention slider, while it is dragged ---

const halfEven = (x) => { // Python's round
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor % 2) : Math.round(x);
};

// model.sampler.budget
function budget(retention) {
  let [pinned, kept] = [0, 0];
  for (const mark of doc.pins) {
    if (mark !== '.') pinned += 1;
    if (mark === 'k' || mark === 'K') kept += 1;
  }
  const n = doc.tokens.length;
  return Math.min(Math.max(halfEven(retention * n), 1, kept), n - pinned + kept);
}

function previewRetention(retention) {
  if (!run || !run.end) return;
  const keep = new Uint8Array(doc.tokens.length);
  run.end.order.slice(0, budget(retention)).forEach((i) => { keep[i] = 1; });
  Object.assign(player, { preview: keep, playing: false, at: run.steps.length });
  clearTimeout(player.timer);
  drawPreview();
}

function drawPreview() {
  const keep = player.preview;
  $('.dm').dataset.state = 'preview';
  paint((i) => [keep[i] ? KEEP : DROP, shade(run.sure[i]), doc.pins[i] !== '.' ? 'pin' : keep[i] !== run.keep[i] ? 'moved' : '']);
  showCounts((i) => (keep[i] ? KEEP : DROP));
  showResult((i) => keep[i] === 1, 'Compressed prompt');
  showText('.dm-what', 'Preview from the last step; the model decides again when you let go.');
  $('.dm-play').classList.remove('is-playing');
  $('.dm-scrub').value = run.steps.length;
}
