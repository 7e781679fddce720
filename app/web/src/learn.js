// The state of the fine-tuning job: the JSON of app/learn/view.py.
import { finder, makeTile } from './shared/dom.js';
import { clock, counted, share } from './shared/format.js';

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
  for (const part of ['.dm-tiles', '.dl-verdict', '.dl-choice']) find(part).hidden = !job.result;
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
    makeTile(editRate, 'edit rate: tokens a person has to change'),
  );
  const better = gain(result) > 0;
  const [promote, keep] = [find('[data-act=promote]'), find('[data-act=keep]')];
  find('.dl-verdict').textContent = verdict(result);
  find('.dl-verdict').hidden = result.served;
  promote.classList.toggle('dm-primary', better || result.served);
  promote.disabled = result.served;
  promote.textContent = result.served ? 'The new checkpoint is served' : 'Serve the new checkpoint';
  promote.dataset.id = result.checkpoint;
  keep.classList.toggle('dm-primary', !better && !result.served);
  keep.textContent = result.served ? 'Close' : 'Keep the old one';
}

// Above 0 = better: what people have to change counts, and agreement where that is the same.
function gain(result) {
  return result.edit_rate_before - result.edit_rate_after || result.agreement_after - result.agreement_before;
}

function verdict(result) {
  const unseen = 'on corrections that it has not seen';
  if (gain(result) > 0) return `Better ${unseen}.`;
  return `${gain(result) < 0 ? 'Worse' : 'No better'} ${unseen}: keep the old one, or correct more prompts.`;
}
