
"use strict";
// What the page shows, and its form in the link. A link is text of others: what does not fit the
// document is ignored, and a message names it.

const GROUPS = ["language", "speaker", "sex", "source", "licence"].filter((name) => clips[name]?.values);
const RANGES = ["seconds", "snr", "units", "rate", "confidence"];
const SECOND_SORTS = ["second_errors", "second_rate", "difference"];
const SORTS = ["id", "language", "speaker", "seconds", "snr", "units", "errors", "rate", "confidence", ...SECOND_SORTS];
const TEXT_SORTS = ["id", "language", "speaker"];
const LONGEST_TEXT = 200;
const NONE = "none"; // as the second model

const state = {};

function bestModel(task) {
  const norm = task.normalisations.at(-1);
  const value = (model) => model.report?.rate?.[norm]?.value ?? Infinity;
  return task.models.reduce((best, model) => (value(model) < value(best) ? model : best));
}

function defaults(task) {
  return {
    task: task.name, model: bestModel(task).name, second: NONE, norm: task.normalisations.at(-1),
    search: "", confusion: null, counts: "", sort: "rate", order: "down", page: 1, clip: null,
    ...Object.fromEntries(GROUPS.map((name) => [name, null])),
    ...Object.fromEntries(RANGES.map((name) => [name, [null, null]])),
  };
}

const currentTask = () => taskNamed(state.task);
const currentModel = () => modelNamed(currentTask(), state.model);
const currentSecond = () => (state.second === NONE ? null : modelNamed(currentTask(), state.second));

// Without a second model its columns are not in the list, so the list cannot be sorted by them.
function withoutLostSecond(values) {
  if (values.second === values.model) values.second = NONE;
  if (values.second === NONE && SECOND_SORTS.includes(values.sort)) Object.assign(values, { sort: "rate", order: "down" });
}

// Returns the value of a range such as 1..2.5, ..3 or 1e-7.., or undefined.
function readRange(text) {
  const match = /^(-?\d+(?:\.\d+)?(?:e[+-]\d+)?)?\.\.(-?\d+(?:\.\d+)?(?:e[+-]\d+)?)?$/.exec(text);
  if (!match || (match[1] === undefined && match[2] === undefined)) return undefined;
  const ends = [match[1], match[2]].map((part) => (part === undefined ? null : Number(part)));
  return ends.every((end) => Math.abs(end) < Infinity) ? ends : undefined;
}

function writeRange([low, high]) {
  return (low ?? "") + ".." + (high ?? "");
}

// Readers of the keys of a link: each returns the value, or undefined if it does not fit.
function readers(task) {
  const among = (values) => (text) => (values.includes(text) ? text : undefined);
  const models = task.models.map((model) => model.name);
  return {
    task: among([task.name]),
    model: among(models),
    second: among([NONE, ...models]),
    norm: among(task.normalisations),
    search: (text) => (text.length <= LONGEST_TEXT ? text : undefined),
    counts: among(["filtered"]),
    sort: among(SORTS),
    order: among(["up", "down"]),
    page: (text) => (/^[1-9]\d{0,6}$/.test(text) ? Number(text) : undefined),
    clip: (text) => (clips.id.includes(text) ? clips.id.indexOf(text) : undefined),
    ...Object.fromEntries(GROUPS.map((name) => [name, among(clips[name].values)])),
    ...Object.fromEntries(RANGES.map((name) => [name, readRange])),
  };
}

// Returns the state of a link, and the keys that were ignored.
function readLink(hash) {
  const values = new Map();
  const ignored = [];
  for (const [key, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
    if (values.has(key)) ignored.push(key);
    else values.set(key, value);
  }
  const task = taskNamed(values.get("task")) ?? doc.tasks[0];
  const result = defaults(task);
  const known = readers(task);
  for (const [key, text] of values) {
    if (key === "reference" || key === "hypothesis") continue;
    const value = Object.hasOwn(known, key) ? known[key](text) : undefined;
    if (value === undefined) ignored.push(key);
    else result[key] = value;
  }
  withoutLostSecond(result);
  const pair = [values.get("reference") ?? "", values.get("hypothesis") ?? ""];
  if (pair.some((label) => label.length > LONGEST_TEXT)) ignored.push("reference");
  else if (pair[0] !== pair[1]) result.confusion = pair;
  return { result, ignored };
}

function writeLink() {
  const base = defaults(currentTask());
  const link = new URLSearchParams({ task: state.task, model: state.model });
  for (const key of Object.keys(base)) {
    const value = state[key];
    if (key === "confusion" && value) {
      if (value[0]) link.set("reference", value[0]);
      if (value[1]) link.set("hypothesis", value[1]);
    } else if (RANGES.includes(key)) {
      if (writeRange(value) !== "..") link.set(key, writeRange(value));
    } else if (value !== base[key]) {
      link.set(key, key === "clip" ? clips.id[value] : value);
    }
  }
  return "#" + link;
}
