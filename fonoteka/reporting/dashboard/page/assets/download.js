
"use strict";
// The filtered rows as CSV after RFC 4180: commas, CRLF, quotes doubled.

// A spreadsheet computes a cell that begins with one of these, also after spaces.
const FORMULA = /^[\s\u0000-\u0020]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;
const QUOTED = /[",\r\n]/;

// Texts are made harmless by an apostrophe; numbers are numbers, also negative ones.
function csvField(value) {
  if (missing(value)) return "";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  const text = FORMULA.test(value) ? "'" + value : value;
  return QUOTED.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

function csvRows() {
  const [task, norm] = [currentTask(), state.norm];
  const names = ["substitutions", "deletions", "insertions", "error_rate", "confidence", "hypothesis"];
  const header = ["id", ...GROUPS, "seconds", "snr_db", "task", "normalisation", "units", "reference", "model", ...names];
  if (currentSecond()) header.push("second_model", ...names.map((name) => "second_" + name));
  const rows = sorted.map((clip) => {
    const text = task.references[norm][clip];
    const row = [clips.id[clip], ...GROUPS.map((name) => groupValue(name, clip)), clips.seconds[clip],
      clips.snr_db[clip], task.name, norm, task.units[norm][clip],
      text === null ? null : unitsOf(task, text).join(" ")];
    for (const model of chosenModels()) {
      const counts = countsOf(task, norm, model, clip) ?? [null, null, null];
      row.push(model.name, ...counts, columnsOf(task, norm, model).rate[clip], model.confidence?.[clip],
        hypothesis(task, norm, model, clip)?.join(" "));
    }
    return row;
  });
  return [header, ...rows];
}

function csvText() {
  return csvRows().map((row) => row.map(csvField).join(",") + "\r\n").join("");
}

function download() {
  // Spreadsheets read UTF-8 only after a byte order mark.
  const blob = new Blob(["\ufeff" + csvText()], { type: "text/csv;charset=utf-8" });
  const anchor = make("a", { href: URL.createObjectURL(blob), download: `${state.task}-${state.model}.csv` });
  anchor.click();
  // The browser reads the object when the download starts, which a task of its own does.
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}
