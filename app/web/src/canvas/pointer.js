// Correct by mouse, pen and touch: a click toggles, a drag paints a range, shift + click extends the last one. A tap of
// a finger chooses a sentence or line, whose words are then buttons.

export function listenToPointer(canvas, correct) {
  const { find, chips } = canvas;
  const box = find('.dm-scroll');
  box.addEventListener('pointerdown', (event) => {
    const i = chips.tokenAt(event);
    if (i < 0 || event.button !== 0 || !canvas.run.end) return;
    if (event.pointerType === 'touch') return; // it scrolls, or taps
    if (event.shiftKey) {
      event.preventDefault();
      return correct.edited(correct.edits.extendTo(i));
    }
    correct.edits.startBrush(i);
  });

  box.addEventListener('pointermove', (event) => {
    const { brush } = correct.edits;
    if (!brush) return;
    const i = chips.tokenAt(event);
    if (i < 0 || i === brush.to) return;
    event.preventDefault();
    brush.to = i;
    correct.redraw();
  });

  window.addEventListener('pointerup', () => {
    if (correct.edits.brush) correct.edited(correct.edits.liftBrush());
  });

  window.addEventListener('pointercancel', () => { // the page scrolls instead
    correct.edits.brush = null;
    correct.redraw();
  });

  box.addEventListener('click', (event) => {
    const i = chips.tokenAt(event);
    if (event.pointerType === 'touch' && i >= 0 && canvas.run.end) correct.chooseUnit(i);
  });

  box.addEventListener('dragstart', (event) => event.preventDefault());
}
