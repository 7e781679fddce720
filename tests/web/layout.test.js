import { describe, expect, test } from 'vitest';
import { blocksOf, compressedText, isBreak, isSamePrompt, shownToken } from '../../app/web/src/canvas/layout.js';
import { vectors } from './support.js';

const VECTORS = vectors('layout');

describe.each(VECTORS)('$name', ({ text, document, cases }) => {
  test('the compressed text of any mask is what Python writes', () => {
    for (const { keep, text: expected } of cases) {
      expect(compressedText(document, (i) => keep[i] === '1')).toBe(expected);
    }
  });

  test('everything kept is the text itself', () => {
    expect(compressedText(document, () => true)).toBe(text);
  });

  test('every token is shown, and none as something that cannot be seen', () => {
    document.tokens.forEach((token, i) => {
      expect(shownToken(document, i)).toMatch(/[^\p{Cc}\p{Cf}\p{Cn}\p{Default_Ignorable_Code_Point}\s]/u);
    });
  });

  test('every token stands in one block', () => {
    const found = document.shots.flatMap((shot) => blocksOf(document, shot));
    expect(found.flatMap(([first, last]) => indices(first, last))).toEqual(indices(0, document.tokens.length));
  });
});

test('signs stand for line breaks and for what is not seen; all else is shown as it is', () => {
  const { document } = VECTORS.find(({ name }) => name === 'line breaks');
  const shown = document.tokens.map((_, i) => (isBreak(document, i) ? shownToken(document, i) : ''));
  expect(shown.slice(0, 9)).toEqual(['', '', '↵↵', '', '↵', '', '↵', '', '↵↵']);
  const unseen = { tokens: ['\u200b', '\u202e', '<b>', '${1}', '👍🏽', '\u{e0067}\0'], flags: '000000' };
  const texts = unseen.tokens.map((_, i) => shownToken(unseen, i));
  expect(texts).toEqual(['U+200B', 'U+202E', '<b>', '${1}', '👍🏽', 'U+E0067 U+0000']);
});

test('a block ends at a line break after 50 tokens, and after 150 in any case', () => {
  const n = 1000;
  const words = { flags: '0'.repeat(n), tokens: new Array(n).fill('x') };
  const sizes = (doc) => blocksOf(doc, { first: 0, last: n }).map(([first, last]) => last - first);
  expect(sizes(words)).toEqual([150, 150, 150, 150, 150, 150, 100]);
  const lines = { ...words, flags: '000000000000000000000000000004'.repeat(34).slice(0, n) }; // 30 tokens a line
  expect(sizes(lines).slice(0, -1).every((size) => size === 60)).toBe(true);
});

test('another gap is another prompt', () => {
  const a = { tokens: ['a', 'b'], gaps: ['', ' '], flags: '3;' };
  expect(isSamePrompt(a, structuredClone(a))).toBe(true);
  expect(isSamePrompt(a, { ...a, gaps: ['', '  '] })).toBe(false);
  expect(isSamePrompt(a, { ...a, tokens: ['a', 'c'] })).toBe(false);
});

const indices = (first, last) => Array.from({ length: last - first }, (_, at) => first + at);
