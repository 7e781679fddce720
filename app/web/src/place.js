// A visitor's place in the queue. Gradio tells it in the status of the component that an event names in
// `show_progress_on`; it is said here in words.
import { setText } from './shared/dom.js';
import { counted } from './shared/format.js';

const QUEUE = /queue:\s*(\d+)/; // what Gradio writes while an event waits

/** element: the component's; its block, around it, holds the status. */
export default function createPlace({ element }) {
  const block = element.closest('.block');
  const line = element.querySelector('.dm-place');
  const status = () => block.querySelector('[data-testid=status-tracker]')?.textContent ?? '';
  const say = () => setText(line, placeLine(status()));
  new MutationObserver(say).observe(block, { childList: true, subtree: true, characterData: true });
}

/** "queue: 3/4 | 0.2s" -> how many come before; anything else -> "". Pure. */
export function placeLine(status) {
  const place = Number(QUEUE.exec(status)?.[1] ?? 0);
  if (!place) return '';
  if (place === 1) return 'Waiting for the model: yours is the next run.';
  return `Waiting for the model: ${counted(place - 1, 'run')} before yours.`;
}
