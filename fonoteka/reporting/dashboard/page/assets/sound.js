
"use strict";
// The sound of a clip, if the page contains it: a player, and a spectrogram that seeks.

const RATE_HZ = 16000; // decoded sound has this rate, so the spectrogram ends at 8 kHz
const WINDOW = 512; // samples: 32 ms
const RANGE_DB = 70; // below the loudest point; the rest has the darkest colour
const COLUMNS = 600;
// From dark to light, so that brightness alone shows the level.
const RAMP = [[12, 8, 38], [88, 24, 110], [190, 55, 84], [249, 142, 9], [252, 255, 164]];
let player = null;

function stopSound() {
  player?.pause();
  player = null;
}

// A transform in place of real and imaginary parts whose length is a power of two.
function transform(real, imaginary) {
  const length = real.length;
  for (let index = 1, other = 0; index < length; index++) {
    let bit = length >> 1;
    for (; other & bit; bit >>= 1) other ^= bit;
    other ^= bit;
    if (index < other) {
      [real[index], real[other]] = [real[other], real[index]];
      [imaginary[index], imaginary[other]] = [imaginary[other], imaginary[index]];
    }
  }
  for (let width = 2; width <= length; width *= 2) {
    for (let start = 0; start < length; start += width) {
      for (let step = 0; step < width / 2; step++) {
        const angle = (-2 * Math.PI * step) / width;
        const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
        const low = start + step;
        const high = low + width / 2;
        const x = real[high] * cosine - imaginary[high] * sine;
        const y = real[high] * sine + imaginary[high] * cosine;
        real[high] = real[low] - x;
        imaginary[high] = imaginary[low] - y;
        real[low] += x;
        imaginary[low] += y;
      }
    }
  }
}

// Levels in dB of `COLUMNS` windows over the samples, each from 0 Hz to half of the rate.
function spectrogram(samples) {
  const result = [];
  for (let index = 0; index < COLUMNS; index++) {
    const start = Math.round(((samples.length - WINDOW) * index) / (COLUMNS - 1));
    const real = new Float64Array(WINDOW);
    const imaginary = new Float64Array(WINDOW);
    for (let offset = 0; offset < WINDOW; offset++) {
      const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * offset) / WINDOW);
      real[offset] = (samples[start + offset] ?? 0) * hann;
    }
    transform(real, imaginary);
    const levels = new Float64Array(WINDOW / 2);
    for (let bin = 0; bin < WINDOW / 2; bin++) {
      levels[bin] = 10 * Math.log10(real[bin] ** 2 + imaginary[bin] ** 2 + 1e-12);
    }
    result.push(levels);
  }
  return result;
}

function colour(share) {
  const place = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
  const index = Math.min(Math.floor(place), RAMP.length - 2);
  return RAMP[index].map((low, part) => low + (RAMP[index + 1][part] - low) * (place - index));
}

function paint(canvas, levels) {
  const context = canvas.getContext("2d");
  const height = WINDOW / 2;
  canvas.width = COLUMNS;
  canvas.height = height;
  const image = context.createImageData(COLUMNS, height);
  let loudest = -Infinity;
  for (const part of levels) for (const level of part) loudest = Math.max(loudest, level);
  levels.forEach((part, x) => part.forEach((level, bin) => {
    const place = ((height - 1 - bin) * COLUMNS + x) * 4;
    image.data.set([...colour((level - loudest) / RANGE_DB + 1), 255], place);
  }));
  context.putImageData(image, 0, 0);
  return image;
}

// The policy of the page allows no request, and `fetch` of a data address is one.
function bytesOf(url) {
  const text = atob(url.slice(url.indexOf(",") + 1));
  return Uint8Array.from(text, (character) => character.charCodeAt(0)).buffer;
}

function soundElements(clip) {
  const url = clips.audio?.[clip];
  if (!url || !url.startsWith("data:audio/")) return [];
  const audio = make("audio", { controls: true, preload: "auto", "aria-label": "Recording of the clip" });
  const canvas = make("canvas", { role: "img", "aria-label": "Spectrogram, 0 to 8 kHz" });
  const note = make("p", { class: "note" }, "Spectrogram, 0 to 8 kHz; a click seeks.");
  audio.src = url;
  audio.addEventListener("error", () => { note.textContent = "This browser cannot play the recording."; });
  player = audio;
  showSpectrogram(audio, canvas, note, url);
  return [audio, make("div", { class: "spectrogram" }, canvas), note];
}

async function showSpectrogram(audio, canvas, note, url) {
  let sound;
  try {
    sound = await new OfflineAudioContext(1, 1, RATE_HZ).decodeAudioData(bytesOf(url));
  } catch {
    note.textContent = "This browser cannot decode the recording, so there is no spectrogram.";
    canvas.hidden = true;
    return;
  }
  if (player !== audio) return; // another clip was chosen meanwhile
  const image = paint(canvas, spectrogram(sound.getChannelData(0)));
  canvas.dataset.seconds = sound.duration.toFixed(2);
  const follow = () => {
    const context = canvas.getContext("2d");
    context.putImageData(image, 0, 0);
    context.fillStyle = "#fff";
    context.fillRect((audio.currentTime / sound.duration) * COLUMNS, 0, 2, canvas.height);
    if (!audio.paused && player === audio) requestAnimationFrame(follow);
  };
  for (const name of ["play", "seeked", "pause"]) audio.addEventListener(name, follow);
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    audio.currentTime = ((event.clientX - box.left) / box.width) * sound.duration;
  });
}
