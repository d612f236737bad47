// The microphone as chunks of PCM16 at the rate of the sound card; the service resamples them.
import { PageError } from "./service.js";

const CHUNK_S = 0.04; // two frames of the models: 25 messages per second, and 40 ms of delay at most
const FLUSH_MS = 500; // a chunk takes 40 ms; a sound card that was unplugged delivers nothing

const REFUSALS = {
  NotAllowedError: "The browser does not allow this page to use the microphone; allow it in the " +
    "settings of the page.",
  NotFoundError: "No microphone was found; connect one and start again.",
  NotReadableError: "The microphone cannot be opened; another program may be using it.",
};

async function openStream() {
  if (!navigator.mediaDevices) {
    throw new PageError("Browsers allow the microphone on this machine or over https alone; open " +
      "the page by one of them.");
  }
  try {
    // Echo and noise suppression distort speech, and the models were trained on speech as it is.
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    const reason = REFUSALS[error.name];
    throw new PageError(reason ?? "The microphone cannot be opened: " + error.message);
  }
}

// Calls onChunk(pcm, rms) per chunk, and onLost() if the microphone is unplugged. Returns the rate
// and a function that delivers the last chunk and closes the microphone.
export async function openMicrophone(onChunk, onLost) {
  const stream = await openStream();
  const context = new AudioContext();
  const close = () => {
    for (const track of stream.getTracks()) track.stop();
    return context.close();
  };
  try {
    await context.audioWorklet.addModule(new URL("capture.js", import.meta.url).href);
    await context.resume();
  } catch (error) {
    await close();
    throw new PageError("The browser cannot record sound: " + error.message);
  }
  const capture = new AudioWorkletNode(context, "capture", {
    numberOfOutputs: 0,
    channelCount: 1,
    channelCountMode: "explicit",
    processorOptions: { chunk: Math.round(context.sampleRate * CHUNK_S) },
  });
  const flushed = new Promise((resolve) => {
    capture.port.onmessage = ({ data }) => (data ? onChunk(data.pcm, data.rms) : resolve());
  });
  for (const track of stream.getTracks()) track.addEventListener("ended", onLost);
  context.createMediaStreamSource(stream).connect(capture);
  const end = async () => {
    capture.port.postMessage("stop");
    await Promise.race([flushed, new Promise((resolve) => setTimeout(resolve, FLUSH_MS))]);
    await close();
  };
  let ended = null; // a second call waits for the first
  return { rate: context.sampleRate, stop: () => (ended ??= end()) };
}
