// Requests to the service. Addresses are relative to the page, because a proxy may add a path.

// A reason that is shown to the user, as a sentence.
export class PageError extends Error {}

const STORED = "fonoteka-key";
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/; // what a header and a subprotocol may contain
let key = storedKey();
let requestKey = () => {};

// A browser that stores nothing, for example without cookies, throws: memory alone remains.
function storedKey() {
  try {
    return sessionStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}

export function useKey(value) {
  if (!TOKEN.test(value)) {
    throw new PageError("The key contains spaces or letters that no key has; copy it again.");
  }
  key = value;
  try {
    sessionStorage.setItem(STORED, value);
  } catch {
    // as above
  }
}

// `action` runs whenever the service asks for another key.
export function onMissingKey(action) {
  requestKey = action;
}

export function keyIsMissing() {
  requestKey(key ? "The service does not accept this key; enter another one." :
    "The service asks for an API key.");
}

// Returns the JSON of an answer.
export async function request(path, options = {}) {
  let response;
  try {
    const headers = key ? { Authorization: "Bearer " + key } : {};
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new PageError("The service did not answer: it does not run, the connection was cut, or " +
      "the file changed after it was chosen.");
  }
  const body = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  if (response.status === 401) keyIsMissing();
  if (!response.ok) throw new PageError(sentence(response, body));
  if (body === null) throw new PageError("The answer of the service is not JSON.");
  return body;
}

function sentence(response, body) {
  const message = body?.error?.message;
  const wait = response.headers.get("Retry-After");
  const reason = typeof message === "string" && message ? capital(message) :
    "The service answered with status " + response.status + ".";
  const complete = !/^\d+$/.test(wait ?? "") || /\bagain\b/i.test(reason);
  return complete ? reason : reason + " Try again in " + wait + " s.";
}

// The service writes its sentences as programs do: without a capital and a full stop.
export function capital(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : whole + ".";
}

// A browser cannot add headers to a socket, so the key is a subprotocol. The service answers with
// the other one, so that the key is not sent back.
export function openSocket(path, parameters) {
  const url = new URL(path, document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams(parameters).toString();
  const socket = new WebSocket(url, key ? ["fonoteka", "bearer." + key] : []);
  socket.binaryType = "arraybuffer";
  return socket;
}
