// The mask at any retention without asking the model again. Pure.

/** How many tokens a mask may have at a retention in (0, 1]: the same as `budget` in model/diffusion/sampler.py. */
export function budget(tokens, held, retention) {
  return Math.max(Math.floor(retention * tokens + 1e-6), 1, held);
}

/**
 * The mask of a finished run at another retention, 1 = kept: what is held, and as many first bundles as the budget pays
 * for. run: a `Run` that has ended; asked: its own retention, at which it stays as it is.
 */
export function maskAt({ end, keep }, retention, asked) {
  if (retention === asked) return keep;
  const mask = new Uint8Array(keep.length);
  for (const i of end.held) mask[i] = 1;
  let left = budget(keep.length, end.held.length, retention) - end.held.length;
  for (const tokens of end.bundles) {
    const isFirst = tokens === end.bundles[0] && !end.held.length; // else nothing would be left
    if (tokens.length > left && !isFirst) break;
    left -= tokens.length;
    for (const i of tokens) mask[i] = 1;
  }
  return mask;
}
