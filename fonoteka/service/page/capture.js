// Runs in the thread of the sound: turns samples into chunks of PCM16 with their level.
class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.size = processorOptions.chunk;
    this.active = true;
    this.begin();
    // Any message ends the capture: the samples of the last, shorter chunk, then `null`.
    this.port.onmessage = () => {
      this.active = false;
      this.flush();
      this.port.postMessage(null);
    };
  }

  begin() {
    this.chunk = new Int16Array(this.size); // little-endian on every processor that browsers run on
    this.filled = 0;
    this.power = 0;
  }

  flush() {
    if (!this.filled) return;
    const pcm = this.chunk.buffer.slice(0, this.filled * 2);
    const rms = Math.sqrt(this.power / this.filled);
    this.port.postMessage({ pcm, rms }, [pcm]);
    this.begin();
  }

  // A source that has ended has no channel.
  process([[samples = []]]) {
    if (!this.active) return false;
    for (const sample of samples) {
      this.power += sample * sample;
      const rounded = Math.round(sample * 32768);
      this.chunk[this.filled++] = Math.max(-32768, Math.min(32767, rounded));
      if (this.filled === this.size) this.flush();
    }
    return true;
  }
}

registerProcessor("capture", Capture);
