// The retention slider is Gradio's own and lies outside of the canvas.
import { make } from '../shared/dom.js';

const THUMB = 16; // pixels
const HELD_KEY = 200; // milliseconds after which the slider counts as let go

/** id: of the slider. preview(retention): it is being moved. release(): it was let go. */
export function listenToSlider(id, preview, release) {
  let timer = 0;
  let typing = false; // a key that is held changes the slider again and again; a mouse lets go once
  const isSlider = ({ target }) => target.closest && target.closest(`#${id}`);
  document.addEventListener('keydown', () => { typing = true; }, true);
  document.addEventListener('pointerdown', () => { typing = false; }, true);
  document.addEventListener('input', (event) => {
    if (isSlider(event)) preview(Math.max(1, Math.min(100, Number(event.target.value) || 0)) / 100);
  });
  document.addEventListener('change', (event) => {
    if (!isSlider(event)) return;
    clearTimeout(timer);
    timer = setTimeout(release, typing ? HELD_KEY : 0);
  });
}

/** Mark a length on the slider. */
export function markSlider(id, percent, title) {
  const box = document.querySelector(`#${id} input[type=range]`);
  if (!box) return;
  const bar = box.parentElement;
  const mark = bar.querySelector('.dm-mark') || bar.appendChild(make('i', 'dm-mark'));
  const [low, high] = [Number(box.min), Number(box.max)];
  const share = Math.min(1, Math.max(0, (percent - low) / (high - low)));
  const left = box.offsetLeft + THUMB / 2 + share * (box.offsetWidth - THUMB);
  mark.style.left = `${(100 * left) / Math.max(1, bar.offsetWidth)}%`;
  mark.title = title;
}

/** changed(text): something of the page's inputs was changed; text: what stands in the text box, null = a setting. */
export function listenToInputs({ text, settings }, changed) {
  const listen = ({ target }) => {
    if (!target.closest) return;
    if (target.closest(`#${text}`)) changed(target.value);
    else if (target.closest(`#${settings}`)) changed(null);
  };
  document.addEventListener('input', listen);
  document.addEventListener('change', listen);
}
