import { expect, test } from 'vitest';
import { reasons } from '../../app/web/src/canvas/unit.js';

const byte = (...shares) => btoa(String.fromCharCode(...shares.map((share) => Math.round(255 * share))));
const doc = {
  tokens: ['Open', 'at', 'nine', 'Nine', 'it', 'is'],
  gaps: ['', ' ', ' ', ' ', ' ', ' '],
  pins: '......',
  units: [[0, 6, 'prompt'], [0, 3, 'sentence'], [3, 6, 'sentence']],
  shots: [{ name: 'Notes', first: 0, last: 6 }],
};
const why = { asked: { 1: 80 }, like: { 1: [2], 2: [1] }, to: 'question' };
const run = { steps: [{ units: byte(0, 0.9, 0.2), shots: [0.5] }], end: { why } };

test('what is said already depends on what is kept at the step', () => {
  const unit = { at: 1, first: 0, last: 3 };
  const says = reasons({ doc, run }, unit, 1, (i) => i >= 3);
  expect(says[0]).toContain('80 %');
  expect(says[1]).toBe('At step 1 the model gave it 90 % to be kept; it goes, for what is likelier fills the length.');
  expect(says).toContain('Notes as a whole: 50 %.');
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
  expect(says).toContain('At step 1 the model gave it 40 % to be kept.');
});
