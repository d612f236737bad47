
"use strict";
(() => {
  const RATES = [0.5, 0.75, 1, 1.25, 1.5, 2];
  const STEP_S = 5;
  const HAND_SCROLL_MS = 4000; // after the reader scrolls, lines stay where they are for so long
  const OWN_SCROLL_MS = 1000; // a smooth scroll of this page takes less
  const ROUNDING_S = 0.0005; // chromium reports 2 % of the positions that are set 1 µs too early

  const element = (id) => document.getElementById(id);
  const data = JSON.parse(element("data").textContent);
  const audio = element("audio");
  const main = element("lines");
  const position = element("position");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const words = []; // in order: start and end of the highlight in seconds, element, line, texts
  let current = -1;
  let tabStop = -1;
  let shownLine = null;
  let shownTime = "";
  let script = 0;
  let frame = 0;
  let handScroll = -Infinity;
  let ownScroll = -Infinity;

  function build() {
    for (const wordsOfLine of data.lines) {
      const line = document.createElement("p");
      for (const word of wordsOfLine) {
        line.append(wordElement(word, line), " ");
      }
      main.append(line);
    }
    for (const rate of RATES) {
      element("rate").add(new Option(rate + " ×", rate, rate === 1, rate === 1));
    }
    position.max = data.duration / 1000;
    element("phones").hidden = !data.lines.flat().some((word) => word.phones);
    element("script").hidden = data.scripts.length < 2;
    element("legend").hidden = !document.querySelector(".low");
    showScript(0);
    moveTabStop(0);
  }

  function wordElement(word, line) {
    const span = document.createElement("span");
    const text = document.createElement("span");
    const phones = document.createElement("span");
    span.className = "word";
    span.setAttribute("role", "button");
    span.tabIndex = -1;
    span.dataset.index = words.length;
    text.className = "text";
    phones.className = "sound";
    phones.lang = "und-fonipa";
    phones.textContent = word.phones;
    span.append(text, phones);
    if (word.score < data.lowScore) {
      span.classList.add("low");
      span.title = "low score: " + word.score.toFixed(2);
    }
    words.push({ start: word.start / 1000, until: word.until / 1000, texts: word.texts, span, text, line });
    return span;
  }

  function showScript(number) {
    script = number;
    main.lang = data.scripts[script].language;
    for (const word of words) {
      word.text.textContent = word.texts[script];
    }
    element("script").textContent = data.scripts[(script + 1) % data.scripts.length].name;
  }

  // The last word that starts at a time or before; -1 if there is none.
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

  function wordAt(time) {
    const index = lastStarted(time);
    return index >= 0 && time < words[index].until ? index : -1;
  }

  function draw() {
    const time = audio.currentTime + ROUNDING_S;
    const index = wordAt(time);
    if (index !== current) {
      highlight(index);
    }
    const label = clock(time) + " / " + clock(position.max);
    position.value = time;
    if (label !== shownTime) {
      shownTime = label;
      element("time").textContent = label;
      position.setAttribute("aria-valuetext", label.replace("/", "of"));
    }
  }

  function highlight(index) {
    if (current >= 0) {
      words[current].span.classList.remove("now");
      words[current].span.removeAttribute("aria-current");
    }
    current = index;
    if (index < 0) return;
    words[index].span.classList.add("now");
    words[index].span.setAttribute("aria-current", "true");
    if (!main.contains(document.activeElement)) moveTabStop(index);
    if (words[index].line !== shownLine) {
      shownLine = words[index].line;
      showLine();
    }
  }

  function showLine() {
    const now = performance.now();
    if (calm.matches || now - handScroll < HAND_SCROLL_MS) return;
    ownScroll = now;
    shownLine.scrollIntoView({ behavior: "smooth", block: "center" });
  }

  // One word is in the order of the Tab key, or a reader would pass hundreds of them.
  function moveTabStop(index) {
    if (tabStop >= 0) words[tabStop].span.tabIndex = -1;
    tabStop = index;
    words[index].span.tabIndex = 0;
  }

  function clock(seconds) {
    const whole = Math.floor(seconds);
    return Math.floor(whole / 60) + ":" + String(whole % 60).padStart(2, "0");
  }

  function loop() {
    draw();
    cancelAnimationFrame(frame);
    if (!audio.paused) frame = requestAnimationFrame(loop);
  }

  function seek(time) {
    const ranges = audio.seekable;
    if (audio.readyState > 0 && !(ranges.length && ranges.end(ranges.length - 1) > 0)) {
      // A browser would restart the recording: `python -m http.server` answers no ranges.
      show("The server of this page does not support seeking; open the page from a disk.");
      return;
    }
    handScroll = -Infinity; // the reader chose a place
    audio.currentTime = Math.min(Math.max(time, 0), position.max);
    draw();
  }

  function seekWord(index) {
    const focused = main.contains(document.activeElement);
    seek(words[index].start);
    if (focused) {
      moveTabStop(index);
      words[index].span.focus();
    }
  }

  function stepWord(step) {
    const index = lastStarted(audio.currentTime + ROUNDING_S);
    const next = step < 0 && current < 0 ? index : index + step; // before a gap: its last word
    if (next < 0) seek(0);
    else seekWord(Math.min(next, words.length - 1));
  }

  function toggle() {
    if (!audio.paused) {
      audio.pause();
      return;
    }
    audio.play().catch((error) => {
      if (error.name === "NotAllowedError") show("The browser does not allow sound on this page.");
    });
  }

  function stepRate(step) {
    const select = element("rate");
    select.selectedIndex = Math.min(Math.max(select.selectedIndex + step, 0), RATES.length - 1);
    setRate();
  }

  function setRate() {
    audio.playbackRate = Number(element("rate").value);
  }

  function show(message) {
    element("message").textContent = message;
    element("message").hidden = false;
  }

  function showError() {
    const name = audio.currentSrc.startsWith("data:") ? "in this page" : audio.getAttribute("src");
    show("The recording cannot be played: the file " + name + " is missing, or has a format without a " +
      "decoder in this browser.");
  }

  // A difference of a second or more: the words belong to another recording.
  function checkDuration() {
    const expected = data.duration / 1000;
    if (!Number.isFinite(audio.duration)) return;
    position.max = audio.duration;
    draw();
    if (Math.abs(audio.duration - expected) >= 1) {
      show("The recording lasts " + audio.duration.toFixed(1) + " s, but the words belong to one of " +
        expected.toFixed(1) + " s.");
    }
  }

  function readFragment() {
    const match = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
    if (match) seek(Number(match[1]));
  }

  const KEYS = {
    " ": (event) => event.repeat || toggle(),
    ArrowLeft: () => seek(audio.currentTime - STEP_S),
    ArrowRight: () => seek(audio.currentTime + STEP_S),
    ArrowUp: () => stepWord(-1),
    ArrowDown: () => stepWord(1),
    "[": () => stepRate(-1),
    ",": () => stepRate(-1),
    "]": () => stepRate(1),
    ".": () => stepRate(1),
  };

  document.addEventListener("keydown", (event) => {
    // AltGr types brackets on many keyboards, and some systems report it as Ctrl and Alt.
    const chord = event.metaKey || event.ctrlKey || event.altKey;
    if (chord && !event.getModifierState("AltGraph")) return;
    const word = event.target.closest(".word");
    const control = event.target.closest("button, select, summary");
    if (event.key === "Enter" && word) seekWord(Number(word.dataset.index));
    else if (!Object.hasOwn(KEYS, event.key)) return;
    else if (control && event.key === " ") return; // the control's own key
    else if (event.target.closest("select") && event.key.startsWith("Arrow")) return;
    else KEYS[event.key](event);
    event.preventDefault();
  });
  main.addEventListener("click", (event) => {
    const word = event.target.closest(".word");
    if (!word) return;
    moveTabStop(Number(word.dataset.index));
    seekWord(Number(word.dataset.index));
  });
  element("play").addEventListener("click", toggle);
  element("rate").addEventListener("change", setRate);
  element("phones").addEventListener("click", () => {
    const pressed = main.classList.toggle("phones");
    element("phones").setAttribute("aria-pressed", String(pressed));
  });
  element("script").addEventListener("click", () => showScript((script + 1) % data.scripts.length));
  position.addEventListener("input", () => seek(Number(position.value)));
  for (const name of ["wheel", "touchmove"]) {
    addEventListener(name, () => { handScroll = performance.now(); }, { passive: true });
  }
  addEventListener("scroll", () => {
    const now = performance.now();
    if (now - ownScroll > OWN_SCROLL_MS) handScroll = now;
  }, { passive: true });
  for (const name of ["play", "pause", "seeking", "seeked", "timeupdate", "ended"]) {
    audio.addEventListener(name, loop);
  }
  for (const name of ["play", "pause"]) {
    audio.addEventListener(name, () => { element("play").textContent = audio.paused ? "Play" : "Pause"; });
  }
  audio.addEventListener("durationchange", checkDuration);
  audio.addEventListener("error", showError);
  addEventListener("hashchange", readFragment);

  build();
  if (audio.error) showError();
  checkDuration();
  readFragment();
  draw();
})();
