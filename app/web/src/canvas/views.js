// The prompt that is left, as text, as what was dropped of the whole, or as the messages that it was pasted as.
import { make } from '../shared/dom.js';
import { compressedText } from './layout.js';

const GONE = '…'; // stands for a text of which nothing is left, as in model/messages.py

export class Views {
  #find;
  #chosen = 'text';
  #shown = null; // [doc, isKept]

  constructor(find) {
    this.#find = find;
  }

  /** isKept(i): whether token i is. */
  show(doc, isKept) {
    if (Boolean(doc.chat) !== Boolean(this.#shown?.[0].chat)) this.#chosen = doc.chat ? 'chat' : 'text';
    this.#shown = [doc, isKept];
    this.#find('[data-view=chat]').hidden = !doc.chat;
    this.#draw();
  }

  /** name: "text", "diff" or "chat". */
  choose(name) {
    this.#chosen = name;
    if (this.#shown) this.#draw();
  }

  /** What is sent to a language model: text, or messages as JSON; with a name for a file of it. */
  get result() {
    const [doc, isKept] = this.#shown;
    return doc.chat ? [messagesText(doc, isKept), 'messages.json'] : [compressedText(doc, isKept), 'prompt.txt'];
  }

  #draw() {
    const [doc, isKept] = this.#shown;
    const out = this.#find('.dm-out');
    for (const name of ['text', 'diff', 'chat']) {
      this.#find(`[data-view=${name}]`).setAttribute('aria-pressed', String(name === this.#chosen));
    }
    if (this.#chosen === 'diff') out.replaceChildren(...stretches(doc, isKept));
    else {
      const text = this.#chosen === 'chat' ? messagesText(doc, isKept) : compressedText(doc, isKept);
      if (out.textContent !== text || out.firstElementChild) out.textContent = text;
    }
  }
}

// The whole text in stretches: what is kept, and what is dropped as <del>.
function stretches(doc, isKept) {
  const nodes = [];
  let [text, kept] = ['', true];
  const end = () => text && nodes.push(kept ? document.createTextNode(text) : make('del', '', text));
  doc.tokens.forEach((token, i) => {
    const stays = Boolean(isKept(i));
    if (stays !== kept) {
      end();
      [text, kept] = ['', stays];
    }
    text += doc.gaps[i] + token;
  });
  end();
  return [...nodes, doc.tail];
}

/** The messages with what is left of their texts, as JSON. */
export function messagesText(doc, isKept) {
  const messages = structuredClone(doc.chat);
  for (const [path, first, last] of doc.texts) {
    const text = compressedText(doc, isKept, first, last);
    const inner = path.slice(0, -1).reduce((value, key) => value[key], messages);
    inner[path.at(-1)] = text.trim() ? text : GONE;
  }
  return JSON.stringify(messages, null, 2);
}
