// The console with a real server: session, WebSocket, outbox.

import { Desk } from "./desk.js";
import { claimsOf } from "./claims.js";
import { hasGap } from "./store.js";
import { newID, RequestError, Socket } from "./socket.js";
import * as memory from "./memory.js";

const STATUS_MS = 30_000;
const RETRY_MS = 3000;
const TRIES = 4; // while connected; then the agent decides
const GAP_MS = 300;
const RENEW_EARLY_MS = 120_000; // before a token's end
const RENEW_MS = 10 * 60_000; // at the latest, whatever this machine's clock says

class Server {
  #desk = null; #socket = null; #token = ""; #provider = ""; #gapTimer = 0; #renewTimer = 0; #busy = new Set(); #tries = new Map();

  attach(desk) {
    this.#desk = desk;
    setInterval(() => this.#status(), STATUS_MS);
    addEventListener("beforeunload", (e) => {
      if (memory.outbox.get().length) e.preventDefault();
    });
    addEventListener("online", () => this.#socket?.connect());
  }

  // start finds out who is there: a token kept in this tab, else the session of
  // whoever signed in with the company's provider, else the development session of
  // the embedded mode, else nobody. Whose pasted token has ended does not become
  // somebody else by it.
  async start(refused = "", pasted = false) {
    const why = refusal();
    const kept = memory.token.get();
    if (kept) return this.signIn(kept);
    try {
      const res = await this.#askSession();
      const provider = this.#provider = res.headers.get("Aside-Sign-In") ?? "";
      if (res.ok && !pasted) {
        const s = await res.json();
        if (s.token !== refused) return this.#enter(s.token, s);
        return this.#session({ state: "unknown", error: "The server refuses its own development session. Its log says why." });
      }
      if (res.status >= 500) return this.#session({ state: "unknown", error: "The server cannot answer at the moment." });
      this.#session({ state: "signed_out", provider, error: why || (refused && (provider && !pasted ? "Your session has ended. Sign in again; what you wrote is still here." : "Your token is not valid any more. Paste a new one; what you wrote is still here.")) });
    } catch {
      this.#session({ state: "unknown", error: "The server cannot be reached." });
    }
  }

  #askSession(method = "GET") { return fetch("/v1/session", { method, headers: { Accept: "application/json" }, cache: "no-store" }); }

  // #renew gets another token before this one ends; the connection is made anew
  // with it and goes on where it was.
  #renewAt(expires) {
    clearTimeout(this.#renewTimer);
    if (!expires) return;
    this.#renewTimer = setTimeout(() => this.#renew(), Math.max(1000, Math.min(new Date(expires) - Date.now() - RENEW_EARLY_MS, RENEW_MS)));
  }

  async #renew() {
    const token = this.#token;
    try {
      const res = await this.#askSession();
      if (token !== this.#token) return; // signed out meanwhile
      if (res.status === 401) return this.#refused();
      if (!res.ok) throw new Error(`the server said ${res.status}`);
      const s = await res.json();
      this.#token = s.token;
      this.#socket?.renew(s.token);
      this.#renewAt(s.expires_at);
    } catch {
      clearTimeout(this.#renewTimer);
      this.#renewTimer = setTimeout(() => this.#renew(), RETRY_MS);
    }
  }

  signIn(token) {
    const provider = this.#provider;
    const claims = claimsOf(token);
    if (!claims) return this.#session({ state: "signed_out", provider, error: "That is not a token: it should have three parts with dots between them." });
    if (claims.role && claims.role !== "agent") return this.#session({ state: "signed_out", provider, error: `That token is for the role “${claims.role}”. The desk needs one for “agent”.` });
    memory.token.set(token);
    this.#enter(token, claims);
  }

  async signOut() {
    const pasted = memory.token.get();
    this.#leave();
    let location = "";
    try {
      if (!pasted) ({ location } = await (await this.#askSession("DELETE")).json());
    } catch {
      return this.#session({ state: "signed_out", provider: this.#provider, error: "You are signed out in this tab, but the server could not be told. Try again when it answers." });
    }
    if (location) return window.location.assign(location); // the provider's own session ends there
    this.#session({ state: "signed_out", provider: this.#provider });
  }

  #leave() {
    memory.token.set("");
    clearTimeout(this.#renewTimer);
    this.#socket?.close();
    this.#socket = null;
    this.#token = "";
  }

  // #refused takes a token that is not valid any more for what it is: written
  // replies and drafts stay in the tab for the next one.
  #refused() {
    const token = this.#token, pasted = Boolean(memory.token.get());
    this.#leave();
    return this.start(token, pasted);
  }

  reconnect() { this.#socket?.connect(); }
  open(id) {
    this.#join(id);
    for (const reply of memory.outbox.get()) if (reply.conversation === id) this.#deliver(reply);
  }
  typing(id) { this.#socket?.tell("typing", id, { role: "agent" }); }
  request(id, instruction) { return this.#ask("suggestion.request", id, { instruction }); }
  step(id, stepID, state) { return this.#ask("step.set", id, { step_id: stepID, state }); }
  feedback(id, suggestionID, verdict, reason) { return this.#ask("suggestion.feedback", id, { suggestion_id: suggestionID, verdict, ...(reason && { reason }) }); }
  take(id) { return this.#ask("handoff.take", id, {}); }
  giveBack(id, reason) { return this.#ask("handoff.return", id, { ...(reason && { reason }) }); }
  close(id, resolution) { return this.#ask("conversation.close", id, { resolution }); }

  // check gives no verdicts when it cannot ask: writing goes on without them.
  async check(id, text, suggestionID) {
    try {
      return (await this.#ask("draft.check", id, { text, ...(suggestionID && { suggestion_id: suggestionID }) })).verdicts ?? [];
    } catch {
      return [];
    }
  }

  suggestion(id) { return this.#fetch("/v1/suggestions/" + encodeURIComponent(id)); }

  // search is the agent's own, in all pages they may read.
  async search(text) { return (await this.#fetch("/v1/search", { text, k: 6 })).hits ?? []; }

  async #fetch(path, body) {
    const res = await fetch(path, { headers: { Authorization: "Bearer " + this.#token, ...(body && { "Content-Type": "application/json" }) }, ...(body && { method: "POST", body: JSON.stringify(body) }) });
    if (!res.ok) throw new Error(`the server said ${res.status}`);
    return res.json();
  }

  // send puts a reply into the outbox and on its way. It leaves the outbox when
  // the server has said that it is stored; until then every try has the same
  // id, so it can neither be lost nor sent twice.
  send(conversation, text, suggestionID, after) {
    const reply = { id: newID(), conversation, text, suggestionID, after };
    memory.outbox.set([...memory.outbox.get(), reply]);
    this.#deliver(reply);
  }

  // resend is asked for by the agent.
  resend(conversation, replyID) {
    this.#tries.delete(replyID);
    this.#again(replyID);
  }

  #again(replyID) {
    const reply = memory.outbox.get().find((r) => r.id === replyID);
    if (reply) this.#deliver(reply);
  }

  forget(replyID) { memory.outbox.set(memory.outbox.get().filter((r) => r.id !== replyID)); }

  async #deliver(reply) {
    if (this.#busy.has(reply.id)) return;
    this.#busy.add(reply.id);
    const { id: replyID, conversation: id, text, suggestionID } = reply;
    this.#desk.dispatch({ type: "reply.queued", id, reply });
    try {
      const ack = await this.#ask("reply.send", id, { text, ...(suggestionID && { suggestion_id: suggestionID }) }, replyID);
      this.forget(replyID);
      this.#tries.delete(replyID);
      this.#desk.dispatch({ type: "reply.acked", id, replyID, seq: ack.seq });
    } catch (err) {
      if (!(err instanceof RequestError)) throw err;
      if (err.temporary && this.#desk.state.link.state !== "open") return; // it goes out when the connection is back
      const tries = (this.#tries.get(replyID) ?? 0) + 1;
      this.#tries.set(replyID, tries);
      if (err.temporary && tries < TRIES) setTimeout(() => this.#again(replyID), RETRY_MS);
      else this.#desk.dispatch({ type: "reply.failed", id, replyID, error: err.message });
    } finally {
      this.#busy.delete(replyID);
    }
  }

  #ask(type, conversation, data, id) {
    return this.#socket ? this.#socket.request(type, conversation, data, id) : Promise.reject(new RequestError("unavailable", "Not connected."));
  }

  #session(session) { this.#desk.dispatch({ type: "session", session }); }

  #enter(token, who) {
    this.#token = token;
    this.#session({ state: "signed_in", sub: who.sub, name: who.name, dev: Boolean(who.dev) });
    this.#renewAt(who.dev ? "" : who.expires_at);
    this.#socket?.close();
    this.#socket = new Socket({
      url: location.origin.replace(/^http/, "ws") + "/v1/ws",
      token,
      onFrame: (frame) => this.#frame(frame),
      onLink: (link) => this.#link(link),
    });
    this.#socket.connect();
    const last = memory.open.get();
    if (last) this.#desk.dispatch({ type: "conversation.select", id: last });
  }

  #link(link) {
    if (link.state === "stopped" && (link.code === 4401 || link.code === 4403)) return this.#refused();
    this.#desk.dispatch({ type: "link", link });
    if (link.state === "waiting") this.#status(); // a browser does not say that a token was refused
  }

  #frame(frame) {
    this.#desk.dispatch({ type: "frame", frame, at: Date.now() });
    if (frame.type === "welcome") return this.#resume();
    if (frame.type === "suggestion.failed" && this.#desk.state.chats[frame.conversation]?.opened) this.#status(); // the model may be down
    const chat = this.#desk.state.chats[frame.conversation];
    if (chat?.opened && hasGap(chat)) {
      clearTimeout(this.#gapTimer);
      this.#gapTimer = setTimeout(() => hasGap(this.#desk.state.chats[frame.conversation]) && this.#join(frame.conversation), GAP_MS);
    }
  }

  // #resume asks for all that happened while there was no connection, then
  // sends what waits to go out.
  async #resume() {
    this.#status();
    try {
      const queue = await this.#ask("queue.open", undefined, {});
      this.#desk.dispatch({ type: "queue.loaded", conversations: queue.conversations ?? [] });
    } catch (err) {
      if (!err.temporary) this.#desk.dispatch({ type: "link", link: { state: "stopped", attempt: 0, message: err.message } });
      return;
    }
    const waiting = memory.outbox.get();
    await Promise.all(Object.keys(this.#desk.state.chats).map((id) => this.#join(id)));
    for (const reply of waiting) this.#deliver(reply);
  }

  async #join(id) {
    const chat = this.#desk.state.chats[id];
    try {
      const after = chat?.lastSeq ?? 0;
      const ack = await this.#ask("conversation.open", id, { after });
      if (ack.seq < after) {
        this.#desk.dispatch({ type: "conversation.reset", id });
        return this.#join(id);
      }
      this.#desk.dispatch({ type: "conversation.opened", id, seq: ack.seq });
    } catch {
      // Asked again on the next connection.
    }
  }

  async #status() {
    if (!this.#token) return;
    try {
      const res = await fetch("/v1/status", { headers: { Authorization: "Bearer " + this.#token }, cache: "no-store" });
      if (res.status === 401) return this.#refused();
      if (res.ok) this.#desk.dispatch({ type: "status", status: await res.json() });
    } catch {
      // The connection's banner says it.
    }
  }
}

// refusal is why the provider's sign-in did not go well; the address forgets it.
function refusal() {
  const words = new URLSearchParams(location.hash.slice(1)).get("sign-in") ?? "";
  if (words) history.replaceState(null, "", location.pathname);
  return words && words[0].toUpperCase() + words.slice(1) + ".";
}

const server = new Server();
const desk = new Desk(document.getElementById("app"), server);
for (const [id, seq] of Object.entries(memory.seen.get())) desk.state.seen[id] = seq;
server.attach(desk);
desk.draw();
server.start();
