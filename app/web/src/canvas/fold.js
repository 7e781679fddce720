// Gradio's folds ("accordions"), opened from elsewhere on the page.

/** Open a fold, if it is closed, and go there. id: its elem_id. */
export function openFold(id) {
  const fold = document.getElementById(id);
  const head = fold?.querySelector('button.label-wrap');
  if (!head) return;
  if (!head.classList.contains('open')) head.click();
  fold.scrollIntoView({ block: 'start' });
  head.focus({ preventScroll: true });
}
