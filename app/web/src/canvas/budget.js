// The mask at any retention without asking the model again. Pure; the same as `budget` in model/diffusion/sampler.py.

/** Python's round. */
export function roundHalfEven(x) {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor % 2) : Math.round(x);
}

/** How many tokens are kept at a retention in (0, 1]. pins: one character a token, "." = free, k or K = kept. */
export function budget(pins, retention) {
  const n = pins.length;
  let [pinned, kept] = [0, 0];
  for (const mark of pins) {
    if (mark !== '.') pinned += 1;
    if (mark === 'k' || mark === 'K') kept += 1;
  }
  return Math.min(Math.max(roundHalfEven(retention * n), 1, kept), n - pinned + kept);
}

/** The first `kept` tokens of an order as a mask, 1 = kept. order: all tokens, the ones to keep longest first. */
export function maskOf(order, kept) {
  const mask = new Uint8Array(order.length);
  for (let k = 0; k < kept; k++) mask[order[k]] = 1;
  return mask;
}
