// What is said of a token under the pointer: what a step thought of it, of its unit, and of its part. Pure.

const share = (byte) => `${Math.round(byte / 2.55)} %`;

/** The innermost unit of a token, -1 = none. units: [first, last] of each, in the order of their tree. */
export const unitAt = (units, i) => units.findLastIndex(([first, last]) => first <= i && i < last);

/** at: the step that is shown; 0 = before the first. */
export function hint({ doc, run }, i, at) {
  if (!at || !run.steps.length) return '';
  const { probability, units, shots } = run.steps[at - 1];
  const unit = unitAt(doc.units, i);
  const part = doc.shots.findIndex(({ first, last }) => first <= i && i < last);
  const says = [`word ${share(atob(probability).charCodeAt(i))}`];
  if (units && unit >= 0) says.push(`its sentence or line ${share(atob(units).charCodeAt(unit))}`);
  if (part >= 0) says.push(`${doc.shots[part].name} ${share(255 * shots[part])}`);
  return `Likely to be kept: ${says.join(', ')}. ${decision(run, i, at)}`;
}

function decision(run, i, at) {
  const when = run.when[i];
  if (when === 0) return 'Always kept or dropped.';
  if (when < 0 || when > at) return 'Not decided yet.';
  return `${run.keep[i] ? 'Kept' : 'Dropped'} in step ${when}.`;
}
