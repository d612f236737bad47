
"use strict";
// The confusion heat map: what a model recognises a unit as. A cell leads to its utterances.

const MOST_WORDS = 24; // labels of words in the map: those with the most errors
const MOST_PAIRS = 40; // rows of the table beside the map
const CELL = 15;
const MARGIN = 52;
let focusedCell = "0/0";

// Substitutions of the document as rows [reference, hypothesis, count].
function reportedPairs({ rows, columns, counts }) {
  const result = [];
  rows.forEach((reference, row) => columns.forEach((recognised, place) => {
    const count = counts[row][place];
    if (count && reference !== recognised) result.push([reference, recognised, count]);
  }));
  return result;
}

function countedPairs(task, norm, model) {
  const errors = errorsOf(task, norm, model);
  const names = [...errors.numbers.keys()];
  const inside = new Uint8Array(size);
  for (const clip of passing) inside[clip] = 1;
  const counts = new Map();
  errors.clip.forEach((clip, index) => {
    if (!inside[clip]) return;
    const key = errors.reference[index] * names.length + errors.hypothesis[index];
    counts.set(key, (counts.get(key) ?? 0) + 1);
  });
  return [...counts].map(([key, count]) =>
    [names[Math.floor(key / names.length)], names[key % names.length], count]);
}

// The labels of the map: those of the alphabet that occur, or the words with the most errors.
function mapLabels(task, pairs) {
  const totals = new Map();
  for (const [reference, recognised, count] of pairs) {
    for (const label of [reference, recognised]) totals.set(label, (totals.get(label) ?? 0) + count);
  }
  if (!spaced(task)) return ["", ...task.alphabet.labels].filter((label) => totals.has(label));
  const words = [...totals].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([label]) => label);
  return words.slice(0, MOST_WORDS);
}

function showConfusions() {
  const [task, norm, model] = [currentTask(), state.norm, currentModel()];
  const reported = model.confusion && state.counts !== "filtered";
  const pairs = reported ? reportedPairs(model.confusion) : countedPairs(task, norm, model);
  pairs.sort((a, b) => b[2] - a[2] || (a[0] + "\0" + a[1] < b[0] + "\0" + b[1] ? -1 : 1));
  const source = reported ? (model.confusion_note ?? "Substitutions in all clips.") :
    `Errors in the alignments of the ${whole(passing.length)} clips that pass the filters, counted in this page; ` +
    "withheld clips have none.";
  const children = [countsChoice(model), make("p", { class: "note" }, isolated(source))];
  if (pairs.length) {
    children.push(make("p", { class: "note" }, "Rows are the reference, columns the hypothesis; a stronger colour is " +
      "more frequent. A click on a cell lists its clips."));
    children.push(scrolling("Confusion map", {}, heatMap(mapLabels(task, pairs), pairs)), make("p", { id: "readout", role: "status" }));
    children.push(pairTable(pairs));
  } else {
    children.push(make("p", {}, "There are no errors."));
  }
  keepFocus(element("confusions"), () => element("confusions").replaceChildren(...children));
}

function countsChoice(model) {
  const select = make("select", { id: "counts", change: (event) => update({ counts: event.target.value }) });
  if (model.confusion) select.add(new Option("of all clips, substitutions", ""));
  select.add(new Option("of the filtered clips, all errors", "filtered"));
  select.value = model.confusion ? state.counts : "filtered";
  return make("label", {}, `Counts of ${model.name} `, select);
}

