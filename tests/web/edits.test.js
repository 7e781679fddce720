import { describe, expect, test } from 'vitest';
import { Edits, range } from '../../app/web/src/canvas/edits.js';
import { bits, vectors } from './support.js';

const DO = {
  toggle: (edits, a, b) => edits.toggle(range(a, b)),
  keep: (edits, a, b) => edits.setKeep(range(a, b), 1),
  drop: (edits, a, b) => edits.setKeep(range(a, b), 0),
  pin: (edits, a, b) => edits.togglePin(range(a, b)),
  undo: (edits) => edits.undo(),
  redo: (edits) => edits.redo(),
  restore: (edits, mask, pins) => edits.restore(mask, pins),
  takeOver: (edits, mask) => edits.takeOver(bits(mask)),
  extend: (edits, i) => edits.extendTo(i),
  brush(edits, from, to) {
    edits.startBrush(from);
    edits.brush.to = to;
    edits.liftBrush();
  },
};

describe('edits give the masks and pins that Python reads', () => {
  test.each(vectors('edits'))('$name', ({ model, pins, edits: steps }) => {
    const edits = Edits.of(bits(model), pins);
    for (const { do: [name, ...values], mask, pins: pinned } of steps) {
      DO[name](edits, ...values);
      expect([edits.maskText, edits.pinText]).toEqual([mask, pinned]);
    }
  });
});

const fresh = () => Edits.of(bits('0110010'), '.......');

test('any number of edits can be taken back and done again', () => {
  const edits = fresh();
  const seen = [edits.maskText + edits.pinText];
  for (let i = 0; i < 50; i++) {
    edits.toggle(range(i % 7, (i * 3) % 7));
    seen.push(edits.maskText + edits.pinText);
  }
  for (const before of seen.slice(0, -1).reverse()) {
    expect(edits.undo()).toBe(true);
    expect(edits.maskText + edits.pinText).toBe(before);
  }
  expect(edits.undo()).toBe(false);
  while (edits.redo());
  expect(edits.maskText + edits.pinText).toBe(seen.at(-1));
});

test('what changes nothing is no edit', () => {
  const edits = fresh();
  edits.toggle([0]);
  expect(edits.setKeep([0], 1)).toBe(false);
  expect(edits.done.length).toBe(1);
});

test('the model is given with its mask and keeps it', () => {
  const mask = Uint8Array.from(bits('0110'));
  Edits.of(mask, '....').toggle([0, 1, 2, 3]);
  expect(mask.join('')).toBe('0110');
});

test('the cursor stays in the prompt; the selection grows from the anchor', () => {
  const edits = fresh();
  edits.moveTo(2, false);
  edits.moveTo(4, true);
  expect(edits.selection).toEqual([2, 3, 4]);
  edits.moveTo(1, true);
  expect(edits.selection).toEqual([1, 2]);
  edits.moveTo(99, false);
  expect(edits.selection).toEqual([6]);
  edits.moveTo(-5, false);
  expect(edits.selection).toEqual([0]);
});

test('it is known what the model moved, until the next edit', () => {
  const edits = fresh();
  expect(edits.takeOver(bits('1100110'))).toEqual({ kept: [0, 4], dropped: [2] });
  expect([...edits.moved]).toEqual([0, 2, 4]);
  edits.toggle([6]);
  expect(edits.moved.size).toBe(0);
  expect(edits.takeOver(edits.mask.slice())).toEqual({ kept: [], dropped: [] });
});
