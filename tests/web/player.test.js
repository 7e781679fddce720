import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Player } from '../../app/web/src/canvas/player.js';

const STEP = 150; // milliseconds

let drawn; // [step, playing] of every drawing
let speed;
let player;

beforeEach(() => {
  vi.useFakeTimers();
  [drawn, speed] = [[], 1];
  player = new Player(() => drawn.push([player.at, player.playing]), () => speed);
  vi.advanceTimersByTime(1000); // the page is open for a while
});
afterEach(() => vi.useRealTimers());

const runOf = (count) => ({ steps: new Array(count).fill({}), end: count ? {} : null });

function finished(count) {
  const run = runOf(0);
  player.start(run, false);
  Object.assign(run, runOf(count));
  player.onEnd();
  return run;
}

test('a run is played to its end, a step at a time', () => {
  finished(3);
  vi.advanceTimersByTime(0);
  expect(player.at).toBe(1); // the first at once
  vi.advanceTimersByTime(STEP - 1);
  expect(player.at).toBe(1);
  vi.advanceTimersByTime(1);
  expect(player.at).toBe(2);
  vi.advanceTimersByTime(STEP);
  expect([player.at, player.playing, player.isAtEnd]).toEqual([3, false, true]);
  expect(vi.getTimerCount()).toBe(0);
});

test('a stream is shown as it comes, no faster than the pace', () => {
  const run = runOf(0);
  player.start(run, false);
  run.steps.push({}, {});
  player.onStep();
  player.onStep();
  vi.advanceTimersByTime(0);
  expect(player.at).toBe(1);
  vi.advanceTimersByTime(STEP);
  expect([player.at, player.playing]).toEqual([2, true]);
  vi.advanceTimersByTime(10 * STEP);
  expect([player.at, player.playing, vi.getTimerCount()]).toEqual([2, true, 0]); // waits for what comes
  run.steps.push({});
  player.onStep();
  vi.advanceTimersByTime(0);
  expect(player.at).toBe(3);
  run.end = {};
  player.onEnd();
  vi.advanceTimersByTime(STEP);
  expect([player.at, player.playing]).toEqual([3, false]);
});

test.each([[0.25, 600], [0.5, 300], [2, 75]])('at speed %d a step takes %d milliseconds', (chosen, milliseconds) => {
  speed = chosen;
  finished(3);
  vi.advanceTimersByTime(0);
  vi.advanceTimersByTime(milliseconds - 1);
  expect(player.at).toBe(1);
  vi.advanceTimersByTime(1);
  expect(player.at).toBe(2);
});

test('a pause holds the step; playing goes on from there, and from the start at the end', () => {
  finished(3);
  vi.advanceTimersByTime(0);
  player.setPlaying(false);
  vi.advanceTimersByTime(10 * STEP);
  expect([player.at, player.playing]).toEqual([1, false]);
  player.setPlaying(true);
  vi.advanceTimersByTime(10 * STEP);
  expect(player.at).toBe(3);
  player.setPlaying(true);
  expect(player.at).toBe(0);
});

test('scrubbing pauses and stays within the run', () => {
  finished(3);
  for (const [asked, at] of [[2, 2], [7, 3], [-1, 0], [1, 1]]) {
    player.pauseAt(asked);
    expect([player.at, player.playing]).toEqual([at, false]);
  }
  expect(drawn.at(-1)).toEqual([1, false]);
  expect(vi.getTimerCount()).toBe(0);
});

test('a quiet run leaves the screen alone until it has ended', () => {
  finished(3);
  vi.advanceTimersByTime(10 * STEP);
  const before = drawn.length;
  const run = runOf(0);
  player.start(run, true);
  run.steps.push({}, {}, {}, {});
  player.onStep();
  expect([drawn.length, vi.getTimerCount()]).toEqual([before, 0]);
  run.end = {};
  player.onEnd();
  expect(drawn.slice(before)).toEqual([[4, false]]);
});

test('a preview stops the play; any step ends it', () => {
  finished(3);
  const mask = new Uint8Array(2);
  player.showPreview(mask);
  expect([player.preview, player.at, player.playing, vi.getTimerCount()]).toEqual([mask, 3, false, 0]);
  player.goTo(2);
  expect([player.preview, player.at]).toEqual([null, 2]);
});

test('a new run forgets the timer and the position of the one before', () => {
  finished(3);
  vi.advanceTimersByTime(STEP);
  player.start(runOf(0), false);
  expect([player.at, player.playing, vi.getTimerCount()]).toEqual([0, true, 0]);
});

test('without a run there is nothing to play', () => {
  player.setPlaying(true);
  expect([player.playing, drawn.length, vi.getTimerCount()]).toEqual([false, 0, 0]);
});