function heatMap(names, pairs) {
  const place = new Map(names.map((label, index) => [label, index]));
  const shown = pairs.filter((pair) => place.has(pair[0]) && place.has(pair[1]));
  const step = spaced(currentTask()) ? CELL + 7 : CELL;
  const margin = spaced(currentTask()) ? MARGIN * 2 : MARGIN;
  const side = margin + names.length * step + 4;
  const svg = draw("svg", { width: side, height: side, viewBox: `0 0 ${side} ${side}`, role: "group",
    "aria-label": "Confusion map: rows are the reference, columns the hypothesis; arrow keys move, Enter filters" });
  names.forEach((label, index) => {
    const middle = margin + index * step + step / 2;
    const text = label === "" ? "–" : label;
    svg.append(draw("line", { class: "grid", x1: margin, x2: side, y1: middle, y2: middle }),
      draw("line", { class: "grid", y1: margin, y2: side, x1: middle, x2: middle }),
      draw("text", { x: margin - 5, y: middle + 4, "text-anchor": "end" }, text),
      draw("text", { "text-anchor": "start", transform: `translate(${middle + 4} ${margin - 5}) rotate(-90)` }, text));
  });
  const most = Math.max(...shown.map((pair) => pair[2]));
  for (const [reference, recognised, count] of shown) {
    const [row, place_] = [place.get(reference), place.get(recognised)];
    const text = `${confusionText(reference, recognised)}: ${whole(count)}`;
    svg.append(draw("rect", { class: "cell", role: "button", tabindex: -1, "aria-label": text,
      id: `cell-${row}-${place_}`, "data-place": `${row}/${place_}`, x: margin + place_ * step + 1,
      y: margin + row * step + 1, width: step - 2, height: step - 2,
      // The root makes rare confusions visible beside the most frequent one.
      "fill-opacity": (0.12 + 0.88 * Math.sqrt(count / most)).toFixed(3) }, draw("title", {}, text)));
  }
  listenToMap(svg, names);
  return svg;
}

function listenToMap(svg, names) {
  const cells = new Map([...svg.querySelectorAll(".cell")].map((cell) => [cell.dataset.place, cell]));
  const placeOf = (cell) => cell.dataset.place.split("/").map(Number);
  const choose = (cell) => {
    const [row, place] = placeOf(cell);
    showClipsWith([names[row], names[place]]);
  };
  const setStop = (cell) => {
    for (const other of svg.querySelectorAll('[tabindex="0"]')) other.setAttribute("tabindex", -1);
    cell.setAttribute("tabindex", 0);
    focusedCell = cell.dataset.place;
  };
  if (cells.size) setStop(cells.get(focusedCell) ?? [...cells.values()][0]);
  svg.addEventListener("click", (event) => {
    if (event.target.closest(".cell")) choose(event.target.closest(".cell"));
  });
  for (const name of ["mouseover", "focusin"]) {
    svg.addEventListener(name, (event) => {
      const cell = event.target.closest(".cell");
      if (cell) element("readout").textContent = cell.getAttribute("aria-label");
    });
  }
  svg.addEventListener("keydown", (event) => {
    const cell = event.target.closest(".cell");
    const direction = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (cell && (event.key === "Enter" || event.key === " ")) choose(cell);
    else if (!cell || !direction) return;
    else {
      const next = nearest([...cells.values()], placeOf(cell), direction, placeOf);
      if (next) {
        setStop(next);
        next.focus();
      }
    }
    event.preventDefault();
  });
}

// The closest cell in a direction: the map has gaps, and a step along the axis counts less than one aside.
function nearest(cells, [row, place], [down, right], placeOf) {
  let best = null;
  let least = Infinity;
  for (const cell of cells) {
    const [otherRow, otherPlace] = placeOf(cell);
    const ahead = (otherRow - row) * down + (otherPlace - place) * right;
    const aside = Math.abs((otherRow - row) * right) + Math.abs((otherPlace - place) * down);
    if (ahead > 0 && ahead + 3 * aside < least) {
      least = ahead + 3 * aside;
      best = cell;
    }
  }
  return best;
}

function pairTable(pairs) {
  const rows = pairs.slice(0, MOST_PAIRS).map(([reference, recognised, count]) => [
    link(confusionText(reference, recognised), () => showClipsWith([reference, recognised])), plain(count)]);
  const caption = `The ${rows.length} most frequent of ${whole(pairs.length)}; each leads to its utterances`;
  return tableDetails("Confusions as a table", table(caption, [column("Confusion"), column("Count", true)], rows));
}

function showClipsWith(confusion) {
  update({ confusion, page: 1 });
  // Withheld clips have no alignment in this page, so they are in the counts of a report alone.
  element("list-heading").focus({ preventScroll: true });
  element("list-heading").scrollIntoView({ block: "start" });
}
