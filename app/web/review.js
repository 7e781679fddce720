// Corrections: a correction of the store, read only. And what Correct does with one that is opened again.
const UNKNOWN = 20; // stands in for the confidence, which the store does not keep

const review = { shown: 'difference', changed: [], at: -1 };

function takeMasks(line) {
  for (let i = 0; i < spans.length; i++) {
    run.when[i] = 1;
    run.keep[i] = line.model[i] === '1' ? 1 : 0;
    run.sure[i] = UNKNOWN;
  }
  run.end = line;
  if (reviewing) return onReview();
  edit.draft = { mask: line.human, pins: line.pins, note: line.note, seconds: line.seconds };
  onDecided();
  clearTimeout(draftTimer); // it is in the store already
  showText('.dm-moved', line.said);
}

const byPerson = (i) => run.end.human[i] === '1';
const byModel = (i) => run.keep[i] === 1;

function onReview() {
  review.changed = spans.map((_, i) => i).filter((i) => byPerson(i) !== byModel(i));
  review.at = -1;
  $('.dm').dataset.state = 'done';
  showMask('difference');
}

function showMask(shown) {
  review.shown = shown;
  for (const name of ['difference', 'model', 'person']) {
    $('[data-act=' + name + ']').setAttribute('aria-pressed', String(name === shown));
  }
  const kept = shown === 'model' ? byModel : byPerson;
  const differs = (i) => shown === 'difference' && byPerson(i) !== byModel(i);
  const sign = (i) => (differs(i) ? (byPerson(i) ? 'plus' : 'minus') : '');
  const pin = (i) => (shown !== 'model' && !differs(i) && run.end.pins[i] !== '.' ? 'pin' : '');
  paint((i) => [kept(i) ? KEEP : DROP, differs(i) ? 5 : 1, sign(i) + pin(i)]);
  showCounts((i) => (kept(i) ? KEEP : DROP));
  if (shown === 'difference') {
    const added = review.changed.filter(byPerson).length;
    const parts = ['+' + number(added) + ' kept', '−' + number(review.changed.length - added) + ' dropped by the person'];
    showText('.dm-counts', review.changed.length ? parts.join(' · ') + ' of ' + number(spans.length) + ' tokens' : 'The person left the mask as it was.');
  }
  showText('.dm-out', compressed(kept));
  showText('.dm-out-title', shown === 'model' ? 'Compressed by the model' : 'Corrected prompt');
  for (const name of ['before', 'after']) $('[data-act=' + name + ']').disabled = !review.changed.length;
}

// To the next change (1) or the one before (-1), round and round.
function jump(way) {
  const { changed } = review;
  review.at = (Math.max(review.at, way < 0 ? 0 : -1) + way + changed.length) % changed.length;
  const span = spans[changed[review.at]];
  span.scrollIntoView({ block: 'center' });
  $('.dm-live').textContent = span.textContent + ', ' + (byPerson(changed[review.at]) ? 'kept' : 'dropped') + ' by the person';
}
