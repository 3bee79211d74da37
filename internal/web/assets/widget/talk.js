// The customer's side of the conversation: session, socket, and messages that
// are on their way. What was written is kept in the browser until the server
// says that it is stored; every try has the same id, so nothing is lost or said
// twice. Tabs of one browser share the session, and so are one customer.

import { backoff, newID, RequestError, Socket } from "../socket.js";
import { initial, reduce } from "./state.js";

const RETRY_MS = 3000;
const TYPING_EVERY_MS = 3000;
const HISTORY_MS = 400;
const SESSION_ENDED = [4401, 4403];

export class Talk {
  state = initial();
  #server; #identity; #changed; #host; #session; #outbox; #lock;
  #socket = null; #starting = null; #attempt = 0; #timer = 0; #flushing = false; #flushTimer = 0; #typed = 0; #moved = new Set();

  // changed is called after every change; refused(detail) when the server does
  // not believe the identity.
  constructor({ server, identity, changed, refused }) {
    this.#server = server;
    this.#identity = identity;
    this.#changed = changed;
    this.#host = { refused };
    this.#lock = "aside.chat." + server;
    this.#session = keep("aside.chat." + server, null);
    this.#outbox = keep("aside.outbox." + server, []);
    this.#sameCustomer();
    addEventListener("online", () => this.#again());
    addEventListener("storage", (e) => e.key === this.#lock && this.#otherTab());
  }

  get remembered() { return this.#session.get() !== null; }

  // start opens the conversation; more than once is the same as once.
  start() {
    if (!this.#socket && !this.#starting) this.#starting = this.#open().finally(() => (this.#starting = null));
    return this.#starting;
  }

  say(text) { this.#queue({ id: newID(), type: "turn.add", text, at: new Date().toISOString() }); }

  person() { this.#queue({ id: newID(), type: "handoff.request", at: new Date().toISOString() }); }

  retry(id) {
    const item = this.state.outbox.find((m) => m.id === id);
    if (item) this.#queue(item);
  }

  // takeBack gives the text of a message that was refused.
  takeBack(id) {
    const item = this.state.outbox.find((m) => m.id === id);
    this.#forget(id);
    this.#dispatch({ type: "dropped", id });
    return item?.text ?? "";
  }

  typing() {
    if (Date.now() - this.#typed < TYPING_EVERY_MS) return;
    this.#typed = Date.now();
    this.#socket?.tell("typing", this.state.session?.conversation, { role: "customer" });
  }

  // seen says that the customer has looked at everything.
  seen() {
    if (this.state.seen >= this.state.lastSeq) return;
    this.#dispatch({ type: "seen" });
    const kept = this.#session.get();
    if (kept) this.#session.set({ ...kept, seen: this.state.seen });
  }

  // fresh starts a new conversation after the last one was closed.
  fresh() {
    this.#hangUp();
    return this.start();
  }

  identify(token) {
    this.#identity = token;
    const started = this.#socket || this.#starting;
    this.#sameCustomer();
    if (!started && !this.remembered) return;
    this.#hangUp();
    return this.start();
  }

  // #sameCustomer forgets what belongs to somebody else at this machine.
  #sameCustomer() {
    const kept = this.#session.get();
    if (!kept || kept.who === subject(this.#identity) || !kept.who) return; // an anonymous visitor may sign in
    this.#session.set(null);
    this.#outbox.set([]);
    this.state = initial();
    this.#changed();
  }

  async #open() {
    this.#dispatch({ type: "link", link: { state: "connecting", attempt: this.#attempt } });
    let session;
    try {
      session = await locked(this.#lock, () => this.#ask());
    } catch (err) {
      this.#attempt++;
      const wait = Math.max(backoff(this.#attempt), (err.after ?? 0) * 1000);
      this.#dispatch({ type: "fault", fault: err.status === 429 ? "limited" : "unreachable" });
      this.#dispatch({ type: "link", link: { state: "waiting", attempt: this.#attempt, retryAt: Date.now() + wait } });
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.start(), wait);
      return;
    }
    this.#dispatch({ type: "session", session });
    for (const item of this.#outbox.get()) if (!this.state.outbox.some((m) => m.id === item.id)) this.#dispatch({ type: "queued", item });
    this.#socket = new Socket({
      url: this.#server.replace(/^http/, "ws") + "/v1/ws",
      token: session.token,
      onFrame: (frame) => (frame.type === "welcome" ? this.#resume() : this.#frame(frame)),
      onLink: (link) => this.#link(link),
    });
    this.#socket.connect();
  }

  // #ask gets a session, and stores it before another tab may ask.
  async #ask() {
    const kept = this.#session.get();
    let res = await this.#post({ token: kept?.token, identity: this.#identity || undefined });
    if (res.status === 403 && this.#identity) {
      this.#host.refused((await problem(res)).detail ?? "");
      this.#identity = ""; // nobody is left without an answer for that
      res = await this.#post({ token: kept?.who ? undefined : kept?.token });
    }
    if (!res.ok) throw Object.assign(new Error("no session: " + res.status), { status: res.status, after: Number(res.headers.get("Retry-After")) || 0 });
    const session = await res.json();
    const seen = kept?.conversation === session.conversation ? kept.seen : 0;
    this.#session.set({ token: session.token, conversation: session.conversation, who: subject(this.#identity), seen });
    return { ...session, seen };
  }

  #post(body) {
    return fetch(this.#server + "/v1/widget/session", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      credentials: "omit", cache: "no-store", signal: AbortSignal.timeout?.(10_000),
    });
  }

  #link(link) {
    if (link.state === "stopped") {
      this.#socket = null;
      // The token has had its time: a session with the old one goes on where it was.
      const wait = SESSION_ENDED.includes(link.code) && !this.#attempt ? 0 : backoff(this.#attempt + 3);
      this.#attempt++;
      this.#dispatch({ type: "link", link: { state: "waiting", attempt: this.#attempt, retryAt: Date.now() + wait } });
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.start(), wait);
      return;
    }
    if (link.state === "open") this.#attempt = 0;
    this.#dispatch({ type: "link", link });
  }

  #again() {
    if (this.#socket) return this.#socket.connect();
    if (this.state.link.state !== "waiting") return;
    clearTimeout(this.#timer);
    this.start();
  }

  #hangUp() {
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = null;
  }

  // #otherTab follows a tab of this browser into a new conversation, or out.
  #otherTab() {
    const kept = this.#session.get();
    if (!this.#socket || kept?.conversation === this.state.session?.conversation) return;
    this.#hangUp();
    if (!kept) this.state = initial();
    this.start();
  }

  // #resume asks for what happened while there was no connection, then sends
  // what waits.
  async #resume() {
    const conversation = this.state.session.conversation;
    try {
      const after = this.state.lastSeq;
      const { seq = 0 } = await this.#socket.request("conversation.open", conversation, { after });
      this.#dispatch({ type: "opened", seq });
      if (seq < after) return this.#resume();
      if (seq <= this.state.lastSeq) this.#dispatch({ type: "loaded" });
      else setTimeout(() => this.#dispatch({ type: "loaded" }), HISTORY_MS); // what is not for customers has numbers too
    } catch (err) {
      if (err.code !== "not_found") return; // the next connection asks again
      this.#dispatch({ type: "loaded" });
    }
    this.#flush();
  }

  #frame(frame) {
    if (frame.conversation !== this.state.session?.conversation) return;
    this.#dispatch({ type: "frame", frame, at: Date.now() });
  }

  #queue(item) {
    this.#outbox.set([...this.#outbox.get().filter((m) => m.id !== item.id), { id: item.id, type: item.type, text: item.text, at: item.at }]);
    this.#dispatch({ type: "queued", item });
    if (this.#socket) this.#flush();
    else this.start();
  }

  #forget(id) { this.#outbox.set(this.#outbox.get().filter((m) => m.id !== id)); }

  // #flush sends what waits, one after the other, in the order it was written.
  async #flush() {
    if (this.#flushing) return;
    this.#flushing = true;
    clearTimeout(this.#flushTimer);
    try {
      for (let item; (item = this.state.outbox.find((m) => m.state === "waiting" && !m.seq)); ) {
        if (!(await this.#deliver(item))) return;
      }
    } finally {
      this.#flushing = false;
    }
  }

  async #deliver({ id, type, text }) {
    const conversation = this.state.session?.conversation;
    try {
      if (!this.#socket) throw new RequestError("unavailable", "Not connected.");
      const data = type === "turn.add" ? { role: "customer", text, external_id: id } : {};
      const { seq } = await this.#socket.request(type, conversation, data, id);
      this.#forget(id);
      this.#dispatch({ type: "acked", id, seq });
      return true;
    } catch (err) {
      if (!(err instanceof RequestError)) throw err;
      if (err.code === "conflict" && this.state.phase === "closed" && !this.#moved.has(id)) {
        this.#moved.add(id);
        this.fresh(); // and from there it goes out
        return false;
      }
      if (!err.temporary) {
        this.#forget(id);
        this.#dispatch({ type: "failed", id, error: err.message });
        return true;
      }
      if (this.state.link.state === "open") this.#flushTimer = setTimeout(() => this.#flush(), RETRY_MS);
      return false;
    }
  }

  #dispatch(action) {
    const before = this.state;
    this.state = reduce(before, action);
    if (this.state !== before) this.#changed();
  }
}

// keep is a value in the browser, shared by its tabs; where that is not allowed
// it lives as long as the page.
function keep(key, otherwise) {
  let memory = otherwise, blocked = false;
  return {
    get() {
      if (blocked) return memory;
      try {
        return JSON.parse(localStorage.getItem(key)) ?? otherwise;
      } catch {
        return memory;
      }
    },
    set(value) {
      memory = value;
      try {
        if (value === null || value.length === 0) localStorage.removeItem(key);
        else localStorage.setItem(key, JSON.stringify(value));
        blocked = false;
      } catch {
        blocked = true; // or full: memory has it
      }
    },
  };
}

// locked lets one tab at a time ask, where the browser can: two tabs opened at
// once would otherwise be two customers.
const locked = (name, work) => (navigator.locks ? navigator.locks.request(name, work) : work());

// subject is whom a signed token names. It is only compared; the server verifies.
function subject(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).sub ?? "";
  } catch {
    return "";
  }
}

async function problem(res) {
  try {
    return await res.json();
  } catch {
    return {};
  }
}
