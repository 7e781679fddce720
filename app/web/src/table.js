// Paragraphs, facts and tables: the blocks of app/components/table.py.
import { make, makeButton } from './shared/dom.js';

const KINDS = { '#': 'is-number', '*': 'is-words' }; // what a column's title ends with

export default function createTable({ element, props, trigger, watch }) {
  const host = element.querySelector('.sheet');
  let picked = ''; // id of the row that is marked

  const draw = () => {
    const blocks = JSON.parse(props.value || '[]');
    picked = blocks.reduce((last, block) => block.chosen || last, picked);
    host.replaceChildren(...blocks.map((block) => build(block, picked)));
  };

  host.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-page]');
    if (button) return trigger('turn', { page: Number(button.dataset.page) });
    const row = event.target.closest('tr[data-id]');
    if (!row || String(window.getSelection())) return; // who selects text does not pick
    picked = row.dataset.id;
    host.querySelectorAll('tr.is-picked').forEach((other) => other.classList.remove('is-picked'));
    row.classList.add('is-picked');
    trigger('pick', { id: picked });
  });

  watch('value', draw);
  draw();
}

function build(block, picked) {
  if (block.table !== undefined) return buildTable(block, picked);
  if (block.facts) return buildFacts(block.facts);
  if (block.page !== undefined) return buildPages(block);
  return buildText(block);
}

function buildText({ kind, text }) {
  const node = make(kind === 'heading' ? 'h2' : 'p', `sheet-${kind || 'text'}`, text);
  node.dir = 'auto';
  if (kind === 'error') node.setAttribute('role', 'alert');
  if (kind === 'ok') node.setAttribute('role', 'status');
  return node;
}

function buildFacts(pairs) {
  const list = make('dl', 'sheet-facts');
  for (const [name, value] of pairs) {
    const words = make('dd', '', value);
    words.dir = 'auto';
    list.append(make('dt', '', name), words);
  }
  return list;
}

function buildTable({ table: label, columns, rows }, picked) {
  const titles = columns.map((title) => title.replace(/[#*]$/, ''));
  const kinds = columns.map((title) => KINDS[title.slice(-1)] || '');
  const table = make('table', 'sheet-table');
  const head = make('tr');
  table.setAttribute('aria-label', label);
  titles.forEach((title, at) => head.append(make('th', kinds[at], title)));
  table.append(make('thead'), make('tbody'));
  table.tHead.append(head);
  for (const [id, cells] of rows) {
    const row = make('tr', id && id === picked ? 'is-picked' : '');
    if (id) row.dataset.id = id;
    cells.forEach((words, at) => row.append(buildCell(words, titles[at], kinds[at], id)));
    table.tBodies[0].append(row);
  }
  return table;
}

function buildCell(words, title, kind, id) {
  const cell = make('td', kind);
  cell.dataset.title = title;
  cell.dir = kind === 'is-words' ? 'auto' : 'ltr';
  if (title === 'Status') cell.append(make('span', `sheet-status is-${words.replace(/\W/g, '-')}`, words));
  else if (kind === 'is-words' && id) cell.append(makeButton('sheet-pick', words)); // so that the keyboard gets there
  else cell.textContent = words;
  return cell;
}

function buildPages({ page, pages, from, total, size }) {
  const line = make('nav', 'sheet-pages');
  line.setAttribute('aria-label', 'Pages');
  const until = Math.min(from + size - 1, total);
  const step = (name, to) => {
    const button = makeButton('', name);
    button.dataset.page = to;
    button.disabled = to < 0 || to >= pages;
    return button;
  };
  line.append(step('‹ Newer', page - 1), make('span', '', `${from}–${until} of ${total}`), step('Older ›', page + 1));
  return line;
}
