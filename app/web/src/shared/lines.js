// A component's value is a text that grows by lines of JSON; Gradio streams only what was added.

/** Reads such a text, each line once. A text that begins with another line is a new one and is read from its start. */
export class LineReader {
  #first = '';
  #seen = 0; // characters that were read

  /** The parsed lines that were not read yet; the last line counts once it has ended. */
  read(value) {
    const first = value.slice(0, value.indexOf('\n') + 1);
    if (!first) return [];
    if (first !== this.#first) [this.#first, this.#seen] = [first, 0];
    const end = value.lastIndexOf('\n') + 1;
    const lines = value.slice(this.#seen, end).split('\n');
    this.#seen = Math.max(this.#seen, end);
    return lines.filter(Boolean).map((line) => JSON.parse(line));
  }
}
