// Building the page. Texts come from anybody: they enter it as textContent, never as markup.

/** A function that finds the first element inside of root. */
export const finder = (root) => (selector) => root.querySelector(selector);

export function make(tag, className = '', text = '') {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

export function makeButton(className, text = '') {
  const button = make('button', className, text);
  button.type = 'button';
  return button;
}

/** A figure with a line about it. */
export function makeTile(value, note) {
  const tile = make('div');
  tile.append(make('b', '', value), make('span', '', note));
  return tile;
}

/** Set the text of a node; a text that stays is not touched, so that nothing is laid out again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Say what went wrong; "" takes it away. */
export function showError(box, message) {
  box.textContent = message;
  box.hidden = !message;
}
