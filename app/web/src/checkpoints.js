// The table of checkpoints, newest first, each with what it was made from: the JSON of app/learn/view.py.
import { finder, make, makeButton } from './shared/dom.js';
import { counted, share } from './shared/format.js';

const NONE = '–';

export default function createCheckpoints({ element, props, trigger, watch }) {
  const find = finder(element);
  element.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    if (button.dataset.act === 'back') trigger('back', {});
    else trigger('serve', { id: button.dataset.id });
  });
  const read = () => props.value && show(find, JSON.parse(props.value));
  watch('value', read);
  read();
}

function show(find, { checkpoints, free, back }) {
  const last = find('[data-act=back]');
  last.disabled = !back;
  last.dataset.question = `Roll back from ${checkpoints.find(({ served }) => served)?.id}?`;
  find('tbody').replaceChildren(...checkpoints.map((checkpoint) => buildRow(checkpoint, free)));
}

function buildRow(checkpoint, free) {
  const { id, served, lineage, corrections, metrics, created_at } = checkpoint;
  const row = make('tr', served ? 'is-served' : '');
  row.dataset.id = id;
  row.append(
    buildName(checkpoint),
    buildCell(lineage.slice(1).join(' ← ') || NONE, 'Made from', 'dl-line'),
    buildCell(corrections ? counted(corrections, 'correction') : NONE, 'Learned from'),
    buildCell(change(metrics, 'agreement'), 'Agreement'),
    buildCell(change(metrics, 'edit_rate'), 'Edit rate'),
    buildCell(new Date(created_at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' }), 'Made'),
    buildServe(id, served, free),
  );
  return row;
}

function buildCell(text, label, kind = '') {
  const cell = make('td', kind + (text === NONE ? ' is-blank' : ''), text);
  cell.dataset.label = label;
  return cell;
}

function buildName({ id, served, shipped, rolled_back }) {
  const cell = make('td', 'dl-name');
  cell.append(make('code', '', id));
  if (served) cell.append(' ', make('span', 'dl-badge is-served', 'served'));
  if (shipped) cell.append(' ', make('span', 'dl-badge', 'shipped'));
  if (rolled_back) cell.append(' ', make('span', 'dl-badge', 'rolled back'));
  return cell;
}

function buildServe(id, served, free) {
  const cell = make('td');
  if (served) return cell;
  const button = makeButton('dm-confirm', 'Promote');
  button.dataset.id = id;
  button.dataset.question = `Promote ${id}?`;
  button.disabled = !free;
  button.setAttribute('aria-label', `Promote ${id}`);
  cell.append(button);
  return cell;
}

// A measure before and after fine-tuning, where both are known.
function change(metrics, name) {
  const [before, after] = [metrics[`${name}_before`], metrics[`${name}_after`]];
  return typeof before === 'number' && typeof after === 'number' ? `${share(before)} → ${share(after)}` : NONE;
}
