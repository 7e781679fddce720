import { expect, test } from 'vitest';
import { hint, reasons } from '../../app/web/src/canvas/unit.js';

const byte = (...shares) => btoa(String.fromCharCode(...shares.map((share) => Math.round(255 * share))));
const doc = {
  tokens: ['Open', 'at', 'nine', 'Nine', 'it', 'is'],
  gaps: ['', ' ', ' ', ' ', ' ', ' '],
  pins: '......',
  flags: '000000',
  units: [[0, 6, 'prompt'], [0, 3, 'sentence'], [3, 6, 'sentence']],
  shots: [{ name: 'Notes', first: 0, last: 6 }],
};
const why = { asked: { 1: 80 }, like: { 1: [2], 2: [1] }, to: 'question' };
const run = { steps: [{ units: byte(0, 0.9, 0.2), shots: [0.5] }], end: { why } };

test('what is said already depends on what is kept at the step', () => {
  const unit = { at: 1, first: 0, last: 3 };
  const says = reasons({ doc, run }, unit, 1, (i) => i >= 3);
  const goes = 'it goes, for what is likelier fills the length.';
  expect(says[0]).toBe(`At step 1 the model gives it a chance of 90 % to stay; ${goes}`);
  expect(says[1]).toContain('nearer to the question than 80 %');
  expect(says).toContain('All of Notes has a chance of 50 %.');
  expect(says.at(-1)).toBe('Said already by what is kept: “Nine it is”');
  expect(reasons({ doc, run }, unit, 1, () => false).join()).not.toContain('Said already');
});

test('before the first step nothing is said that is not known', () => {
  const unit = { at: 2, first: 3, last: 6 };
  expect(reasons({ doc, run: { steps: [], end: null } }, unit, 0, () => false)).toEqual([]);
  expect(reasons({ doc: { ...doc, pins: '....K.' }, run }, unit, 0, () => false).at(-1)).toContain('fixed');
});

test('where units are not judged, their words are', () => {
  const words = { probability: byte(0.2, 0.4, 0.6, 1, 1, 1), units: '', shots: [0.5] };
  const says = reasons({ doc, run: { ...run, steps: [words] } }, { at: 1, first: 0, last: 3 }, 1, () => false);
  expect(says).toContain('At step 1 the model gives it a chance of 40 % to stay.');
});

test('who fixed it comes before what the model thinks, which counts for nothing where all is fixed', () => {
  const says = (pins) => reasons({ doc: { ...doc, pins }, run }, { at: 1, first: 0, last: 3 }, 1, () => true);
  expect(says('kkk...')[0]).toBe('Always kept, by the setting “Always keep”.');
  expect(says('kkk...').join()).not.toMatch(/At step|chance/);
  expect(says('DDD...')[0]).toBe('Always dropped, by you.');
  expect(says('K.....').slice(0, 2).join()).toMatch(/^Some of its words are fixed by you.,At step 1/);
});

test('under the pointer the same is said, with when the word was decided', () => {
  const decided = { ...run, when: [1, 1, 1, -1, -1, -1], keep: [1, 1, 1, 0, 0, 0] };
  expect(hint({ doc, run: decided }, 0, 1, () => true)).toMatch(/^Kept in step 1.\nAt step 1 the model gives it/);
  expect(hint({ doc, run: decided }, 4, 1, () => false)).toMatch(/^Not decided yet.\n/);
  expect(hint({ doc, run: decided }, 4, 0, () => false)).toBe('');
});
