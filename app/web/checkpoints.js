// The table of checkpoints, newest first, indented under what they were made from; textContent only.
const $ = (selector) => element.querySelector(selector);
const share = (x) => (100 * x).toFixed(1) + ' %';
const change = (metrics, name) => {
  const [before, after] = [metrics[name + '_before'], metrics[name + '_after']];
  return typeof before === 'number' && typeof after === 'number' ? share(before) + ' → ' + share(after) : '–';
};

function cell(text, label, kind) {
  const box = document.createElement('td');
  box.textContent = text;
  box.className = (kind || '') + (text === '–' ? ' is-blank' : '');
  if (label) box.dataset.label = label;
  return box;
}

function nameCell(one) {
  const box = cell('', '', 'dl-name');
  const name = document.createElement('code');
  name.textContent = one.id;
  box.append(name);
  for (const mark of [one.served && 'served', one.shipped && 'shipped', one.rolled_back && 'rolled back']) {
    if (!mark) continue;
    const badge = document.createElement('span');
    badge.className = 'dl-badge' + (mark === 'served' ? ' is-served' : '');
    badge.textContent = mark;
    box.append(' ', badge);
  }
  return box;
}

function serveCell(one, free) {
  const box = document.createElement('td');
  if (one.served) return box;
  const button = document.createElement('button');
  button.type = 'button';
  button.dataset.id = one.id;
  button.disabled = !free;
  button.textContent = 'Serve';
  button.setAttribute('aria-label', 'Serve ' + one.id);
  box.append(button);
  return box;
}

function show(text) {
  if (!text) return;
  const { checkpoints, free, back } = JSON.parse(text);
  $('[data-act=back]').disabled = !back;
  $('tbody').replaceChildren(...checkpoints.map((one) => {
    const row = document.createElement('tr');
    row.dataset.id = one.id;
    row.classList.toggle('is-served', one.served);
    const learned = one.corrections ? one.corrections + (one.corrections === 1 ? ' correction' : ' corrections') : '–';
    row.append(
      nameCell(one),
      cell(one.lineage.slice(1).join(' ← ') || '–', 'Made from', 'dl-line'),
      cell(learned, 'Learned from'),
      cell(change(one.metrics, 'agreement'), 'Agreement'),
      cell(change(one.metrics, 'edit_rate'), 'Edit rate'),
      cell(new Date(one.created_at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' }), 'Made'),
      serveCell(one, free),
    );
    return row;
  }));
}

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.act === 'back') trigger('back', {});
  else trigger('serve', { id: button.dataset.id });
});
watch('value', () => show(props.value));
show(props.value);
