// @vitest-environment happy-dom
import { expect, test } from 'vitest';
import createPlace, { placeLine } from '../../app/web/src/place.js';

test('a place in the queue is said as what comes before', () => {
  expect(placeLine('queue: 1/4 | 0.2s')).toBe('Waiting for the model: yours is the next run.');
  expect(placeLine('queue: 2/4 |')).toBe('Waiting for the model: 1 run before yours.');
  expect(placeLine('queue: 12/64 | 3.1s')).toBe('Waiting for the model: 11 runs before yours.');
  for (const status of ['', 'processing | 0.3s', 'Error']) expect(placeLine(status)).toBe('');
});

test('it follows the status of its block', async () => {
  const inside = '<i data-testid="status-tracker"></i><b><p class="dm-place"></p></b>';
  document.body.innerHTML = `<div class="block">${inside}</div>`;
  const [status, line] = [document.querySelector('i'), document.querySelector('p')];
  createPlace({ element: line.parentElement });
  const said = [];
  for (const text of ['queue: 2/3 | 0.1s', 'processing |']) {
    status.textContent = text;
    await new Promise((resolve) => setTimeout(resolve));
    said.push(line.textContent);
  }
  expect(said).toEqual(['Waiting for the model: 1 run before yours.', '']);
});
