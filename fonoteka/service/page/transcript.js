// The words of a recording: the word that is spoken is highlighted, and each word seeks to itself.
import { element, printable } from "./elements.js";

const BRIDGED_GAP_S = 0.3; // a word stays highlighted over a shorter gap: a stop is not a pause
const ROUNDING_S = 0.0005; // chromium reports 2 % of the positions that are set 1 µs too early

const audio = element("audio");
const parent = element("transcript");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let words = []; // in order of time: start, end of the highlight, element
let current = -1;
let tabStop = -1;
let frame = 0;

// Shows lines of words, each with `text`, `start` and `end` in seconds.
export function showTranscript(lines) {
  words = [];
  current = tabStop = -1;
  parent.replaceChildren(...lines.map((line) => {
    const paragraph = document.createElement("p");
    for (const word of line) paragraph.append(wordElement(word), " ");
    return paragraph;
  }));
  words.forEach((word, index) => {
    const next = words[index + 1]?.start ?? Infinity;
    word.until = next - word.until < BRIDGED_GAP_S ? next : word.until;
  });
  if (words.length) moveTabStop(0);
  loop();
}

function wordElement({ text, start, end }) {
  const span = document.createElement("span");
  span.className = "word";
  span.dir = "auto"; // a word from right to left does not turn its neighbours
  span.setAttribute("role", "button");
  span.tabIndex = -1;
  span.dataset.index = words.length;
  span.textContent = printable(text);
  words.push({ start, until: end, span });
  return span;
}

// The last word that starts at a time or before; -1 before the first word.
function lastStarted(time) {
  let low = 0;
  let high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].start <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function draw() {
  const time = audio.currentTime + ROUNDING_S;
  const last = lastStarted(time);
  const index = last >= 0 && time < words[last].until ? last : -1;
  if (index === current) return;
  if (current >= 0) {
    words[current].span.classList.remove("now");
    words[current].span.removeAttribute("aria-current");
  }
  current = index;
  if (index < 0) return;
  const { span } = words[index];
  span.classList.add("now");
  span.setAttribute("aria-current", "true");
  if (!parent.contains(document.activeElement)) moveTabStop(index);
  span.scrollIntoView({ behavior: calm.matches ? "auto" : "smooth", block: "nearest" });
}

function loop() {
  draw();
  cancelAnimationFrame(frame);
  if (!audio.paused) frame = requestAnimationFrame(loop);
}

// One word is in the order of the Tab key, or a reader would pass hundreds of them.
function moveTabStop(index) {
  if (tabStop >= 0) words[tabStop].span.tabIndex = -1;
  tabStop = index;
  words[index].span.tabIndex = 0;
}

function focusWord(index) {
  moveTabStop(Math.min(Math.max(index, 0), words.length - 1));
  words[tabStop].span.focus();
}

function seekWord(index) {
  moveTabStop(index);
  audio.currentTime = words[index].start;
  draw();
}

const KEYS = {
  ArrowLeft: (index) => focusWord(index - 1),
  ArrowUp: (index) => focusWord(index - 1),
  ArrowRight: (index) => focusWord(index + 1),
  ArrowDown: (index) => focusWord(index + 1),
  Home: () => focusWord(0),
  End: () => focusWord(words.length - 1),
  Enter: seekWord,
  " ": seekWord,
};

parent.addEventListener("keydown", (event) => {
  const word = event.target.closest(".word");
  const chord = event.metaKey || event.ctrlKey || event.altKey;
  if (!word || chord || !Object.hasOwn(KEYS, event.key)) return;
  KEYS[event.key](Number(word.dataset.index));
  event.preventDefault();
});
parent.addEventListener("click", (event) => {
  const word = event.target.closest(".word");
  if (word) seekWord(Number(word.dataset.index));
});
for (const name of ["play", "pause", "seeking", "seeked", "timeupdate", "ended"]) {
  audio.addEventListener(name, loop);
}
