// What comes into Explore from outside: a file that is dropped on the text box, and a link that opened the page.

const LINK = '#try=';

/** text, file: ids of the text box and of the upload button. */
export function takeDrops({ text, file }) {
  if (!file) return;
  const on = (kind, act) => document.addEventListener(kind, (event) => {
    const box = event.target.closest?.(`#${text}`);
    if (!box || !event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    box.classList.toggle('is-dropping', kind === 'dragover');
    act?.(event.dataTransfer.files);
  });
  on('dragover');
  on('dragleave');
  on('drop', (files) => {
    const input = inputOf(file);
    input.files = files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  });
}

// Gradio puts the file input of an upload button beside it.
function inputOf(file) {
  const button = document.getElementById(file);
  return button.querySelector('input[type=file]') ?? button.parentElement.querySelector('input[type=file]');
}

/** opened(link): the page was opened with, or was given, a link of its own. */
export function takeLinks(opened) {
  const look = () => location.hash.startsWith(LINK) && opened(location.hash);
  window.addEventListener('hashchange', look);
  look();
}
