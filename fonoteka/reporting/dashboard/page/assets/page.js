
"use strict";
// What is shown after each change, and in which order: the list first, slower sections in a later task.

const FILTER_KEYS = [...GROUPS, ...RANGES, "search", "confusion"];
const CHOICE_KEYS = ["task", "model", "second", "norm"];
const LATER_MS = 0;
const IDLE_MS = 200;
const LINK_MS = 250; // browsers refuse more than some 100 changes of the link in 30 s
let later = null;
let linkTimer = null;

function update(changes) {
  const before = { ...state };
  Object.assign(state, changes);
  withoutLostSecond(state);
  refresh((keys) => keys.some((key) => state[key] !== before[key]));
}

function refresh(changed) {
  const choice = changed(CHOICE_KEYS);
  const filter = choice || changed(FILTER_KEYS);
  if (choice) showChoice();
  if (filter) {
    applyFilters();
    showFilters();
  }
  if (filter || changed(["sort", "order"])) sortClips();
  if (filter || changed(["sort", "order", "page", "clip"])) showList();
  if (choice || changed(["clip"])) showDetail();
  if (filter) showSummary();
  schedule({ filter, choice, counts: changed(["counts"]) });
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => history.replaceState(null, "", writeLink()), LINK_MS);
}

// Sections below the list are drawn after the browser has shown the list.
function schedule(parts) {
  const due = later?.parts ?? {};
  for (const key of Object.keys(parts)) due[key] ||= parts[key];
  clearTimeout(later?.timer);
  later = { parts: due, timer: setTimeout(() => {
    later = null;
    if (due.filter) showComparison();
    if (due.choice || due.counts || (due.filter && (state.counts || !currentModel().confusion))) showConfusions();
    if (!due.choice) return;
    showGroups();
    showReliability();
    showCurves();
    showFurther();
    // Texts for the search take 60 ms for 10,000 clips, which the first letter then need not wait for.
    setTimeout(searchedTexts, IDLE_MS);
  }, LATER_MS) };
}

function options(id, values, chosen) {
  element(id).replaceChildren(...values.map(([value, text]) => new Option(printable(text), value, false, value === chosen)));
}

// Options have their number as value: names may be any text.
function showChoice() {
  const task = currentTask();
  const numbered = (names) => names.map((name, index) => [String(index), name]);
  const names = task.models.map((model) => model.name);
  const others = numbered(names).filter(([, name]) => name !== state.model);
  options("task", numbered(doc.tasks.map(({ name }) => name)), String(doc.tasks.indexOf(task)));
  options("model", numbered(names), String(names.indexOf(state.model)));
  options("second", [["", "none"], ...others], state.second === NONE ? "" : String(names.indexOf(state.second)));
  options("norm", numbered(task.normalisations), String(task.normalisations.indexOf(state.norm)));
}

function chooseTask(task) {
  const base = defaults(task);
  update({ ...base, ...Object.fromEntries([...GROUPS, "seconds", "snr", "search", "clip"].map((key) => [key, state[key]])) });
}

function listenToChoice() {
  const model = (text) => (text === "" ? NONE : currentTask().models[Number(text)].name);
  const listen = (id, act) => element(id).addEventListener("change", (event) => act(event.target.value));
  listen("task", (text) => chooseTask(doc.tasks[Number(text)]));
  listen("model", (text) => chooseModel(model(text)));
  listen("second", (text) => update({ second: model(text) }));
  listen("norm", (text) => update({ norm: currentTask().normalisations[Number(text)], confusion: null, page: 1 }));
  listen("theme", setTheme);
  element("choice").addEventListener("submit", (event) => event.preventDefault());
  // The fragment is the state of the page, so that a link to a place must not replace it.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    element("list-heading").focus();
  });
}

const THEME_KEY = "fonoteka-dashboard-theme";

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  element("theme").value = theme;
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // Some browsers keep nothing for pages from a disk; the colours then last as long as the page.
  }
}

function restoreTheme() {
  let theme = null;
  try {
    theme = localStorage.getItem(THEME_KEY);
  } catch {
    // As in setTheme.
  }
  if (theme === "light" || theme === "dark") setTheme(theme);
}

function openLink() {
  const { result, ignored } = readLink(location.hash);
  Object.assign(state, result);
  const message = element("message");
  message.hidden = !ignored.length;
  message.textContent = ignored.length ? "Parts of the link do not fit this page and were ignored: " +
    printable([...new Set(ignored)].join(", ")).slice(0, 300) + "." : "";
  if (state.clip !== null && !location.hash.includes("page=")) {
    applyFilters();
    sortClips();
    state.page = Math.floor(Math.max(sorted.indexOf(state.clip), 0) / ROWS) + 1;
  }
  refresh(() => true);
  const row = element("list").querySelector("tr.current");
  if (row) element("list").scrollTop = row.offsetTop - element("list").clientHeight / 2;
}

restoreTheme();
element("note").textContent = printable(doc.note ?? "");
element("clips-note").textContent = printable(clips.audio_note ?? "");
buildFilters();
listenToChoice();
listenToList();
openLink();
showCorpus();
addEventListener("hashchange", openLink);
