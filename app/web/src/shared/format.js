// Figures as people read them.

export const number = (value) => value.toLocaleString('en-US');

/** 1 of 3 -> "33 %" */
export const percent = (part, whole) => `${Math.round((100 * part) / Math.max(1, whole))} %`;

/** 0.1234 -> "12.3 %" */
export const share = (x) => `${(100 * x).toFixed(1)} %`;

/** Seconds -> "42 s", "3 min" */
export const clock = (seconds) => (seconds < 100 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`);

/** 1, "step" -> "1 step"; 2, "step" -> "2 steps" */
export const counted = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;
