// Asks before what reaches other people or cannot be undone: a dialog stands between the press of a button with the
// class dm-confirm and what the button does. It asks the button's data-question, or else the button's words.
import { finder } from './shared/dom.js';

const YES = 'yes';

export default function createConfirm({ element }) {
  const find = finder(element);
  const dialog = find('dialog');
  let asked = null; // the button that was pressed
  let agreed = false;

  // Before anybody else hears of the press, whoever made the button.
  document.addEventListener('click', (event) => {
    const button = event.target.closest('.dm-confirm');
    if (!button || agreed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    asked = button;
    find('h2').textContent = questionOf(button);
    find(`[value=${YES}]`).textContent = button.textContent.trim();
    dialog.returnValue = '';
    dialog.showModal();
  }, { capture: true });

  // A button that means something else by now, or is gone, is not pressed.
  dialog.addEventListener('close', () => {
    if (dialog.returnValue !== YES || !asked.isConnected || questionOf(asked) !== find('h2').textContent) return;
    agreed = true;
    asked.click();
    agreed = false;
  });
}

const questionOf = (button) => button.dataset.question ?? `${button.textContent.trim()}?`;
