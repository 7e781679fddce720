// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import createCanvas from '../../app/web/src/canvas/index.js';
import { marksWith, spansOf } from '../../app/web/src/canvas/verdict.js';
import { gradio, vectors } from './support.js';

const SETTINGS = { slider: '', inputs: { text: 'prompt', settings: 'settings' }, empty: 'Press Run.', counters: [] };
const [RUN] = vectors('runs');
const HOSTILE = '<img src=x onerror=alert(1)> ${1+1}';

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  document.body.replaceChildren();
});

function opened(mode, verdict) {
  const page = gradio('canvas.html', { ...SETTINGS, slider: 'retention', mode });
  createCanvas(page.arguments);
  const lines = RUN.value.split('\n').slice(0, -1);
  page.send([...lines.slice(0, -1), JSON.stringify({ ...JSON.parse(lines.at(-1)), verdict })].join('\n') + '\n');
  vi.advanceTimersByTime(60_000);
  return page;
}

const line = (text, places, act = 'keep') => ({ level: 'look', text, places, more: 2, act });
const VERDICT = {
  level: 'look',
  headline: HOSTILE,
  lines: [line(HOSTILE, [{ text: HOSTILE, first: 2, last: 4 }])],
  rules: [[2, 4], [6, 7]],
  clean: 60,
};

test('spans and marks: pins of rules are not sent, those of a person are', () => {
  expect(spansOf('3-5 9-12')).toEqual([[3, 5], [9, 12]]);
  expect(marksWith('k.D.Kd', [[1, 2]], 'K')).toBe('.KD.K.');
  expect(marksWith('k.D.Kd', [[2, 5]], '.')).toBe('......');
});

test('a verdict is text, whatever it looks like, and its buttons ask for what they say', () => {
  const page = opened('view', VERDICT);
  const panel = page.find('.dm-verdict');
  expect(panel.hidden).toBe(false);
  expect(panel.querySelectorAll('img').length).toBe(0);
  expect(page.find('.dm-verdict-head').textContent).toBe(HOSTILE);
  expect(page.find('.dm-go').textContent).toBe(HOSTILE);
  page.find('.dm-go').click();
  expect(page.element.querySelectorAll('.t[data-found]').length).toBe(2);
  page.find('.dm-fix').click();
  page.find('.dm-clean').click();
  const n = JSON.parse(RUN.value.split('\n')[0]).tokens.length;
  const marks = page.events.filter(([name]) => name === 'fix').map(([, data]) => data.marks);
  expect(marks).toEqual(['..KK'.padEnd(n, '.'), '..KK..K'.padEnd(n, '.')]);
});

test('the length that all rules need is said where it is more than was asked', () => {
  const said = (clean) => opened('view', { ...VERDICT, clean }).find('.dm-clean').textContent;
  expect(said(100)).toBe('Keep the task and all rules (needs 100 %)');
  expect(said(1)).toBe('Keep the task and all rules');
});

test('another text greys what is shown, the same text brings it back, a setting greys it until the next run', () => {
  const page = opened('view', VERDICT);
  const [box, setting] = [['prompt', 'textarea'], ['settings', 'input']].map(([id, tag]) => {
    const outer = document.body.appendChild(document.createElement('div'));
    outer.id = id;
    return outer.appendChild(document.createElement(tag));
  });
  const type = (input, value) => {
    input.value = value;
    input.dispatchEvent(new Event('input', { bubbles: true }));
    return page.find('.dm').classList.contains('is-stale');
  };
  const text = vectors('layout').find(({ name }) => name === 'plain').text;
  const greyed = [type(box, 'another'), type(box, text), type(setting, '3'), type(box, text)];
  expect(greyed).toEqual([true, false, true, true]);
  page.send(RUN.value.replace('"run":"run"', '"run":"next"'));
  expect(page.find('.dm').classList.contains('is-stale')).toBe(false);
});

test('in Correct a place is kept as an edit, which can be undone', () => {
  const page = opened('edit', VERDICT);
  const shown = () => [...page.element.querySelectorAll('.dm-scroll .t')].map((chip) => chip.className.split(' ')[1]);
  const before = shown();
  page.find('.dm-fix').click();
  expect(shown().slice(2, 4)).toEqual(['k', 'k']);
  page.find('[data-act=undo]').click();
  expect(shown()).toEqual(before);
  expect(page.events.filter(([name]) => name === 'fix')).toEqual([]);
});
