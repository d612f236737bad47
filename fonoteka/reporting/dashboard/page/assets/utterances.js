
"use strict";
// The list of the clips that pass the filters: the worst first, one page of rows in the document.

const ROWS = 50; // a page of rows; the browser lays out 10,000 in about a second
let sorted = [];

// Values by which the list is sorted; missing ones come last in both orders.
function sortColumn(name) {
  const task = currentTask();
  const first = columnsOf(task, state.norm, currentModel());
  const second = currentSecond() && columnsOf(task, state.norm, currentSecond());
  if (name === "id") return (clip) => clips.id[clip];
  if (TEXT_SORTS.includes(name)) return (clip) => groupValue(name, clip);
  if (name === "errors") return (clip) => (Number.isNaN(first.rate[clip]) ? NaN : first.errors[clip]);
  if (name === "rate") return (clip) => first.rate[clip];
  if (SECOND_SORTS.includes(name)) {
    if (name === "second_rate") return (clip) => second.rate[clip];
    if (name === "difference") return (clip) => first.rate[clip] - second.rate[clip];
    return (clip) => (Number.isNaN(second.rate[clip]) ? NaN : second.errors[clip]);
  }
  const values = rangeColumn(name);
  return (clip) => values[clip];
}

function sortClips() {
  const value = sortColumn(state.sort);
  const sign = state.order === "up" ? 1 : -1;
  const { errors } = columnsOf(currentTask(), state.norm, currentModel());
  const keys = new Map(passing.map((clip) => [clip, value(clip)]));
  sorted = [...passing].sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    const [noX, noY] = [missing(x), missing(y)];
    if (noX || noY) return noX - noY || a - b;
    if (x !== y) return x < y ? -sign : sign;
    // Of equal rates the one of the longer clip is worse; then the order of the document.
    return sign * (errors[a] - errors[b]) || a - b;
  });
  state.page = Math.min(state.page, Math.max(Math.ceil(sorted.length / ROWS), 1));
}

function listColumns() {
  const { rate, unit } = currentTask();
  const columns = [["id", "Clip"], ["rate", rate], ["errors", "Errors"]];
  if (currentSecond()) {
    columns.push(["second_rate", rate + " of second"], ["second_errors", "Errors of second"],
      ["difference", "Difference, pp"]);
  }
  return [...columns, ["confidence", "Confidence"], ["units", unit + "s"], ["seconds", "Duration, s"], ["snr", "SNR, dB"],
    ["language", "Language"], ["speaker", "Speaker"]];
}

function showList() {
  const rows = sorted.slice((state.page - 1) * ROWS, state.page * ROWS);
  const columns = listColumns().map(([name, label]) => ({
    number: !TEXT_SORTS.includes(name),
    sort: state.sort !== name ? null : state.order === "up" ? "ascending" : "descending",
    label: make("button", { type: "button", "data-sort": name, click: () => sortBy(name) }, label,
      state.sort !== name ? "" : state.order === "up" ? " ▲" : " ▼"),
  }));
  const result = table("Worst first unless sorted; a heading sorts, a row opens its alignment",
    [...columns, column("Reference")], rows.map(listRow));
  rows.forEach((clip, index) => {
    const row = result.tBodies[0].rows[index];
    row.dataset.clip = clip;
    row.lastChild.className = "text";
    row.classList.toggle("current", clip === state.clip);
  });
  keepFocus(element("list"), () => element("list").replaceChildren(result));
  const chosen = result.querySelector("tr.current .open") ?? result.querySelector(".open");
  if (chosen) chosen.tabIndex = 0; // one row is in the order of the Tab key; arrows move on
  showCount(rows.length);
  showPages();
  showSteps();
}

