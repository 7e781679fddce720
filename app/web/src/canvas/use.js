// "Use it": programs that do the same, and links that open the page like this.
import { copyBy } from './panel.js';

const ORIGIN = 'https://diffumask.invalid'; // as in app/explore/snippets.py

export class Use {
  #find;
  #use = null; // { programs: { title: text }, links: { settings, text } }

  constructor(canvas) {
    this.#find = canvas.find;
    this.#find('.dm-language').addEventListener('change', () => this.#draw());
  }

  show(use) {
    this.#use = use;
    const select = this.#find('.dm-language');
    const chosen = select.value;
    select.replaceChildren(...Object.keys(use.programs).map((title) => new Option(title, title)));
    if (chosen in use.programs) select.value = chosen;
    this.#find('.dm-use').hidden = false;
    this.#draw();
  }

  #draw() {
    const program = this.#use?.programs[this.#find('.dm-language').value] ?? '';
    this.#find('.dm-program').textContent = program.replaceAll(ORIGIN, location.origin + base());
  }

  acts = {
    program: () => copyBy(this.#find('[data-act=program]'), this.#find('.dm-program').textContent),
    link: () => this.#copyLink(),
  };

  #copyLink() {
    const { settings, text } = this.#use.links;
    const wanted = this.#find('.dm-with-text').checked ? text : settings;
    const isLong = !wanted;
    this.#find('.dm-link-said').textContent = isLong ? 'The text is too long for a link: send it as a file.' : '';
    if (!isLong) copyBy(this.#find('[data-act=link]'), location.origin + location.pathname + wanted);
  }
}

// The path below which the server answers, where it is not "/".
const base = () => location.pathname.replace(/\/$/, '');
