// Wires the canvas: one listener of a kind for all tokens and buttons.

const ACTS = {
  first: () => pauseAt(0),
  back: () => pauseAt(player.at - 1),
  play: () => setPlaying(!player.playing),
  forward: () => pauseAt(player.at + 1),
  last: () => pauseAt(run.steps.length),
  copy: copyResult,
  undo,
  redo,
  pin: () => togglePin(selection()),
  help: toggleHelp,
  redenoise: () => ask('redenoise'),
  submit: () => ask('submit'),
  restore: () => trigger('restore', {}),
  difference: () => showMask('difference'),
  model: () => showMask('model'),
  person: () => showMask('person'),
  before: () => jump(-1),
  after: () => jump(1),
  discard: () => trigger('discard', {}),
};

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.act) return ACTS[button.dataset.act]();
  if (button.dataset.fold !== undefined) return foldShot(Number(button.dataset.fold));
  if (button.dataset.shot !== undefined && run.end) {
    const { first, last } = doc.shots[Number(button.dataset.shot)];
    toggle(range(first, last - 1));
  }
});

$('.dm-scroll').addEventListener('keydown', (event) => {
  if (event.target.closest('button') || !run || reviewing) return;
  const taken = editable ? run.end && onEditKey(event) : onPlayerKey(event);
  if (taken) event.preventDefault();
});

function redraw() {
  if (!run || reviewing) return;
  if (editable) drawEdit();
  else drawStep();
}

$('.dm-price input').addEventListener('input', redraw);

const { counters } = settings;
$('.dm-counter').hidden = counters.length < 2;
for (const name of counters) $('.dm-counter select').add(new Option(name, name));
$('.dm-counter select').addEventListener('change', (event) => {
  showText('.dm-after-note', 'counting…');
  trigger('count', { name: event.target.value });
});

function startView() {
  $('.dm-scrub').addEventListener('input', (event) => pauseAt(Number(event.target.value)));
  let [timer, typing] = [0, false]; // a key that is held changes the slider again and again; a mouse lets go once
  document.addEventListener('keydown', () => { typing = true; }, true);
  document.addEventListener('pointerdown', () => { typing = false; }, true);
  const mine = (event) => settings.slider && event.target.closest && event.target.closest('#' + settings.slider);
  const share = (event) => Math.max(1, Math.min(100, Number(event.target.value) || 0)) / 100;
  document.addEventListener('input', (event) => {
    if (mine(event)) previewRetention(share(event));
  });
  document.addEventListener('change', (event) => {
    if (!mine(event) || !run) return;
    clearTimeout(timer);
    timer = setTimeout(() => trigger('resample', {}), typing ? 200 : 0);
  });
}

function startEdit() {
  fillKeys();
  $('.dm-note').addEventListener('input', () => run && run.end && saveDraft());
  const box = $('.dm-scroll');
  box.addEventListener('pointerdown', onPointerDown);
  box.addEventListener('pointermove', onPointerMove);
  window.addEventListener('pointerup', onPointerUp);
  window.addEventListener('pointercancel', onPointerCancel);
  box.addEventListener('dragstart', (event) => event.preventDefault());
}

$('.dm').classList.add(editable ? 'is-edit' : reviewing ? 'is-review' : 'is-view');
$('.dm-scroll').setAttribute('role', editable ? 'application' : 'group');
$('.dm-scroll').setAttribute('aria-label', editable ? 'Prompt; press ? for the keys' : reviewing ? 'Prompt' : 'Prompt; space plays, arrows step');
showText('.dm-empty-text', settings.empty);
if (editable) startEdit();
else if (!reviewing) startView();
window.addEventListener('resize', () => doc && fitHeight());
watch('value', () => read(props.value || ''));
read(props.value || '');
