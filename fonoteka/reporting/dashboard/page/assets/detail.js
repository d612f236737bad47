
"use strict";
// One utterance: its numbers, the alignment of one or two models with the reference, its sound.

const MARKS = { s: ["S", "substituted"], d: ["D", "deleted"], i: ["I", "inserted"] };

function confusionText(reference, recognised) {
  if (!reference) return `${recognised} inserted`;
  return recognised ? `${reference} recognised as ${recognised}` : `${reference} deleted`;
}

// Splits an alignment at the units of its reference: the insertions before each unit, and its step.
function byReference(steps) {
  const result = [{ before: [], step: null }];
  for (const step of steps) {
    if (step.operation === "i") {
      result.at(-1).before.push(step);
    } else {
      result.at(-1).step = step;
      result.push({ before: [], step: null });
    }
  }
  return result;
}

// Merges the alignments of models: columns with the reference's unit and one step per model, or null.
function mergedColumns(alignments) {
  const parts = alignments.map(byReference);
  const result = [];
  for (let position = 0; position < parts[0].length; position++) {
    const inserted = Math.max(...parts.map((part) => part[position].before.length));
    for (let index = 0; index < inserted; index++) {
      result.push({ reference: "", steps: parts.map((part) => part[position].before[index] ?? null) });
    }
    const steps = parts.map((part) => part[position].step);
    if (steps[0]) result.push({ reference: steps[0].reference, steps });
  }
  return result;
}

// The alignment for the eye: a mark above each unit that differs, so that colour is not needed.
function alignmentElement(models, alignments) {
  const cell = (text, kind) => make("span", { class: kind, dir: "auto" }, text);
  const heads = make("div", { class: "heads" }, cell("reference"),
    models.map((model) => [cell(""), cell(model.name)]));
  const columns = mergedColumns(alignments).map(({ reference, steps }) => {
    const parts = steps.map((step) => {
      const kind = step && step.operation !== "=" ? step.operation : "";
      const unit = step ? step.hypothesis || "–" : "";
      return [cell(kind && MARKS[kind][0], "mark"), cell(unit, kind)];
    });
    return make("div", { class: "step" }, cell(reference || "–"), parts);
  });
  const kind = "alignment" + (spaced(currentTask()) ? " words" : "");
  return make("div", { class: kind, "aria-hidden": "true" }, heads, columns);
}

// The same for a screen reader: the differences, with their place in the reference.
function differencesText(model, steps) {
  const parts = [];
  let position = 0;
  for (const { operation, reference, hypothesis: recognised } of steps) {
    if (operation !== "i") position++;
    if (operation === "=") continue;
    const place = operation === "i" ? `after unit ${position}` : `unit ${position}`;
    parts.push(`${place}: ${confusionText(reference, recognised)}`);
  }
  return `${model.name}: ${parts.length ? parts.join("; ") : "equal to the reference"}.`;
}

function countsTable(task, norm, models, clip) {
  const columns = ["Model", task.rate, "Subst.", "Del.", "Ins.", "Confidence"];
  const rows = models.map((model) => {
    const counts = columnsOf(task, norm, model);
    const decoded = countsOf(task, norm, model, clip) !== null;
    const number = (values) => plain(decoded ? values[clip] : null);
    return [isolated(model.name), percent(counts.rate[clip]), number(counts.s), number(counts.d), number(counts.i),
      plain(model.confidence?.[clip])];
  });
  return table("", columns.map((label, index) => column(label, index > 0)), rows);
}

function metadataText(task, norm, clip) {
  const parts = GROUPS.map((name) => `${name} ${groupValue(name, clip) || "unknown"}`);
  parts.push(`${clips.seconds[clip]} s`, `${task.units[norm][clip] ?? 0} ${task.unit}s`);
  if (clips.snr_db[clip] !== null) parts.push(`SNR ${clips.snr_db[clip]} dB`);
  if (clips.synthetic) parts.push(clips.synthetic[clip] ? "synthetic" : "recorded");
  return parts.join(" · ");
}

function showDetail() {
  const detail = element("detail");
  const { clip, norm } = state;
  const task = currentTask();
  stopSound();
  if (clip === null) {
    detail.replaceChildren(make("p", { class: "note", id: "detail-heading", tabindex: -1 },
      "Choose an utterance: a click on its row, or Enter."));
    return;
  }
  const models = [currentModel(), currentSecond()].filter((model) => model);
  detail.replaceChildren(
    make("h3", { id: "detail-heading", tabindex: -1 }, isolated(clips.id[clip])),
    make("div", { class: "bar" }, stepButton("Previous", -1), stepButton("Next", 1)),
    make("p", { class: "note" }, isolated(metadataText(task, norm, clip))),
    scrolling("Counts", {}, countsTable(task, norm, models, clip)),
    ...textElements(task, norm, models, clip), ...soundElements(clip));
  showSteps();
}

// The place in the list is that at the time of the click: filters may have changed since.
function stepButton(text, step) {
  return make("button", { type: "button", "data-step": step, click: () => {
    const index = sorted.indexOf(state.clip) + step;
    update({ clip: sorted[index], page: Math.floor(index / ROWS) + 1 });
    element("detail-heading").focus();
  } }, text + " of the list");
}

function showSteps() {
  const index = sorted.indexOf(state.clip);
  for (const button of element("detail").querySelectorAll("[data-step]")) {
    const next = index + Number(button.dataset.step);
    button.disabled = index < 0 || next < 0 || next >= sorted.length;
  }
}

function textElements(task, norm, models, clip) {
  if (withheld.has(clip)) {
    const reason = clips.withheld_reason || "The texts of this clip are not shown.";
    return [make("p", { class: "withheld" }, isolated(reason))];
  }
  const result = [];
  const aligned = models.map((model) => [model, alignment(task, norm, model, clip)]);
  const shown = aligned.filter(([, steps]) => steps);
  if (shown.length) {
    result.push(alignmentElement(shown.map(([model]) => model), shown.map(([, steps]) => steps)));
    const text = task.references[norm][clip];
    const reference = "Reference: " + (unitsOf(task, text).join(" ") || "empty") + ". ";
    const lines = shown.map(([model, steps]) => differencesText(model, steps));
    result.push(make("p", { class: "hidden-text" }, isolated(reference + lines.join(" "))));
    result.push(make("p", { class: "note" }, "S substituted, D deleted, I inserted; – no unit. ",
      task.tie_break ?? ""));
  }
  for (const [model, steps] of aligned) {
    if (steps) continue;
    const units = hypothesis(task, norm, model, clip);
    const text = units ? `${model.name}, without a reference: ${units.join(" ") || "empty"}` :
      `${model.name} did not decode this clip.`;
    result.push(make("p", {}, isolated(text)));
  }
  for (const other of doc.tasks) {
    const text = other.references[other.normalisations[0]][clip];
    if (other !== task && text !== null) {
      const words = unitsOf(other, text).join(" ");
      result.push(make("p", { class: "note" }, `${other.name}: `, isolated(words)));
    }
  }
  return result;
}
