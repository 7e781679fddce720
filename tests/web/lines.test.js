import { describe, expect, test } from 'vitest';
import { LineReader } from '../../app/web/src/shared/lines.js';
import { vectors } from './support.js';

describe.each(vectors('runs'))('$name', ({ value }) => {
  const lines = value.split('\n').slice(0, -1).map((line) => JSON.parse(line));

  test.each([1, 7, 400, 100_000])('every line is read once when %d characters arrive at a time', (size) => {
    const reader = new LineReader();
    const read = [];
    for (let end = 0; end < value.length + size; end += size) read.push(...reader.read(value.slice(0, end)));
    expect(read).toEqual(lines);
  });
});

test('a text that begins otherwise is a new one, also when it is shorter', () => {
  const reader = new LineReader();
  expect(reader.read('{"run":1}\n{"step":1}\n')).toEqual([{ run: 1 }, { step: 1 }]);
  expect(reader.read('{"run":2}\n')).toEqual([{ run: 2 }]);
  expect(reader.read('{"run":2}\n{"step":1}\n')).toEqual([{ step: 1 }]);
  expect(reader.read('')).toEqual([]);
  expect(reader.read('{"run":2}\n{"step":1}\n')).toEqual([]);
});

test('what holds line separators of other kinds is one line', () => {
  expect(new LineReader().read('{"error":"a\u2028b\u0085c"}\n')).toEqual([{ error: 'a\u2028b\u0085c' }]);
});
