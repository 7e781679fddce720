// The state of the fine-tuning job: reads the JSON of app/learn_view.py, writes with textContent only.
const $ = (selector) => element.querySelector(selector);
const share = (x) => (100 * x).toFixed(1) + ' %';
const clock = (s) => (s < 100 ? Math.round(s) + ' s' : Math.round(s / 60) + ' min');

function says(job) {
  const made = job.corrections + (job.corrections === 1 ? ' correction' : ' corrections');
  if (job.state === 'running') {
    if (!job.total) return 'Reading ' + made + ' and measuring the model as it is…';
    return 'Step ' + job.step + ' of ' + job.total + ' at the most · loss ' + job.loss.toFixed(3) + ' · ' + clock(job.seconds);
  }
  if (job.state === 'cancelling') return 'Cancelling…';
  if (job.state === 'cancelled') return 'Cancelled. No checkpoint was made; nothing has changed.';
  if (job.state === 'failed') return 'It did not work: ' + job.message;
  return 'Checkpoint ' + job.result.checkpoint + ' learned from ' + job.result.train + ' and was measured on '
    + job.result.held_out + ' others, in ' + clock(job.result.seconds) + '.';
}

function tile(value, note) {
  const box = document.createElement('div');
  const number = document.createElement('b');
  const text = document.createElement('span');
  number.textContent = value;
  text.textContent = note;
  box.append(number, text);
  return box;
}

// Above 0 = better: what people have to change counts, and agreement where that is the same.
function gain(result) {
  return result.edit_rate_before - result.edit_rate_after || result.agreement_after - result.agreement_before;
}

function verdict(result) {
  const unseen = ' on corrections that it has not seen';
  if (gain(result) > 0) return 'Better' + unseen + '.';
  return (gain(result) < 0 ? 'Worse' : 'No better') + unseen + ': keep the old one, or correct more prompts.';
}

function show(text) {
  if (!text) return;
  const { job, note } = JSON.parse(text);
  $('.dl-note').textContent = note;
  $('.dl-note').hidden = !note;
  $('.dl-job').hidden = !job;
  $('.dl-idle').hidden = Boolean(job);
  if (!job) return;
  const part = job.state === 'done' ? 1 : job.total ? job.step / job.total : 0;
  $('.dl-job').dataset.state = job.state;
  $('.dl-bar').setAttribute('aria-valuenow', Math.round(100 * part));
  $('.dl-bar i').style.width = 100 * part + '%';
  $('.dl-says').textContent = says(job);
  const { result } = job;
  $('.dm-tiles').hidden = !result;
  $('.dl-verdict').hidden = $('.dl-choice').hidden = !result;
  if (!result) return;
  $('.dm-tiles').replaceChildren(
    tile(share(result.agreement_before) + ' → ' + share(result.agreement_after), 'agreement with held-out corrections'),
    tile(share(result.edit_rate_before) + ' → ' + share(result.edit_rate_after), 'edit rate: tokens a person has to change'),
  );
  const better = gain(result) > 0;
  $('.dl-verdict').textContent = verdict(result);
  $('.dl-verdict').hidden = result.served;
  $('[data-act=promote]').classList.toggle('dm-primary', better || result.served);
  $('[data-act=keep]').classList.toggle('dm-primary', !better && !result.served);
  $('[data-act=promote]').disabled = result.served;
  $('[data-act=promote]').textContent = result.served ? 'The new checkpoint is served' : 'Serve the new checkpoint';
  $('[data-act=promote]').dataset.id = result.checkpoint;
  $('[data-act=keep]').textContent = result.served ? 'Close' : 'Keep the old one';
}

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.act === 'promote') trigger('serve', { id: button.dataset.id });
  else trigger('keep', {});
});
watch('value', () => show(props.value));
show(props.value);
