// What the chips wear, the counts, and the panel with the result.

// look(i) -> [state, level 0-5, extra classes]; only spans that change are touched.
function paint(look) {
  for (let i = 0; i < spans.length; i++) {
    const [state, level, extra] = look(i);
    const wear = 't ' + 'okd'[state] + (level ? ' c' + level : '') + (extra ? ' ' + extra : '');
    if (classes[i] !== wear) spans[i].className = classes[i] = wear;
  }
}

// Confidence 0-255 as one of five shades; the square root spreads out the many that are near the cut-off.
const shade = (sure) => 1 + Math.min(4, Math.floor(5 * Math.sqrt(sure / 255)));

const number = (value) => value.toLocaleString('en-US');
const percent = (part, whole) => Math.round((100 * part) / Math.max(1, whole)) + ' %';

// state(i) -> OPEN, KEEP or DROP
function showCounts(state) {
  const n = spans.length;
  const counts = [0, 0, 0];
  for (let i = 0; i < n; i++) counts[state(i)] += 1;
  $('.dm-meter .k').style.flexGrow = counts[KEEP];
  $('.dm-meter .d').style.flexGrow = counts[DROP];
  $('.dm-meter .o').style.flexGrow = counts[OPEN];
  const parts = [number(counts[KEEP]) + ' kept', number(counts[DROP]) + ' dropped'];
  if (counts[OPEN]) parts.push(number(counts[OPEN]) + ' undecided');
  showText('.dm-counts', parts.join(' · ') + ' of ' + number(n) + ' tokens (' + percent(counts[KEEP], n) + ' kept)');
  doc.shots.forEach((shot, at) => {
    if (!heads[at]) return;
    let kept = 0;
    for (let i = shot.first; i < shot.last; i++) kept += state(i) === KEEP;
    const size = shot.last - shot.first;
    const text = number(kept) + ' of ' + number(size) + ' kept';
    if (heads[at].share.textContent !== text) heads[at].share.textContent = text;
  });
  return counts;
}

function showText(selector, text) {
  const box = $(selector);
  if (box.textContent !== text) box.textContent = text;
}

// isKept(i): what the compressed prompt holds; title says what is shown
function showResult(isKept, title) {
  const text = compressed(isKept);
  showText('.dm-out', text);
  $('.dm-out').classList.toggle('is-blank', !text);
  showText('.dm-out-title', title);
  let before = 0;
  let after = 0;
  for (let i = 0; i < spans.length; i++) {
    before += doc.subwords[i];
    if (isKept(i)) after += doc.subwords[i];
  }
  showText('.dm-after', number(before) + ' → ' + number(after));
  $('.dm-counter select').value = doc.counter;
  const kind = $('.dm-counter').hidden ? 'model' : doc.counter;
  showText('.dm-after-note', kind + ' tokens, ' + percent(before - after, before) + ' fewer');
  const price = Number($('.dm-price input').value) || 0;
  const saved = ((before - after) * price) / 1000;
  showText('.dm-money', '$' + (saved < 100 ? saved.toFixed(2) : number(Math.round(saved))));
  if (run.end && run.end.model) {
    showText('.dm-time', '–');
    showText('.dm-time-note', 'opened from the store');
  } else if (run.end) {
    const s = run.end.seconds;
    showText('.dm-time', s < 10 ? s.toFixed(2) + ' s' : Math.round(s) + ' s');
    showText('.dm-time-note', run.steps.length + (run.steps.length === 1 ? ' step' : ' steps') + ' of the model');
  } else {
    showText('.dm-time', '…');
    showText('.dm-time-note', 'denoising');
  }
}

async function copyResult() {
  const button = $('[data-act=copy]');
  const text = $('.dm-out').textContent;
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // no clipboard without https: the old way
    const box = document.createElement('textarea');
    box.value = text;
    document.body.append(box);
    box.select();
    copied = document.execCommand('copy');
    box.remove();
  }
  button.textContent = copied ? 'Copied' : 'Select it and press Ctrl+C';
  setTimeout(() => { button.textContent = 'Copy'; }, 1600);
}

function announce(text) {
  $('.dm-live').textContent = text;
}

// The words of tokens, for a sentence about them; never longer than a line.
function quote(indices) {
  const words = [];
  for (const i of indices) {
    if (words.length === 4) break;
    const word = spans[i].textContent;
    if (!isBreak(i) && /[\p{L}\p{N}]/u.test(word)) words.push('“' + (word.length > 16 ? word.slice(0, 15) + '…' : word) + '”');
  }
  return words.join(' ');
}
