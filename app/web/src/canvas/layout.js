// The compressed text and what is shown of a token. Pure; the same as Prompt.render in model/prompt.

// What a token's flags say; from token_flags in app/components/canvas_lines.py
const [FUSES_LEFT, FUSES_RIGHT, IS_BREAK, SPACE_BEFORE, SPACE_INSIDE] = [1, 2, 4, 8, 16];
const [CLOSE_LEFT, CLOSE_RIGHT] = [32, 64];
const BLOCK = 100; // tokens that the browser may skip at once while they are off screen
const UNSEEN = /^[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Default_Ignorable_Code_Point}]+$/u;

const flagsOf = (doc, i) => doc.flags.charCodeAt(i) - 48;

export const isBreak = (doc, i) => (flagsOf(doc, i) & IS_BREAK) !== 0;

/** The text of the kept tokens, of all or of [first, last). isKept(i): whether token i is. */
export function compressedText(doc, isKept, first = 0, last = doc.tokens.length) {
  const out = [];
  let before = -1; // the last kept token
  let space = false; // white space since then
  for (let i = first; i < last; i++) {
    const flags = flagsOf(doc, i);
    space = space || (flags & SPACE_BEFORE) !== 0;
    if (!isKept(i)) {
      space = space || (flags & SPACE_INSIDE) !== 0;
      continue;
    }
    if (before === i - 1 || i === first || isIndented(doc, before, i)) out.push(doc.gaps[i]);
    else if (before >= 0) out.push(joint(flagsOf(doc, before), flags, space));
    out.push(doc.tokens[i]);
    [before, space] = [i, false];
  }
  if (before === last - 1) out.push(doc.gaps[last] ?? doc.tail);
  return out.join('');
}

// Whether token i begins its line, and what is written so far ends one: then it keeps its indentation.
function isIndented(doc, before, i) {
  const begins = i === 0 || (isBreak(doc, i - 1) && !isBreak(doc, i));
  return begins && (before < 0 || isBreak(doc, before));
}

// What stands between two kept tokens when those between them are dropped.
function joint(left, right, space) {
  if ((left | right) & IS_BREAK) return '';
  if (left & FUSES_RIGHT && right & FUSES_LEFT) return ' ';
  const close = right & CLOSE_LEFT || left & CLOSE_RIGHT;
  return space && !close ? ' ' : '';
}

/** What is shown of a token: signs for line breaks, code points for what nobody sees or what turns the text around. */
export function shownToken(doc, i) {
  const token = doc.tokens[i];
  if (isBreak(doc, i)) return '↵'.repeat(Math.min(token.replace(/\r\n/g, '\n').length, 2));
  return UNSEEN.test(token) ? Array.from(token, codePoint).join(' ') : token;
}

const codePoint = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;

/**
 * The tokens of a shot in blocks [first, last), each a box of its own.
 * A new block is a new line on screen: it waits for a line break, but not for ever.
 */
export function blocksOf(doc, shot) {
  const blocks = [];
  let first = shot.first;
  for (let i = shot.first + 1; i < shot.last; i++) {
    const held = i - first;
    if ((held >= BLOCK / 2 && isBreak(doc, i - 1)) || held >= BLOCK * 1.5) {
      blocks.push([first, i]);
      first = i;
    }
  }
  if (first < shot.last) blocks.push([first, shot.last]);
  return blocks;
}

/** Whether two documents are the same prompt: its chips need not be built again. */
export function isSamePrompt(a, b) {
  return a.flags === b.flags && areEqual(a.tokens, b.tokens) && areEqual(a.gaps, b.gaps);
}

/** Whether two documents have the same parts. */
export function haveSameParts(a, b) {
  const parts = ({ shots }) => shots.map(({ role, first, name }) => [role, first, name].join());
  return areEqual(parts(a), parts(b));
}

const areEqual = (a, b) => a.length === b.length && a.every((item, i) => item === b[i]);
