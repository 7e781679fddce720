// The tokens as chips, in blocks and shots; the look of each chip.
import { make, makeButton, setText } from '../shared/dom.js';
import { blocksOf, isBreak, shownToken } from './layout.js';

const FOUND = 2500; // milliseconds that tokens stay marked
const OPEN_CHIP = 't o'; // the class of a token that is not decided
const MANY = 1500; // tokens that are certainly higher than the scroller

export class Chips {
  spans = []; // one for each token
  #worn = []; // the class that each span has now
  #heads = []; // of the shots; none where there is only one
  #box;
  #editable;
  #roles;
  #doc = null;

  /**
   * box: the scroller. editable: a shot's name keeps or drops the shot, elsewhere it folds it. roles: what a person may
   * say a shot is, with how it is called; none where they may not.
   */
  constructor(box, editable, roles) {
    this.#box = box;
    this.#editable = editable;
    this.#roles = Object.entries(roles);
  }

  build(doc) {
    this.#doc = doc;
    this.spans = new Array(doc.tokens.length);
    this.#worn = new Array(doc.tokens.length).fill(OPEN_CHIP);
    this.#heads = [];
    const shots = document.createDocumentFragment();
    doc.shots.forEach((shot, at) => shots.append(this.#buildShot(shot, at)));
    this.#box.replaceChildren(shots);
    this.#box.scrollTop = 0;
  }

  #buildShot(shot, at) {
    const box = make('div', 'dm-shot');
    const body = make('div', 'dm-shot-body');
    if (this.#doc.shots.length > 1 || this.#roles.length) box.append(this.#buildHead(shot, at));
    for (const [first, last] of blocksOf(this.#doc, shot)) body.append(this.#buildBlock(first, last, shot.last));
    box.append(body);
    return box;
  }

  #buildBlock(first, last, end) {
    const { tokens, gaps } = this.#doc;
    const block = make('div', 'dm-block');
    for (let i = first; i < last; i++) {
      const span = make('span', OPEN_CHIP, shownToken(this.#doc, i));
      span.setAttribute('data-i', i);
      this.spans[i] = span;
      block.append(gaps[i], span);
      if (isBreak(this.#doc, i) && i + 1 < end) block.append(tokens[i].length > 1 ? '\n\n' : '\n');
    }
    return block;
  }

  #buildHead(shot, at) {
    const head = make('div', 'dm-head');
    const fold = makeButton('dm-fold');
    fold.dataset.fold = at;
    fold.setAttribute('aria-expanded', 'true');
    fold.setAttribute('aria-label', `Fold ${shot.name}`);
    const name = makeButton('dm-name', shot.name);
    name.dataset[this.#editable ? 'shot' : 'fold'] = at;
    name.title = this.#editable ? `Keep or drop all of ${shot.name}` : 'Fold or unfold';
    const share = make('span', 'dm-share');
    const score = make('span', 'dm-score');
    score.title = 'The chance that the model gives this part as a whole to stay';
    head.append(fold, name, ...this.#buildRole(shot, at), share, score);
    this.#heads.push({ head, fold, share, score });
    return head;
  }

  // What a shot is, to be corrected, and a button that fixes all of it. Messages say themselves what they are.
  #buildRole({ name, role, first, last }, at) {
    if (!this.#roles.length) return [];
    const whole = makeButton('dm-whole', 'Never touch');
    let end = last; // without the empty lines behind it, which would stay even where the next shot goes
    while (end > first + 1 && isBreak(this.#doc, end - 1)) end--;
    whole.dataset.fix = `${first}-${end}`;
    whole.dataset.mark = 'K';
    whole.title = `Keep all of ${name}, whatever is asked`;
    if (this.#doc.chat) return [whole];
    const select = make('select', 'dm-role');
    select.setAttribute('aria-label', `What ${name} is`);
    select.dataset.role = at;
    select.append(...this.#roles.map(([value, title]) => new Option(title, value, false, value === role)));
    return [select, whole];
  }

  /** look(i) -> [state, shade 0-5, further classes]; only spans that change are touched. */
  paint(look) {
    const { spans } = this;
    const worn = this.#worn;
    for (let i = 0; i < spans.length; i++) {
      const [state, level, extra] = look(i);
      const wear = 't ' + 'okd'[state] + (level ? ' c' + level : '') + (extra ? ' ' + extra : '');
      if (worn[i] !== wear) spans[i].className = worn[i] = wear;
    }
  }

  /** text(shot): what a shot's head says about it. */
  showShares(text) {
    this.#heads.forEach(({ share }, at) => setText(share, text(this.#doc.shots[at])));
  }

  /** scores: keep probability of each shot as a whole; null = not known yet. One that is fixed whole has none. */
  showScores(scores) {
    const { shots, pins } = this.#doc;
    const mayGo = (i) => pins[i] === '.' && !isBreak(this.#doc, i);
    const isFixed = ({ first, last }) => !Array.from({ length: last - first }, (_, i) => first + i).some(mayGo);
    this.#heads.forEach(({ score }, at) => {
      const fixed = isFixed(shots[at]);
      score.hidden = fixed;
      score.textContent = scores && !fixed ? `chance to stay ${Math.round(100 * scores[at])} %` : '';
      score.style.setProperty('--share', scores ? scores[at] : 0);
    });
  }

  toggleFold(at) {
    const { head, fold } = this.#heads[at];
    const folded = head.parentElement.classList.toggle('is-folded');
    fold.setAttribute('aria-expanded', String(!folded));
    this.fitHeight();
  }

  /** Show tokens [first, last) and mark them for a while. */
  reveal(first, last) {
    const at = this.#doc.shots.findIndex((shot) => shot.first <= first && first < shot.last);
    if (this.#heads[at]?.head.parentElement.classList.contains('is-folded')) this.toggleFold(at);
    const found = this.spans.slice(first, last);
    found[0]?.scrollIntoView({ block: 'center' });
    for (const span of found) span.dataset.found = '';
    setTimeout(() => found.forEach((span) => delete span.dataset.found), FOUND);
  }

  /** The scroller is contained, so its height does not follow from its content: as high as needed, up to a limit. */
  fitHeight() {
    const most = Math.max(260, Math.round(window.innerHeight * 0.62));
    this.#box.style.height = `${this.#isLong() ? most : Math.min(this.#contentHeight(), most)}px`;
  }

  // Whether it is not worth measuring, which takes long.
  #isLong() {
    return this.spans.length > MANY && !this.#box.querySelector('.is-folded');
  }

  #contentHeight() {
    this.#box.style.height = '120px';
    return this.#box.scrollHeight + 4;
  }

  /** The words of tokens, for a sentence about them; never longer than a line. */
  quote(tokens) {
    const words = [];
    for (const i of tokens) {
      if (words.length === 4) break;
      const word = this.spans[i].textContent;
      if (isBreak(this.#doc, i) || !/[\p{L}\p{N}]/u.test(word)) continue;
      words.push(`“${word.length > 16 ? `${word.slice(0, 15)}…` : word}”`);
    }
    return words.join(' ');
  }

  /** The token that an event happened on, -1 = none. */
  tokenAt(event) {
    const span = event.target.closest && event.target.closest('.dm-scroll .t');
    return span ? Number(span.dataset.i) : -1;
  }

  /** The token nearest below (way 1) or above (-1) the one at i. */
  neighbour(i, way) {
    const { spans } = this;
    const from = spans[i].getBoundingClientRect();
    const middle = from.left + from.width / 2;
    let best = i;
    let bestAway = Infinity;
    let line = null; // top of the next line
    for (let j = i + way; j >= 0 && j < spans.length && Math.abs(j - i) < 400; j += way) {
      const at = spans[j].getBoundingClientRect();
      if (!at.width || Math.abs(at.top - from.top) < at.height / 2) continue; // folded away, or the same line
      if (line === null) line = at.top;
      if (Math.abs(at.top - line) > at.height / 2) break;
      const away = Math.abs(at.left + at.width / 2 - middle);
      if (away < bestAway) [best, bestAway] = [j, away];
    }
    return best;
  }
}

/** Confidence 0-255 as one of five shades; the square root spreads out the many that are near the cut-off. */
export const shade = (sure) => 1 + Math.min(4, Math.floor(5 * Math.sqrt(sure / 255)));
