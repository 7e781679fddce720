import { readFileSync } from 'node:fs';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');

/** The vectors that Python gives, too: see make_vectors.py. */
export const vectors = (name) => JSON.parse(read(`vectors/${name}.json`));

/** "0110" -> [0, 1, 1, 0] */
export const bits = (text) => Array.from(text, Number);

/** What Gradio hands to a component, with an element that holds one of app/web's HTML files; for happy-dom. */
export function gradio(html, settings) {
  const element = document.createElement('div');
  element.innerHTML = html.endsWith('.html') ? read(`../../app/web/${html}`) : html;
  document.body.append(element);
  const events = []; // [name, data] of all that was triggered
  const watchers = [];
  const props = { value: '' };
  return {
    arguments: {
      element,
      props,
      settings,
      trigger: (name, data) => events.push([name, data]),
      watch: (_, callback) => watchers.push(callback),
    },
    element,
    events,
    find: (selector) => element.querySelector(selector),
    /** The server changes the value. */
    send(value) {
      props.value = value;
      watchers.forEach((callback) => callback());
    },
  };
}
