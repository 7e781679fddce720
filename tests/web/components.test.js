// @vitest-environment happy-dom
import { expect, test } from 'vitest';
import createCheckpoints from '../../app/web/src/checkpoints.js';
import createCompare from '../../app/web/src/compare.js';
import createConfirm from '../../app/web/src/confirm.js';
import createLearn from '../../app/web/src/learn.js';
import createTable from '../../app/web/src/table.js';
import { gradio } from './support.js';

const HOSTILE = '</td><img src=x onerror=alert(1)> ${1+1} `x` مرحبا 👩‍👩‍👧';

test('a table shows hostile words as they are, and says which row was picked', () => {
  const page = gradio('<div class="sheet"></div>', {});
  createTable(page.arguments);
  const rows = [['a', [HOSTILE, '1', 'new']], ['b', ['plain', '2', HOSTILE]]];
  page.send(JSON.stringify([
    { text: HOSTILE, kind: 'error' },
    { table: 'Prompts', columns: ['Words*', 'Count#', 'Status'], rows, chosen: 'b' },
    { page: 1, pages: 3, from: 11, total: 25, size: 10 },
  ]));
  expect(page.find('img')).toBe(null);
  expect(page.find('[role=alert]').textContent).toBe(HOSTILE);
  expect(page.find('tr[data-id=a] button').textContent).toBe(HOSTILE);
  expect(page.find('.is-picked').dataset.id).toBe('b');
  page.find('tr[data-id=a] button').click();
  page.find('[data-page="2"]').click();
  expect(page.events).toEqual([['pick', { id: 'a' }], ['turn', { page: 2 }]]);
  expect(page.find('.is-picked').dataset.id).toBe('a');
});

test('a comparison grows by pieces and asks for a vote', () => {
  const page = gradio('compare.html', {});
  createCompare(page.arguments);
  const lines = [
    { comparison: 'c', blind: true, questions: [HOSTILE], sides: 2 },
    { round: 0, side: 0, piece: ` ${HOSTILE}` }, { round: 0, side: 0, piece: ' on' }, { ask: true },
  ];
  lines.forEach((_, at) => page.send(lines.slice(0, at + 1).map((line) => `${JSON.stringify(line)}\n`).join('')));
  expect(page.find('.dc-answer').textContent).toBe(`${HOSTILE} on`);
  expect(page.find('.dc-question').textContent).toBe(HOSTILE);
  expect(page.find('.dc-vote').hidden).toBe(false);
  page.find('[data-winner=left]').click();
  expect(page.events).toEqual([['vote', { winner: 'left' }]]);
});

test('each question of a comparison has a row of sides, and it is said which agree', () => {
  const page = gradio('compare.html', {});
  createCompare(page.arguments);
  const lines = [
    { comparison: 'c', blind: false, questions: ['One?', ''], sides: 3 },
    { round: 1, side: 2, name: HOSTILE, sent: 'short' }, { round: 1, side: 2, figures: 'fast' },
    { round: 1, side: 1, agrees: true }, { round: 1, side: 2, agrees: false }, { end: '' },
  ];
  page.send(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const rounds = [...page.element.querySelectorAll('.dc-round')];
  expect(rounds.map((round) => round.querySelector('h2').textContent)).toEqual(['One?', 'The prompt as it is']);
  const sides = [...rounds[1].querySelectorAll('.dc-side')];
  expect(sides.map((side) => side.querySelector('.dc-agrees').textContent)).toEqual(
    ['', '✓ as the full prompt', '✕ not as the full prompt'],
  );
  expect(sides[2].querySelector('h3').textContent).toBe(HOSTILE);
  expect(sides[2].getAttribute('aria-label')).toBe(`Question 2: ${HOSTILE}`);
  expect(page.find('.dc-vote').hidden).toBe(true);
});

const RESULT = {
  checkpoint: 'abc', train: 4, held_out: 1, seconds: 61, served: false,
  agreement_before: 0.5, agreement_after: 0.75, edit_rate_before: 0.5, edit_rate_after: 0.25,
};

test.each([
  ['better', 'promote', [{ before: 'a b', after: HOSTILE, person: 'b', wrong: [0.5, 0.25] }]],
  ['worse', 'keep', []],
  ['same', 'keep', []],
  ['few', 'keep', []],
])('what was learned is judged by the server: %s', (level, primary, texts) => {
  const result = { ...RESULT, judgement: { level, text: `${level}, it says.`, texts } };
  const page = gradio('learn.html', {});
  createLearn(page.arguments);
  page.send(JSON.stringify({ job: { state: 'done', corrections: 5, result }, note: '' }));
  expect(page.find('.dl-verdict').textContent).toBe(`${level}, it says.`);
  expect(page.find('.dl-texts').hidden).toBe(!texts.length);
  expect(texts.length ? page.element.querySelectorAll('.dl-row pre')[1].textContent : HOSTILE).toBe(HOSTILE);
  expect(page.find('.dl-choice .dm-primary').dataset.act).toBe(primary);
  expect(page.find('.dl-says').textContent).toMatch('learned from 4 and was measured on 1 others, in 61 s.');
  page.find('[data-act=promote]').click();
  expect(page.events).toEqual([['serve', { id: 'abc' }]]);
});

test('the checkpoint that is served cannot be served again', () => {
  const page = gradio('checkpoints.html', {});
  createCheckpoints(page.arguments);
  const [metrics, created_at] = [{}, '2025-01-01T00:00:00Z'];
  const checkpoints = [
    { id: 'new', lineage: ['new', 'old'], corrections: 1, metrics, created_at },
    { id: 'old', lineage: ['old'], corrections: 0, metrics, created_at, served: true, shipped: true },
  ];
  page.send(JSON.stringify({ checkpoints, free: true, back: false }));
  const rows = [...page.element.querySelectorAll('tbody tr')];
  const texts = rows.map(({ cells }) => Array.from(cells, (cell) => cell.textContent));
  expect(texts[0].slice(0, 5)).toEqual(['new', 'old', '1 correction', '–', '–']);
  expect(texts[1][0]).toBe('old served shipped');
  expect(page.element.querySelectorAll('tbody button').length).toBe(1);
  expect(page.find('[data-act=back]').disabled).toBe(true);
});

test('a marked button acts only after a yes, and not where it means something else by then', () => {
  const page = gradio('confirm.html', {});
  createConfirm(page.arguments);
  const [dialog, button] = [page.find('dialog'), document.createElement('button')];
  const pressed = [];
  button.className = 'dm-confirm';
  button.textContent = 'Promote';
  button.dataset.question = `Promote ${HOSTILE}?`;
  button.addEventListener('click', () => pressed.push(button.dataset.question));
  document.body.append(button);
  const answer = (value) => {
    button.click();
    expect(dialog.open).toBe(true);
    dialog.close(value);
  };
  answer('yes');
  expect(page.find('h2').textContent).toBe(`Promote ${HOSTILE}?`);
  expect(page.find('[value=yes]').textContent).toBe('Promote');
  expect(pressed.length).toBe(1);
  answer('no');
  answer(); // Escape, after a yes to another question
  expect(pressed.length).toBe(1);
  button.click();
  button.dataset.question = 'Promote another?';
  dialog.close('yes');
  expect(pressed.length).toBe(1);
  button.remove();
});
