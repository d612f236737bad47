
"use strict";
// Filters: which clips pass, and the rates of those that do.

const RANGE_LABELS = { seconds: "Duration in s", snr: "SNR in dB", units: "Phones or words",
  rate: "Error rate in %", confidence: "Confidence" };
let passing = []; // indices of the clips that pass, in the order of the document

function rangeColumn(name) {
  const task = currentTask();
  if (name === "seconds") return clips.seconds;
  if (name === "snr") return clips.snr_db;
  if (name === "units") return task.units[state.norm];
  if (name === "confidence") return currentModel().confidence ?? [];
  return columnsOf(task, state.norm, currentModel()).rate;
}

// Tests of the filters that are set; each takes the index of a clip. All are loops over columns:
// 10,000 clips take a few milliseconds.
function filterTests() {
  const tests = [];
  for (const name of GROUPS) {
    if (state[name] === null) continue;
    const { values, index } = clips[name];
    const wanted = values.indexOf(state[name]);
    tests.push((clip) => index[clip] === wanted);
  }
  for (const name of RANGES) {
    const scale = name === "rate" ? 100 : 1;
    const [low, high] = state[name];
    if (low === null && high === null) continue;
    const values = rangeColumn(name);
    tests.push((clip) => {
      const value = values[clip];
      // A rate of 1/3 shown as 33.33 % passes a limit of 33.33.
      const rounded = name === "rate" ? Math.round(value * scale * 100) / 100 : value;
      return !missing(value) && (low === null || rounded >= low) && (high === null || rounded <= high);
    });
  }
  if (state.confusion) {
    const found = clipsWith(currentTask(), state.norm, currentModel(), state.confusion);
    tests.push((clip) => found.has(clip));
  }
  const wanted = state.search.trim().toLowerCase();
  if (wanted) {
    const texts = searchedTexts();
    const joined = wanted.replace(/\s+/g, ""); // phones are written with and without spaces
    const forms = spaced(currentTask()) || joined === wanted ? [wanted] : [wanted, joined];
    tests.push((clip) => texts.some((text) => forms.some((form) => text[clip].includes(form))));
  }
  return tests;
}

function searchedTexts() {
  const [task, norm] = [currentTask(), state.norm];
  const models = [currentModel(), currentSecond()].filter((model) => model);
  return [searchTexts(task, norm), ...models.map((model) => searchHypotheses(task, norm, model))];
}

function applyFilters() {
  const tests = filterTests();
  passing = [];
  for (let clip = 0; clip < size; clip++) {
    if (tests.every((test) => test(clip))) passing.push(clip);
  }
}

// The rate of a model over the clips that pass: from the counts per clip, so without an interval.
function filteredRate(task, norm, model) {
  const { errors, rate } = columnsOf(task, norm, model);
  const result = { errors: 0, units: 0, clips: 0, characterErrors: 0, characters: 0 };
  for (const clip of passing) {
    if (Number.isNaN(rate[clip])) continue;
    result.errors += errors[clip];
    result.units += task.units[norm][clip];
    result.clips++;
    const wrong = model.character_errors?.[norm][clip];
    if (missing(wrong) || missing(task.characters?.[norm][clip])) continue;
    result.characterErrors += wrong;
    result.characters += task.characters[norm][clip];
  }
  result.rate = result.units ? result.errors / result.units : NaN;
  result.characterRate = result.characters ? result.characterErrors / result.characters : NaN;
  return result;
}

// Two models on the clips that pass and that both decoded.
function filteredPair(task, norm, first, second) {
  const a = columnsOf(task, norm, first);
  const b = columnsOf(task, norm, second);
  const result = { clips: 0, units: 0, errors: [0, 0], better: [0, 0], equal: 0 };
  for (const clip of passing) {
    if (Number.isNaN(a.rate[clip]) || Number.isNaN(b.rate[clip])) continue;
    const difference = a.errors[clip] - b.errors[clip];
    result.clips++;
    result.units += task.units[norm][clip];
    result.errors[0] += a.errors[clip];
    result.errors[1] += b.errors[clip];
    if (difference === 0) result.equal++;
    else result.better[difference < 0 ? 0 : 1]++;
  }
  return result;
}

function buildFilters() {
  const form = element("filters");
  const search = make("input", { type: "search", id: "search", maxlength: LONGEST_TEXT,
    input: (event) => update({ search: event.target.value, page: 1 }) });
  form.append(make("label", {}, "Search in texts and names ", search));
  for (const name of GROUPS) {
    const options = clips[name].values.map((value, index) => new Option(printable(value || "unknown"), index));
    const select = make("select", { id: "filter-" + name, change: (event) => {
      const { value } = event.target;
      update({ [name]: value === "" ? null : clips[name].values[Number(value)], page: 1 });
    } }, new Option("all", ""), options);
    form.append(make("label", {}, name[0].toUpperCase() + name.slice(1) + " ", select));
  }
  for (const name of RANGES) form.append(rangeFields(name));
  form.append(make("button", { type: "button", id: "clear", click: clearFilters }, "Clear the filters"),
    make("button", { type: "button", id: "download", click: download }, "Download the rows as CSV"));
  form.addEventListener("submit", (event) => event.preventDefault());
}

function rangeFields(name) {
  const field = (side, label) => make("input", { type: "number", step: "any", id: name + "-" + side,
    "aria-label": RANGE_LABELS[name] + ": " + label, placeholder: label, input: () => {
      const ends = ["low", "high"].map((end) => element(name + "-" + end).value);
      update({ [name]: ends.map((text) => (text === "" ? null : Number(text))), page: 1 });
    } });
  return make("fieldset", { id: "range-" + name }, make("legend", {}, RANGE_LABELS[name]),
    field("low", "from"), " ", field("high", "to"));
}

function showFilters() {
  if (document.activeElement !== element("search")) element("search").value = state.search;
  for (const name of GROUPS) {
    const index = clips[name].values.indexOf(state[name]);
    element("filter-" + name).value = state[name] === null ? "" : String(index);
  }
  for (const name of RANGES) {
    ["low", "high"].forEach((side, index) => {
      const field = element(name + "-" + side);
      if (document.activeElement !== field) field.value = state[name][index] ?? "";
    });
  }
  const confidences = currentModel().confidence ?? [];
  element("range-confidence").hidden = confidences.every(missing);
}

function clearFilters() {
  const base = defaults(currentTask());
  const cleared = [...GROUPS, ...RANGES, "search", "confusion", "page"].map((key) => [key, base[key]]);
  element("search").value = "";
  update(Object.fromEntries(cleared));
}
