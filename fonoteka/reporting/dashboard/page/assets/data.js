
"use strict";
// The document: its clips, tasks and models, and the columns of numbers that filters and tables read.

const doc = JSON.parse(element("data").textContent);
const clips = doc.clips;
const size = clips.id.length;
const withheld = new Set(clips.withheld ?? []);
const cache = new Map();

function cached(key, compute) {
  if (!cache.has(key)) cache.set(key, compute());
  return cache.get(key);
}

const taskNamed = (name) => doc.tasks.find((task) => task.name === name);
const modelNamed = (task, name) => task.models.find((model) => model.name === name);
const spaced = (task) => !task.alphabet; // texts of words; those of phones are codes

function labels(task) {
  return cached("labels/" + task.name, () => {
    const codes = [...(task.alphabet?.codes ?? "")];
    return new Map(codes.map((code, index) => [code, task.alphabet.labels[index]]));
  });
}

// The units of a text, as labels.
function unitsOf(task, text) {
  if (spaced(task)) return text ? text.split(" ").filter((word) => word) : [];
  const names = labels(task);
  return Array.from(text, (code) => names.get(code) ?? code);
}

// Visits the edits of a packed hypothesis: equal units with their number, or an operation and its unit.
function visitEdits(task, text, equal, edit) {
  if (spaced(task)) {
    for (const token of text ? text.split(" ") : []) {
      if (token[0] >= "0" && token[0] <= "9") equal(Number(token));
      else edit(token[0], token.slice(1));
    }
    return;
  }
  const names = labels(task);
  for (let index = 0; index < text.length;) {
    const character = text[index];
    if (character >= "0" && character <= "9") {
      let run = 0;
      while (text[index] >= "0" && text[index] <= "9") run = run * 10 + Number(text[index++]);
      equal(run);
    } else if (character === "d") {
      edit("d", "");
      index++;
    } else {
      const code = text.slice(index + 1, index + 2);
      edit(character, names.get(code) ?? code);
      index += 2;
    }
  }
}

// The alignment of a clip: steps with an operation and the units of the reference and the hypothesis;
// null if it is not shown or does not exist.
function alignment(task, norm, model, clip) {
  const edits = model.edits[norm][clip];
  const text = task.references[norm][clip];
  if (edits === null || text === null) return null;
  const reference = unitsOf(task, text);
  const steps = [];
  let position = 0;
  const equal = (run) => {
    for (let step = 0; step < run; step++) {
      steps.push({ operation: "=", reference: reference[position], hypothesis: reference[position] });
      position++;
    }
  };
  visitEdits(task, edits, equal, (operation, unit) => {
    steps.push({ operation, reference: operation === "i" ? "" : reference[position++], hypothesis: unit });
  });
  equal(reference.length - position);
  return steps;
}

// The units that a model recognised; null if they are not shown or the model did not decode the clip.
function hypothesis(task, norm, model, clip) {
  const text = model.texts[norm][clip];
  if (text !== undefined) return unitsOf(task, text);
  const edits = model.edits[norm][clip];
  if (edits === null) return null;
  const reference = unitsOf(task, task.references[norm][clip]);
  const result = [];
  let position = 0;
  const equal = (run) => {
    for (const end = position + run; position < end; position++) result.push(reference[position]);
  };
  visitEdits(task, edits, equal, (operation, unit) => {
    if (operation !== "i") position++;
    if (operation !== "d") result.push(unit);
  });
  equal(reference.length - position);
  return result;
}

// Counts of a model by clip, and its error rate: NaN if the clip is not part of any rate.
function columnsOf(task, norm, model) {
  return cached(["columns", task.name, norm, model.name].join("/"), () => {
    const columns = { s: new Int32Array(size), d: new Int32Array(size), i: new Int32Array(size),
      errors: new Int32Array(size), rate: new Float64Array(size).fill(NaN) };
    for (let clip = 0; clip < size; clip++) {
      const counts = countsOf(task, norm, model, clip);
      if (!counts) continue;
      [columns.s[clip], columns.d[clip], columns.i[clip]] = counts;
      columns.errors[clip] = counts[0] + counts[1] + counts[2];
      // A clip without a reference is part of no rate, as in the reports.
      const units = task.units[norm][clip];
      if (units > 0) columns.rate[clip] = columns.errors[clip] / units;
    }
    return columns;
  });
}

function countsOf(task, norm, model, clip) {
  const edits = model.edits[norm][clip];
  if (edits === null) return model.counts[norm][clip] ?? null;
  const counts = { s: 0, d: 0, i: 0 };
  if (edits) visitEdits(task, edits, () => {}, (operation) => { counts[operation]++; });
  return [counts.s, counts.d, counts.i];
}

// Every substitution, deletion and insertion of a model as numbers: the clip, and its two labels.
// The label "" is the missing side of a deletion or an insertion.
function errorsOf(task, norm, model) {
  return cached(["errors", task.name, norm, model.name].join("/"), () => {
    const numbers = new Map([["", 0]]);
    const number = (label) => {
      if (!numbers.has(label)) numbers.set(label, numbers.size);
      return numbers.get(label);
    };
    const result = { clip: [], reference: [], hypothesis: [], numbers };
    for (let clip = 0; clip < size; clip++) {
      const edits = model.edits[norm][clip];
      if (!edits) continue;
      const units = unitsOf(task, task.references[norm][clip]);
      let position = 0;
      visitEdits(task, edits, (run) => { position += run; }, (operation, unit) => {
        result.clip.push(clip);
        result.reference.push(number(operation === "i" ? "" : units[position++]));
        result.hypothesis.push(number(unit));
      });
    }
    return result;
  });
}

// The clips in which a model recognises one label as another.
function clipsWith(task, norm, model, [reference, hypothesisLabel]) {
  const errors = errorsOf(task, norm, model);
  const from = errors.numbers.get(reference);
  const to = errors.numbers.get(hypothesisLabel);
  const result = new Set();
  errors.clip.forEach((clip, index) => {
    if (errors.reference[index] === from && errors.hypothesis[index] === to) result.add(clip);
  });
  return result;
}

function groupValue(name, clip) {
  return clips[name].values[clips[name].index[clip]];
}

// What the text search reads, in lower case: names, references and words of a clip, and in texts of
// their own the hypotheses of each model. Phones are searched without spaces.
function searchTexts(task, norm) {
  return cached(["search", task.name, norm].join("/"), () => {
    const others = doc.tasks.filter((other) => other !== task && spaced(other));
    return clips.id.map((id, clip) => {
      const text = task.references[norm][clip];
      const parts = [id, text === null ? "" : unitsOf(task, text).join(spaced(task) ? " " : "")];
      for (const other of others) parts.push(other.references[other.normalisations[0]][clip] ?? "");
      return parts.join("\n").toLowerCase();
    });
  });
}

function searchHypotheses(task, norm, model) {
  return cached(["search", task.name, norm, model.name].join("/"), () => clips.id.map((_, clip) => {
    if (model.edits[norm][clip] === "") return ""; // equal to the reference
    const units = hypothesis(task, norm, model, clip) ?? [];
    return units.join(spaced(task) ? " " : "").toLowerCase();
  }));
}