function listRow(clip) {
  const [task, norm] = [currentTask(), state.norm];
  const first = columnsOf(task, norm, currentModel());
  const open = link(clips.id[clip], null, { tabindex: -1, title: clips.id[clip],
    "aria-current": clip === state.clip && "true" });
  open.classList.add("open");
  const text = task.references[norm][clip];
  const glue = spaced(task) ? " " : "";
  const cells = [open, percent(first.rate[clip]), errorsCell(first, clip)];
  if (currentSecond()) {
    const second = columnsOf(task, norm, currentSecond());
    cells.push(percent(second.rate[clip]), errorsCell(second, clip), points(first.rate[clip] - second.rate[clip]));
  }
  cells.push(plain(currentModel().confidence?.[clip]), plain(task.units[norm][clip]), plain(clips.seconds[clip]),
    plain(clips.snr_db[clip]), isolated(groupValue("language", clip)), isolated(groupValue("speaker", clip)));
  cells.push(text === null ? (withheld.has(clip) ? "(not shown)" : "(none)") : isolated(unitsOf(task, text).join(glue)));
  return cells;
}

function errorsCell(columns, clip) {
  return plain(Number.isNaN(columns.rate[clip]) ? null : columns.errors[clip]);
}

function showCount(shown) {
  const start = (state.page - 1) * ROWS;
  const words = [shown ? `${whole(start + 1)} to ${whole(start + shown)} of ${whole(sorted.length)} clips` :
    "No clip passes the filters"];
  if (sorted.length < size) words.push(`${whole(size)} without filters`);
  const count = element("count");
  count.replaceChildren(words.join("; ") + ".");
  if (state.confusion) {
    const [reference, recognised] = state.confusion;
    const text = confusionText(reference, recognised) + " by " + state.model + ". ";
    count.append(" Only clips with ", isolated(text),
      link("Show all", () => update({ confusion: null, page: 1 }), { id: "clear-confusion" }));
  }
}

function showPages() {
  const last = Math.max(Math.ceil(sorted.length / ROWS), 1);
  const button = (id, text, page) => make("button", { type: "button", id, disabled: page < 1 || page > last ||
    page === state.page, click: () => update({ page }) }, text);
  keepFocus(element("pages"), () => element("pages").replaceChildren(
    button("first-page", "First", 1), button("previous-page", "Previous", state.page - 1),
    make("span", {}, `Page ${state.page} of ${last}`),
    button("next-page", "Next", state.page + 1), button("last-page", "Last", last)));
}

// The element that had the focus is replaced; its successor gets it.
function keepFocus(parent, change) {
  const active = parent.contains(document.activeElement) ? document.activeElement : null;
  const sortName = active?.dataset.sort;
  const { id } = active ?? {};
  const row = active?.closest("tr")?.dataset.clip;
  change();
  if (!active || active === parent) return;
  const next = (id && element(id)) || (sortName && parent.querySelector(`[data-sort="${sortName}"]`)) ||
    (row && parent.querySelector(`tr[data-clip="${row}"] .open`));
  if (next && !next.disabled) next.focus();
  else (parent.querySelector("button:not(:disabled)") ?? element("list-heading")).focus();
}

function sortBy(name) {
  const first = TEXT_SORTS.includes(name) ? "up" : "down";
  const other = first === "up" ? "down" : "up";
  update({ sort: name, order: state.sort === name && state.order === first ? other : first, page: 1 });
}

function openClip(clip) {
  update({ clip });
  const heading = element("detail-heading");
  heading.focus({ preventScroll: true });
  // Beside the list it mostly is in view; below the list, in narrow windows, its end would be below the window.
  bringIntoView(heading, matchMedia("(min-width: 75rem)").matches ? "nearest" : "start");
}

// Moves the focus by rows, and over the ends of a page to the next one.
function moveRow(row, step) {
  const rows = [...row.parentNode.rows];
  const index = rows.indexOf(row) + step;
  const page = state.page + step;
  if (index >= 0 && index < rows.length) {
    for (const other of rows) other.querySelector(".open").tabIndex = -1;
    rows[index].querySelector(".open").tabIndex = 0;
    rows[index].querySelector(".open").focus();
  } else if (page >= 1 && page <= Math.ceil(sorted.length / ROWS)) {
    update({ page });
    const opens = element("list").querySelectorAll(".open");
    opens[step < 0 ? opens.length - 1 : 0].focus();
  }
}

function listenToList() {
  const list = element("list");
  list.addEventListener("click", (event) => {
    const row = event.target.closest("tbody tr");
    if (row) openClip(Number(row.dataset.clip));
  });
  list.addEventListener("keydown", (event) => {
    const row = event.target.closest(".open") && event.target.closest("tr");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!row || !step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    moveRow(row, step);
  });
}
