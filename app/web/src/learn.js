// The state of the fine-tuning job: the JSON of app/learn/view.py.
import { finder, make, makeTile } from './shared/dom.js';
import { clock, counted, share } from './shared/format.js';

const RESULT = ['.dm-tiles', '.dl-verdict', '.dl-texts', '.dl-same', '.dl-choice']; // shown once there is one

export default function createLearn({ element, props, trigger, watch }) {
  const find = finder(element);
  element.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    if (button.dataset.act === 'promote') trigger('serve', { id: button.dataset.id });
    else trigger('keep', {});
  });
  const read = () => props.value && show(find, JSON.parse(props.value));
  watch('value', read);
  read();
}

function show(find, { job, note }) {
  find('.dl-note').textContent = note;
  find('.dl-note').hidden = !note;
  find('.dl-job').hidden = !job;
  find('.dl-idle').hidden = Boolean(job);
  if (!job) return;
  showProgress(find, job);
  for (const part of RESULT) find(part).hidden = !job.result;
  if (job.result) showResult(find, job.result);
}

function showProgress(find, job) {
  const part = job.state === 'done' ? 1 : job.total ? job.step / job.total : 0;
  find('.dl-job').dataset.state = job.state;
  find('.dl-bar').setAttribute('aria-valuenow', Math.round(100 * part));
  find('.dl-bar i').style.width = `${100 * part}%`;
  find('.dl-says').textContent = describe(job);
}

// The job's state as a sentence.
function describe({ state, corrections, step, total, loss, seconds, message, result }) {
  if (state === 'running' && !total) {
    return `Reading ${counted(corrections, 'correction')} and measuring the model as it is…`;
  }
  if (state === 'running') {
    return `Step ${step} of ${total} at the most · loss ${loss.toFixed(3)} · ${clock(seconds)}`;
  }
  if (state === 'cancelling') return 'Cancelling…';
  if (state === 'cancelled') return 'Cancelled. No checkpoint was made; nothing has changed.';
  if (state === 'failed') return `It did not work: ${message}`;
  const { checkpoint, train, held_out } = result;
  const time = clock(result.seconds);
  return `Checkpoint ${checkpoint} learned from ${train} and was measured on ${held_out} others, in ${time}.`;
}

function showResult(find, result) {
  const [agreement, editRate] = ['agreement', 'edit_rate'].map(
    (name) => `${share(result[`${name}_before`])} → ${share(result[`${name}_after`])}`,
  );
  find('.dm-tiles').replaceChildren(
    makeTile(agreement, 'agreement with held-out corrections'),
    makeTile(editRate, 'edit rate: words and marks a person has to change'),
  );
  const { level, text, texts } = result.judgement;
  const better = level === 'better';
  const [promote, keep] = [find('[data-act=promote]'), find('[data-act=keep]')];
  find('.dl-verdict').textContent = text;
  find('.dl-verdict').hidden = result.served;
  showTexts(find('.dl-texts'), texts);
  find('.dl-same').hidden = Boolean(texts.length);
  promote.classList.toggle('dm-primary', better || result.served);
  promote.disabled = result.served;
  promote.textContent = result.served ? 'Promoted' : better ? 'Promote the new model' : 'Promote it all the same';
  find('.dl-means').hidden = result.served;
  promote.dataset.id = result.checkpoint;
  promote.dataset.question = `Promote ${result.checkpoint}?`;
  keep.classList.toggle('dm-primary', !better && !result.served);
  keep.textContent = result.served ? 'Close' : 'Keep the old one';
}

// Held-out prompts as both models and the person leave them.
function showTexts(box, texts) {
  box.hidden = !texts.length;
  box.querySelector('div').replaceChildren(...texts.map(({ wrong, before, after, person }) => {
    const row = make('div', 'dl-row');
    const [was, now] = wrong.map((rate) => `a person changes ${share(rate)}`);
    const columns = [[`Before: ${was}`, before], [`After: ${now}`, after], ['As the person left it', person]];
    for (const [title, text] of columns) {
      const cell = make('div');
      const words = make('pre', '', text);
      words.dir = 'auto';
      cell.append(make('b', '', title), words);
      row.append(cell);
    }
    return row;
  }));
}
