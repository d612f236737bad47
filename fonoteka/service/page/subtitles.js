// Subtitles from lines of words; a cue fits two lines of a screen and can be read while it is shown.
const MOST_CHARACTERS = 84; // two lines of 42, as broadcasters ask for
const LONGEST_S = 7;
const PAUSE_S = 1; // a longer gap ends a cue

export function cues(lines) {
  const result = [];
  for (const line of lines) {
    let cue = null;
    for (const { text, start, end } of line) {
      const fits = cue && cue.text.length + 1 + text.length <= MOST_CHARACTERS &&
        end - cue.start <= LONGEST_S && start - cue.end <= PAUSE_S;
      if (fits) cue.text += " " + text;
      else result.push(cue = { text, start });
      cue.end = end;
    }
  }
  return result;
}

function clock(seconds, point) {
  const ms = Math.round(seconds * 1000);
  const parts = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1000) % 60];
  const [hours, minutes, rest] = parts.map((part) => String(Math.floor(part)).padStart(2, "0"));
  return hours + ":" + minutes + ":" + rest + point + String(ms % 1000).padStart(3, "0");
}

// A line break or an arrow in a text would end its cue.
function oneLine(text) {
  return text.replace(/\s+/g, " ").trim().replaceAll("-->", "→");
}

export function srt(lines) {
  return cues(lines).map(({ text, start, end }, index) => (index + 1) + "\n" +
    clock(start, ",") + " --> " + clock(end, ",") + "\n" + oneLine(text) + "\n\n").join("");
}

export function webvtt(lines) {
  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return "WEBVTT\n\n" + cues(lines).map(({ text, start, end }) => clock(start, ".") + " --> " +
    clock(end, ".") + "\n" + escaped(oneLine(text)) + "\n\n").join("");
}
