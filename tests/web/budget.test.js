import { describe, expect, test } from 'vitest';
import { budget, maskAt } from '../../app/web/src/canvas/budget.js';
import { Run } from '../../app/web/src/canvas/run.js';
import { vectors } from './support.js';

test.each(vectors('budget'))('as many tokens as in Python at 1 to 100 %: vector %#', ({ tokens, held, budgets }) => {
  expect(budgets.map((_, at) => budget(tokens, held, (at + 1) / 100))).toEqual(budgets);
});

describe.each(vectors('runs'))('$name', ({ value, masks }) => {
  const [doc, ...lines] = value.split('\n').slice(0, -1).map((line) => JSON.parse(line));
  const run = new Run(doc);
  lines.slice(0, -1).forEach((line) => run.addStep(line));
  run.end = lines.at(-1);

  test.each(Object.entries(masks))('the mask at %s %% is sound, as Python settles it', (percent, mask) => {
    expect(maskAt(run, percent / 100, doc.retention).join('')).toBe(mask);
  });
});
