// Records the microphone, sends it to the service and shows the phones that come back.
import { clear, element, seconds, show } from "./elements.js";
import { openMicrophone } from "./microphone.js";
import { PageError, capital, keyIsMissing, openSocket, request } from "./service.js";

const BEHIND_S = 10; // as much sound may wait for a slow connection
const FINAL_MS = 15_000; // the last phones arrive within the look-ahead of the model, 0.1 s
const GOING_AWAY = 1001, RESTART = 1012, TRY_LATER = 1013;
const SENTENCES = {
  [GOING_AWAY]: "The service is stopping; what it recognised is shown. Start again in a minute.",
  [RESTART]: "The service is stopping; what it recognised is shown. Start again in a minute.",
  [TRY_LATER]: "The service is busy: it has as many live streams as it allows. Try again later.",
};

// Committed phones are appended to the line of their utterance; provisional ones are replaced.
class PhoneLog {
  constructor(parent) {
    this.parent = parent;
    this.provisional = document.createElement("span");
    this.provisional.className = "provisional";
    this.provisional.setAttribute("aria-live", "off"); // it would be read 25 times per second
  }

  clear() {
    this.parent.replaceChildren();
    this.begin();
    this.count = 0;
  }

  begin() {
    this.line = document.createElement("p");
    this.committed = document.createTextNode("");
    this.line.append(this.committed, this.provisional);
    this.parent.append(this.line);
  }

  add({ committed, provisional, endpoint }) {
    const follows = this.parent.scrollTop + this.parent.clientHeight >= this.parent.scrollHeight - 40;
    for (const { phone } of committed) this.committed.appendData(phone + " ");
    this.count += committed.length;
    if (endpoint && this.committed.length) this.begin();
    this.provisional.textContent = provisional.map(({ phone }) => phone).join(" ");
    if (follows) this.parent.scrollTop = this.parent.scrollHeight;
  }
}

const log = new PhoneLog(element("phones"));
const button = element("record");
let session = null; // one recording: microphone, socket, chunks that wait for it, what it received

function state(name, label, status) {
  button.dataset.state = name;
  button.textContent = label;
  // Not `disabled`, which would take the focus from the button.
  button.setAttribute("aria-disabled", String(name === "opening" || name === "finishing"));
  element("live-status").textContent = status;
}

async function start() {
  const current = { waiting: [], recorded: 0, final: null, explained: false };
  session = current;
  clear("live-message");
  log.clear();
  element("live-time").textContent = "";
  state("opening", "Start recording", "Opening the microphone …");
  try {
    const lost = () => {
      explain(current, "The microphone was disconnected.");
      if (session === current && button.dataset.state === "recording") stop();
    };
    current.microphone = await openMicrophone((pcm, rms) => send(current, pcm, rms), lost);
    connect(current);
    state("recording", "Stop recording", "Recording …");
  } catch (error) {
    if (!(error instanceof PageError)) throw error;
    await fail(current, error.message);
  }
}

function connect(current) {
  const parameters = {
    sample_rate: current.microphone.rate, encoding: "pcm_s16le", interim: "true",
  };
  const model = element("live-model").value;
  if (model) parameters.model = model;
  const socket = openSocket("v1/stream", parameters);
  current.socket = socket;
  socket.onopen = () => {
    for (const pcm of current.waiting.splice(0)) socket.send(pcm);
    finish(current);
  };
  socket.onmessage = ({ data }) => receive(current, data);
  socket.onclose = ({ code, reason }) => closed(current, code, reason);
}

function send(current, pcm, rms) {
  const { socket, microphone } = current;
  current.recorded += pcm.byteLength / 2;
  element("live-time").textContent = seconds(current.recorded / (microphone?.rate ?? Infinity));
  element("level").value = 20 * Math.log10(Math.max(rms, 1e-3));
  if (!socket || socket.readyState === WebSocket.CONNECTING) current.waiting.push(pcm);
  else if (socket.readyState === WebSocket.OPEN) socket.send(pcm);
  if (socket?.bufferedAmount > BEHIND_S * microphone.rate * 2) {
    fail(current, "The connection is too slow: " + BEHIND_S + " s of sound wait to be sent.");
  }
}

function receive(current, data) {
  if (session !== current) return;
  const message = parsed(data);
  if (message?.type === "update") {
    log.add(message);
  } else if (message?.type === "final") {
    current.final = message;
    element("live-time").textContent = seconds(message.audio_s);
    log.add({ committed: [], provisional: [], endpoint: null });
    if (current.flushed) current.socket.close(1000);
  } else if (message?.type === "error") {
    explain(current, capital(String(message.error?.message)));
    if (message.error?.type === "authentication_error") keyIsMissing();
  } else if (message?.type !== "ready") {
    fail(current, "The service sent a message that this page does not understand.");
  }
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}

// The first reason is the cause; later ones are its consequences.
function explain(current, sentence) {
  if (!current.explained) show("live-message", sentence);
  current.explained = true;
}

async function closed(current, code, reason) {
  if (session !== current) return;
  if (!(current.final && code === 1000) && !current.explained) {
    const sentence = SENTENCES[code] ?? (reason && capital(reason));
    explain(current, sentence || (await closeSentence(code)));
  }
  await end(current);
}

// A refused handshake has no status in a browser; a request tells the reason, for example the key.
async function closeSentence(code) {
  try {
    await request("v1/models");
  } catch (error) {
    if (!(error instanceof PageError)) throw error;
    return error.message;
  }
  return "The service closed the connection (code " + code + ").";
}

async function stop() {
  const current = session;
  state("finishing", "Stop recording", "Waiting for the last phones …");
  await current.microphone.stop();
  current.flushed = true;
  finish(current);
}

// The end follows the last chunk, which may still wait for the connection.
function finish(current) {
  if (session !== current || !current.flushed || current.socket.readyState !== WebSocket.OPEN) return;
  current.socket.send(JSON.stringify({ type: "finish" }));
  setTimeout(() => {
    if (session === current) fail(current, "The service did not send the last phones.");
  }, FINAL_MS);
}

async function fail(current, sentence) {
  if (session !== current) return;
  explain(current, sentence);
  await end(current);
}

async function end(current) {
  if (session !== current) return;
  session = null;
  current.socket?.close();
  const audio_s = current.final?.audio_s;
  const length = Number.isFinite(audio_s) ? " after " + seconds(audio_s) : "";
  log.provisional.textContent = ""; // what was not committed is not a result
  const status = current.microphone ? "Stopped" + length + "; phones: " + log.count + "." : "";
  state("idle", "Start recording", status);
  element("level").value = -60;
  await current.microphone?.stop();
}

export function addLiveModels(models) {
  const options = models.map(({ id }) => new Option(id, id));
  element("live-model").replaceChildren(new Option("default", ""), ...options);
}

log.clear();
state("idle", "Start recording", "");
button.addEventListener("click", () => {
  if (button.dataset.state === "idle") start();
  else if (button.dataset.state === "recording") stop();
});
addEventListener("pagehide", () => session?.socket?.close());
