import { describe, expect, test } from 'vitest';
import { DROP, KEEP, OPEN, Run } from '../../app/web/src/canvas/run.js';
import { vectors } from './support.js';

const SIGNS = { [OPEN]: 'o', [KEEP]: 'k', [DROP]: 'd' };

describe.each(vectors('runs'))('$name', ({ value, states, sure }) => {
  const [doc, ...rest] = value.split('\n').slice(0, -1).map((line) => JSON.parse(line));
  const run = new Run(doc);
  rest.slice(0, -1).forEach((line) => run.addStep(line));

  test('each step shows what Python has decided by then', () => {
    const shown = states.map((_, step) => doc.tokens.map((__, i) => SIGNS[run.stateAt(i, step)]).join(''));
    expect(shown).toEqual(states);
  });

  test('confidences come through as bytes', () => {
    expect(Array.from(run.sure)).toEqual(sure);
  });
});

test('before the first step only pins are decided, whoever set them', () => {
  const run = new Run({ tokens: ['a', 'b', 'c', 'd', 'e'], pins: 'kD.Kd' });
  expect([0, 1, 2, 3, 4].map((i) => SIGNS[run.stateAt(i, 0)]).join('')).toBe('kdokd');
});

test('the masks of a stored correction are a whole run', () => {
  const run = new Run({ tokens: ['a', 'b', 'c'], pins: '...' });
  run.addMasks({ model: '101', human: '111', pins: '.K.' });
  expect([0, 1, 2].map((i) => SIGNS[run.stateAt(i, 1)]).join('')).toBe('kdk');
  expect(run.end.human).toBe('111');
});
