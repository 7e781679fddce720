// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import createCanvas from '../../app/web/src/canvas/index.js';
import { gradio, vectors } from './support.js';

const RUNS = vectors('runs');
const SETTINGS = { slider: '', inputs: { text: 'prompt', settings: 'settings' }, empty: 'Press Run.', counters: [] };

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  document.body.replaceChildren();
});

function open(mode, more = {}) {
  const page = gradio('canvas.html', { ...SETTINGS, mode, ...more });
  createCanvas(page.arguments);
  return page;
}

const chips = (page) => [...page.element.querySelectorAll('.dm-scroll .t')];
const states = (page) => chips(page).map((chip) => chip.className.split(' ')[1]).join('');
const click = (page, act) => page.find(`[data-act=${act}]`).click();

function press(chip) {
  chip.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true, button: 0 }));
  chip.dispatchEvent(new PointerEvent('pointerup', { bubbles: true, button: 0 }));
}

test.each(RUNS)('plays to the end: $name', ({ value, states: steps, text }) => {
  const page = open('view');
  page.send(value);
  expect(states(page)).toBe(steps[0]);
  vi.advanceTimersByTime(60_000);
  expect(states(page)).toBe(steps.at(-1));
  expect(page.find('.dm-out').textContent).toBe(text);
  expect(page.find('.dm').dataset.state).toBe('done');
  click(page, 'first');
  for (const shown of steps.slice(1)) {
    click(page, 'forward');
    expect(states(page)).toBe(shown);
  }
});

test.each(RUNS)('what is sent stands on screen as text, whatever it looks like: $name', ({ value }) => {
  const page = open('view');
  const { tokens } = JSON.parse(value.split('\n')[0]);
  page.send(value);
  expect(chips(page).length).toBe(tokens.length);
  const tags = new Set(Array.from(page.element.querySelectorAll('.dm-scroll *'), ({ tagName }) => tagName));
  expect(['DIV', 'SPAN', 'BUTTON']).toEqual(expect.arrayContaining([...tags]));
});

test('canvases on one page know nothing of each other', () => {
  const [a, b] = [open('edit'), open('edit')];
  a.send(RUNS[1].value);
  b.send(RUNS[3].value);
  const before = states(b);
  press(chips(a)[1]);
  expect(states(a)[1]).not.toBe(RUNS[1].states.at(-1)[1]);
  expect(states(b)).toBe(before);
  expect(b.find('[data-act=undo]').disabled).toBe(true);
});

test('an edit is drafted once it is quiet, with masks as text', () => {
  const page = open('edit');
  page.send(RUNS[1].value);
  const at = RUNS[1].states.at(-1).indexOf('d', 4);
  press(chips(page)[at]);
  vi.advanceTimersByTime(600);
  press(chips(page)[at]);
  vi.advanceTimersByTime(600);
  expect(page.events).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(page.events.map(([name]) => name)).toEqual(['draft']);
  const { mask, pins, correction } = page.events[0][1];
  expect(mask).toBe(RUNS[1].states.at(-1).replaceAll('k', '1').replaceAll('d', '0'));
  expect(pins).toBe([...mask].map((_, i) => (i === at || i === 3 ? 'D' : '.')).join('')); // 3: pinned by hand before
  expect(correction).toBe('run');
});

test('the slider previews in the browser, and asks when it is let go', () => {
  const slider = document.createElement('input');
  slider.id = 'slide';
  document.body.append(slider);
  const page = open('view', { slider: 'slide' });
  const { value, masks } = RUNS[1];
  page.send(value);
  for (const [percent, mask] of Object.entries(masks)) {
    slider.value = percent;
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    expect(states(page)).toBe(mask.replaceAll('1', 'k').replaceAll('0', 'd'));
  }
  expect(page.events).toEqual([]);
  slider.dispatchEvent(new Event('change', { bubbles: true }));
  vi.advanceTimersByTime(0);
  expect(page.events).toEqual([['resample', {}]]);
});

test('a stored correction shows the difference, and either mask', () => {
  const page = open('review');
  const [first] = RUNS[1].value.split('\n');
  const n = JSON.parse(first).tokens.length;
  const [model, human] = ['1'.repeat(n), `00${'1'.repeat(n - 2)}`];
  page.send(`${first}\n${JSON.stringify({ model, human, pins: '.'.repeat(n) })}\n`);
  expect(chips(page).slice(0, 3).map((chip) => chip.classList.contains('minus'))).toEqual([true, true, false]);
  expect(page.find('.dm-counts').textContent).toContain('+0 kept · −2 dropped by the person');
  click(page, 'model');
  expect(states(page)).toBe('k'.repeat(n));
});

test('a refusal is said and leaves what is shown', () => {
  const page = open('view');
  page.send(RUNS[1].value);
  vi.advanceTimersByTime(60_000);
  const before = states(page);
  page.send(`${JSON.stringify({ error: '<b>no</b> ${1+1}', at: '1' })}\n`);
  expect(page.find('.dm-error').textContent).toBe('<b>no</b> ${1+1}');
  expect([page.find('.dm-error').hidden, states(page)]).toEqual([false, before]);
});
