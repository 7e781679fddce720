// A sheet of paragraphs, facts and tables: see app/sheet.py. Texts enter with textContent only.
const host = element.querySelector('.sheet');
let picked = '';

function make(tag, name = '', text = '') {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text) node.textContent = text;
  return node;
}

function build(block) {
  if (block.table !== undefined) return buildTable(block);
  if (block.facts) return buildFacts(block.facts);
  if (block.page !== undefined) return buildPages(block);
  const text = make(block.kind === 'heading' ? 'h3' : 'p', 'sheet-' + (block.kind || 'text'), block.text);
  text.dir = 'auto';
  if (block.kind === 'error') text.setAttribute('role', 'alert');
  if (block.kind === 'ok') text.setAttribute('role', 'status');
  return text;
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

function buildTable({ table: label, columns, rows, chosen }) {
  if (chosen) picked = chosen;
  const titles = columns.map((title) => title.replace(/[#*]$/, ''));
  const kinds = columns.map((title) => ({ '#': 'is-number', '*': 'is-words' }[title.slice(-1)] || ''));
  const table = make('table', 'sheet-table');
  table.setAttribute('aria-label', label);
  const head = make('tr');
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
  if (title === 'Status') cell.append(make('span', 'sheet-status is-' + words.replace(/\W/g, '-'), words));
  else if (kind === 'is-words' && id) { // a button, so that the keyboard gets there
    const button = make('button', 'sheet-pick', words);
    button.type = 'button';
    cell.append(button);
  } else cell.textContent = words;
  return cell;
}

function buildPages({ page, pages, from, total, size }) {
  const line = make('nav', 'sheet-pages');
  line.setAttribute('aria-label', 'Pages');
  const until = Math.min(from + size - 1, total);
  const step = (name, to) => {
    const button = make('button', '', name);
    button.type = 'button';
    button.dataset.page = to;
    button.disabled = to < 0 || to >= pages;
    return button;
  };
  line.append(step('‹ Newer', page - 1), make('span', '', from + '–' + until + ' of ' + total), step('Older ›', page + 1));
  return line;
}

function draw() {
  host.replaceChildren(...JSON.parse(props.value || '[]').map(build));
}

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
