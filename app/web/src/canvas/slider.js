// The retention slider is Gradio's own and lies outside of the canvas.
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
