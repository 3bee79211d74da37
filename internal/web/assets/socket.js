// One WebSocket to the server: requests get their ack or error, a lost
// connection comes back by itself with growing, jittered waits. What was being
// asked when it was lost is rejected as unavailable; whoever asked repeats it
// with the same id, which the server takes as the same request.

const ACK_MS = 10_000;
const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 15_000;
const RENEW_MS = 250;

export class RequestError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
  // Whether the same request may succeed later.
  get temporary() {
    return ["unavailable", "rate_limited", "internal"].includes(this.code);
  }
}

// newID makes the id of a request: its idempotency key.
export const newID = () => "c-" + (crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("")); // plain http has no randomUUID

// backoff is the wait before attempt n (1, 2, …): half fixed, half random.
export function backoff(attempt, random = Math.random) {
  const full = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
  return full / 2 + (full / 2) * random();
}

export class Socket {
  #url; #token; #onFrame; #onLink; #ws = null; #waiting = new Map(); #attempt = 0; #timer = 0; #stopped = false;

  // onFrame gets each event; onLink gets {state: connecting · open · waiting ·
  // stopped, attempt, retryAt, message}.
  constructor({ url, token, onFrame, onLink }) {
    this.#url = url;
    this.#token = token;
    this.#onFrame = onFrame;
    this.#onLink = onLink;
  }

  connect() {
    clearTimeout(this.#timer);
    if (this.#stopped || (this.#ws && this.#ws.readyState <= WebSocket.OPEN)) return;
    this.#onLink({ state: "connecting", attempt: this.#attempt });
    let ws;
    try {
      ws = new WebSocket(this.#url, ["aside.v1", "bearer." + this.#token]);
    } catch {
      return this.#halt(4401, "This token cannot be used: it contains characters that tokens do not have.");
    }
    this.#ws = ws;
    ws.onmessage = (e) => this.#receive(e.data);
    ws.onclose = (e) => this.#lost(ws, e);
  }

  // renew puts another token in use: once nobody waits for an answer, the
  // connection is made anew with it.
  renew(token) {
    this.#token = token;
    if (this.#stopped || this.#ws?.readyState !== WebSocket.OPEN) return;
    if (this.#waiting.size) return void setTimeout(() => token === this.#token && this.renew(token), RENEW_MS);
    const before = this.#ws;
    this.#ws = null;
    before.close(1000);
    this.connect();
  }

  close() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#ws?.close(1000);
  }

  // request sends one frame and waits for its ack; it gives the ack's data.
  request(type, conversation, data, id = newID()) {
    if (this.#ws?.readyState !== WebSocket.OPEN) {
      return Promise.reject(new RequestError("unavailable", "Not connected."));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new RequestError("unavailable", "The server did not answer in time."));
      }, ACK_MS);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#ws.send(JSON.stringify({ type, id, conversation, data }));
    });
  }

  // tell sends a frame nobody waits for; it is dropped when not connected.
  tell(type, conversation, data) {
    if (this.#ws?.readyState === WebSocket.OPEN) this.#ws.send(JSON.stringify({ type, conversation, data }));
  }

  #receive(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return; // not ours; the next frame may be
    }
    const asked = frame.id && this.#waiting.get(frame.id);
    if (asked) {
      this.#waiting.delete(frame.id);
      clearTimeout(asked.timer);
      if (frame.type === "error") asked.reject(new RequestError(frame.error?.code ?? "internal", frame.error?.message ?? "Something went wrong."));
      else asked.resolve(frame.data ?? {});
      return;
    }
    if (frame.type === "ack" || frame.type === "error") return;
    if (frame.type === "welcome") {
      this.#attempt = 0;
      this.#onLink({ state: "open", attempt: 0 });
    }
    this.#onFrame(frame);
  }

  #lost(ws, e) {
    if (ws !== this.#ws) return;
    this.#ws = null;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new RequestError("unavailable", "The connection was lost."));
    }
    this.#waiting.clear();
    if (this.#stopped) return;
    if (e.code >= 4400 && e.code <= 4499) return this.#halt(e.code, e.reason);
    this.#attempt++;
    const wait = backoff(this.#attempt);
    this.#onLink({ state: "waiting", attempt: this.#attempt, retryAt: Date.now() + wait });
    this.#timer = setTimeout(() => this.connect(), wait);
  }

  #halt(code, reason) {
    this.#stopped = true;
    this.#onLink({ state: "stopped", attempt: this.#attempt, code, message: reason ?? "" });
  }
}
