// Sends a file, plays it, and shows its words.
import { clear, element, printable, seconds, show } from "./elements.js";
import { PageError, request } from "./service.js";
import { srt, webvtt } from "./subtitles.js";
import { showTranscript } from "./transcript.js";

const OPTIONS = ["language", "script"];
const GROUPS = [["Words", "words"], ["Phones", "phones"]];
const audio = element("audio");
let abort = null; // of the request that runs
let lines = [];
let stem = "";
let kinds = new Map(); // of the models, by name

// Word times need a phone recogniser; phones have no language and no script.
function form() {
  const data = new FormData();
  data.append("file", element("file").files[0]);
  data.append("model", element("model").value);
  data.append("response_format", "verbose_json");
  if ([...kinds.values()].includes("phones")) data.append("timestamp_granularities[]", "word");
  data.append("timestamp_granularities[]", "segment");
  for (const name of OPTIONS) {
    if (element(name).value && !element(name).disabled) data.append(name, element(name).value);
  }
  return data;
}

async function transcribe() {
  if (abort) return;
  const [file] = element("file").files;
  abort = new AbortController();
  clear("upload-message");
  busy(true, "Sending and recognising " + file.name + " …");
  try {
    const body = form();
    const answer = await request("v1/audio/transcriptions", { method: "POST", body, signal: abort.signal });
    lines = linesOf(answer);
    showAnswer(file, answer);
  } catch (error) {
    const cancelled = error.name === "AbortError";
    if (!cancelled && !(error instanceof PageError)) throw error;
    element("upload-status").textContent = cancelled ? "Cancelled." : "";
    if (!cancelled) show("upload-message", error.message);
  } finally {
    abort = null;
    busy(false);
  }
}

function busy(active, status) {
  const focused = document.activeElement === element("cancel");
  element("transcribe").setAttribute("aria-disabled", String(active));
  element("cancel").hidden = !active;
  if (focused && !active) element("transcribe").focus();
  if (status) element("upload-status").textContent = printable(status);
}

// Words belong to the segment that they start in. A model without times of words has segments alone.
function linesOf({ words, segments, text }) {
  const units = (words ?? []).map(({ word, start, end }) => unit(word, start, end));
  const parts = (segments ?? []).map((part) => unit(part.text, part.start, part.end));
  if (!units.length && !parts.length && text) {
    throw new PageError("The answer has a text but no times: " + text);
  }
  if (!units.length) return parts.map((part) => [part]);
  const result = parts.map(() => []);
  let index = 0;
  for (const word of units.sort((a, b) => a.start - b.start)) {
    while (index + 1 < parts.length && parts[index + 1].start <= word.start) index++;
    (result[index] ??= []).push(word);
  }
  return result.filter((line) => line.length);
}

function unit(text, start, end) {
  if (typeof text !== "string" || !Number.isFinite(start) || !Number.isFinite(end)) {
    throw new PageError("The answer of the service has a word without text or times.");
  }
  return { text: text.trim(), start, end };
}

function showAnswer(file, { language, duration, model, doubt }) {
  stem = file.name.replace(/\.[^.]*$/, "") || "transcript";
  URL.revokeObjectURL(audio.src);
  audio.src = URL.createObjectURL(file);
  showTranscript(lines);
  element("result").hidden = false;
  const length = Number.isFinite(duration) ? seconds(duration) : "";
  const speech = lines.length ? "" : "no speech was found";
  const parts = [file.name, length, language, model, speech, doubt].filter((part) => part);
  element("upload-status").textContent = printable(parts.join(" · "));
}

function save(content, ending, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = stem + ending;
  link.click();
  // The browser reads the object when the download starts, which a task of its own does.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function addModels(models) {
  kinds = new Map(models.map(({ id, kind }) => [id, kind]));
  const groups = GROUPS.map(([label, kind]) => {
    const group = document.createElement("optgroup");
    group.label = label;
    group.append(...models.filter((model) => model.kind === kind).map(({ id }) => new Option(id, id)));
    return group;
  });
  element("model").replaceChildren(...groups.filter((group) => group.children.length));
  allowOptions();
}

function allowOptions() {
  for (const name of OPTIONS) element(name).disabled = kinds.get(element("model").value) === "phones";
}

element("model").addEventListener("change", allowOptions);
element("upload").addEventListener("submit", (event) => {
  event.preventDefault();
  transcribe();
});
element("cancel").addEventListener("click", () => abort?.abort());
element("save-srt").addEventListener("click", () => save(srt(lines), ".srt", "application/x-subrip"));
element("save-vtt").addEventListener("click", () => save(webvtt(lines), ".vtt", "text/vtt"));
audio.addEventListener("error", () => {
  show("upload-message", "This browser cannot play the file; its words are below.");
});
