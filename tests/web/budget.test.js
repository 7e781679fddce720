import { describe, expect, test } from 'vitest';
import { budget, maskOf, roundHalfEven } from '../../app/web/src/canvas/budget.js';
import { vectors } from './support.js';

test('halves are rounded as Python rounds them', () => {
  expect([0.5, 1.5, 2.5, 3.5, 2.4999, 2.5001, 7, 0].map(roundHalfEven)).toEqual([0, 2, 2, 4, 2, 3, 7, 0]);
});

test.each(vectors('budget'))('as many tokens as in Python at 1 to 100 %: vector %#', ({ pins, kept }) => {
  expect(kept.map((_, at) => budget(pins, (at + 1) / 100))).toEqual(kept);
});

describe.each(vectors('runs'))('$name', ({ value, masks }) => {
  const [doc, end] = [value.split('\n').at(0), value.split('\n').at(-2)].map(JSON.parse);

  test.each(Object.entries(masks))('the mask at %s %% is what Python keeps of the order', (percent, mask) => {
    expect(maskOf(end.order, budget(doc.pins, percent / 100)).join('')).toBe(mask);
  });
});
