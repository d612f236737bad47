// The elements of the page. Text of others is only ever set as text, never as HTML.

// Control characters are invisible, so a replacement character shows that they are there.
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

export const element = (id) => document.getElementById(id);

export function show(id, sentence) {
  element(id).textContent = printable(sentence);
  element(id).hidden = false;
}

export function clear(id) {
  element(id).textContent = "";
  element(id).hidden = true;
}

export function printable(text) {
  return text.replace(UNPRINTABLE, "\ufffd");
}

export function seconds(time) {
  return time.toFixed(1) + " s";
}
