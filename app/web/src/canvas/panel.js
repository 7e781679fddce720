// What stands around the chips: counts, the compressed prompt, its price, and messages.
import { counted, number, percent } from '../shared/format.js';
import { setText } from '../shared/dom.js';
import { DROP, KEEP, OPEN } from './run.js';

/** Meter and counts, of the prompt and of each shot. state(i) -> OPEN, KEEP or DROP; more: said behind the counts. */
export function showCounts(canvas, state, more = '') {
  const { find, doc, chips } = canvas;
  const n = doc.tokens.length;
  const counts = [0, 0, 0];
  for (let i = 0; i < n; i++) counts[state(i)] += 1;
  find('.dm-meter .k').style.flexGrow = counts[KEEP];
  find('.dm-meter .d').style.flexGrow = counts[DROP];
  find('.dm-meter .o').style.flexGrow = counts[OPEN];
  const parts = [`${number(counts[KEEP])} kept`, `${number(counts[DROP])} dropped`];
  if (counts[OPEN]) parts.push(`${number(counts[OPEN])} undecided`);
  const kept = percent(counts[KEEP], n);
  canvas.say('.dm-counts', `${parts.join(' · ')} of ${number(n)} words and marks (${kept} kept)${more}`);
  chips.showShares(({ first, last }) => {
    let keeps = 0;
    for (let i = first; i < last; i++) keeps += state(i) === KEEP;
    return `${number(keeps)} of ${number(last - first)} kept`;
  });
}

/** The prompt that is left and what it saves. isKept(i): whether it holds token i; title: what it is. */
export function showResult(canvas, isKept, title) {
  showCompressed(canvas, isKept, title);
  const { find, doc } = canvas;
  let [before, after] = [0, 0];
  doc.subwords.forEach((count, i) => {
    before += count;
    if (isKept(i)) after += count;
  });
  canvas.say('.dm-after', `${number(before)} → ${number(after)}`);
  find('.dm-counter select').value = doc.counter;
  canvas.say('.dm-after-note', `${doc.counter} tokens, ${percent(before - after, before)} fewer`);
  showMoney(canvas, before, after);
  const [time, note] = duration(canvas.run);
  canvas.say('.dm-time', time);
  canvas.say('.dm-time-note', note);
}

/**
 * Dollars for 1,000 calls that the short prompt saves. Where the full one would come from the provider's cache, that
 * one is cheap, and the short one, which is another with every question, is not cached.
 */
export function savedPerThousand(before, after, price, cachedShare = 1) {
  return ((before * cachedShare - after) * price) / 1000;
}

function showMoney({ find, say }, before, after) {
  const isCached = find('.dm-cached input[type=checkbox]').checked;
  const share = isCached ? (Number(find('.dm-cached input[type=number]').value) || 0) / 100 : 1;
  const saved = savedPerThousand(before, after, Number(find('.dm-price input').value) || 0, share);
  const size = Math.abs(saved);
  say('.dm-money', `$${size < 100 ? size.toFixed(2) : number(Math.round(size))}`);
  say('.dm-money-note', `${saved < 0 ? 'more' : 'saved'} per 1,000 calls${isCached ? ', net of caching' : ''}`);
}

/** Only the prompt that is left. */
export function showCompressed(canvas, isKept, title) {
  canvas.views.show(canvas.doc, isKept);
  canvas.say('.dm-out-title', title);
}

// How long the run took, and a line about it.
function duration({ end, steps }) {
  if (!end) return ['…', 'denoising'];
  if (end.model) return ['–', 'opened from the store'];
  const time = end.seconds < 10 ? `${end.seconds.toFixed(2)} s` : `${Math.round(end.seconds)} s`;
  return [time, `${counted(steps.length, 'step')} of the model`];
}

/** Copy a text, and say so on the button that was pressed. */
export async function copyBy(button, text) {
  const label = button.dataset.label ??= button.textContent;
  const copied = await copyText(text);
  button.textContent = copied ? 'Copied' : 'Select it and press Ctrl+C';
  setTimeout(() => { button.textContent = label; }, 1600);
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // no clipboard without https: the old way
    const box = document.createElement('textarea');
    box.value = text;
    document.body.append(box);
    box.select();
    const copied = document.execCommand('copy');
    box.remove();
    return copied;
  }
}

/** Said to those who hear the page. */
export const announce = ({ find }, text) => setText(find('.dm-live'), text);
