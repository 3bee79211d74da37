// <aside-panel>: the console's panel in another tool's page.
//
//   <script type="module" src="https://ASIDE/panel.js"></script>
//   <aside-panel conversation="42" token="…"></aside-panel>
//
// Attributes: conversation; token (a context that the tool's server signed, or a
// token of an agent); server (default: where this script came from); theme (light,
// dark; default: the system's). All may change at any time: another conversation,
// a new token before the old one ends.
//
// Events, which bubble and leave shadow trees:
//   aside:insert   {text, suggestion_id, replace}   the agent wants these words in the
//                  tool's reply box. preventDefault() says that they are there; else
//                  they are copied to the clipboard.
//   aside:sent     {text, suggestion_id, seq}       a reply of this agent is stored,
//                  whichever way it was sent
//   aside:ready    {conversation}                   the panel is connected
//   aside:expired  {message}                        set a new token
//
// Methods: send(text, suggestionID) sends a reply through Aside, on the agent's
// click in the tool (a promise of its seq); check(text, suggestionID) gives the
// verdicts on what the agent typed; composing(on) says that the agent writes, so
// that no card changes under their eyes.
//
// It keeps nothing in the browser: no cookie, no storage, so it works where those
// of third parties are blocked. The token is sent as a bearer to its server only.

import "../panel.js";
import { claimsOf } from "../claims.js";
import { h, icon, render, soon, user } from "../dom.js";
import { Keys } from "../keys.js";
import { announcement, internalSources, internalWords, loading, shownDraft, sourceName, streaming } from "../select.js";
import { RequestError, Socket } from "../socket.js";
import { drawLink } from "../status.js";
import { hasGap, initial, reduce } from "../store.js";
import { WhyDialog } from "../why.js";

const HOME = new URL(import.meta.url).origin;
const STATUS_MS = 60_000;
const RETRY_MS = 4000;
const LULL_MS = 900;
const GAP_MS = 300;
const TOAST_MS = 4000;
const KEYS = ["insert", "replace", "dismiss", "option_1", "option_2", "option_3", "newer", "focus_sources", "focus_draft", "focus_steps", "ask", "good", "bad", "why"];

// sheets are the console's styles as a foreign page can have them: its policy may
// forbid style elements, and its root's font size is not ours.
let sheets = null;
function styles(server) {
  sheets ??= Promise.all(["tokens.css", "console.css", "embed/panel.css"].map(async (name) => {
    const res = await fetch(`${server}/assets/${name}`);
    if (!res.ok) throw new Error(`${name}: ${res.status}`);
    const sheet = new CSSStyleSheet();
    sheet.replaceSync((await res.text()).replace(/(?<![\w.])(\d*\.?\d+)rem\b(?![^{}]*\)\s*\{)/g, "calc(var(--aside-size, 16px) * $1)"));
    return sheet;
  })).catch((err) => {
    sheets = null; // the next panel tries again
    throw err;
  });
  return sheets;
}

export class AsidePanel extends HTMLElement {
  static observedAttributes = ["conversation", "token", "server"];

  #root = null; #panel; #live; #why; #keys = new Keys();
  #state = initial(); #socket = null; #stop = null; #warn = null; #toast = null;
  #begun = false; #timers = new Map(); #tick = 0; #said = "";
  standIn = null; // the storybook's, instead of a server: { actions, then, clock }

  connectedCallback() {
    if (!this.#root) this.#build();
    this.#tick = setInterval(() => this.#draw(), 1000);
    this.#restart();
  }

  disconnectedCallback() {
    clearInterval(this.#tick);
    this.#halt();
  }

  attributeChangedCallback(name, before, after) {
    if (!this.isConnected || before === after || !this.#root) return;
    if (name === "token" && this.#socket && !this.#stop && after && this.#sameAgent(before, after)) return this.#socket.renew(after);
    this.#restart();
  }

  get conversation() { return this.getAttribute("conversation") ?? ""; }
  set conversation(id) { this.setAttribute("conversation", id); }
  get token() { return this.getAttribute("token") ?? ""; }
  set token(t) { this.setAttribute("token", t); }
  get server() { return new URL(this.getAttribute("server") || HOME).origin; }

  async send(text, suggestionID = "") {
    return (await this.#ask("reply.send", { text, ...(suggestionID && { suggestion_id: suggestionID }) })).seq;
  }

  async check(text, suggestionID = "") {
    return (await this.#ask("draft.check", { text, ...(suggestionID && { suggestion_id: suggestionID }) })).verdicts ?? [];
  }

  composing(on) {
    this.#dispatch({ type: "composing", id: this.conversation, on: Boolean(on) });
    if (on) this.#socket?.tell("typing", this.conversation, { role: "agent" });
  }

  #sameAgent(a, b) {
    const x = claimsOf(a ?? ""), y = claimsOf(b);
    return Boolean(x && y) && x.sub === y.sub && (x.conversation ?? "") === (y.conversation ?? "");
  }

  #build() {
    const shadow = this.attachShadow({ mode: "open" });
    this.#panel = document.createElement("aside-suggestion");
    this.#live = h("p", { class: "sr", "aria-live": "polite" });
    this.#root = h("section", { class: "embed", "aria-label": "Aside", hidden: true });
    this.#root.append(h("div", { class: "link-slot", role: "status" }), this.#panel, h("div", { class: "embed-ask", role: "alert" }), h("div", { class: "toast", role: "status" }), h("div", { class: "embed-stop", role: "alert" }), this.#live);
    shadow.append(this.#root);
    this.#why = new WhyDialog(this.#root);
    // What is typed here is not for the host page's shortcuts.
    for (const event of ["keydown", "keyup", "keypress"]) shadow.addEventListener(event, (e) => { if (event === "keydown") this.#key(e); e.stopPropagation(); });
  }

  // #restart begins with what the attributes say.
  async #restart() {
    if (this.#begun) return; // several attributes of one moment
    this.#begun = true;
    await null;
    this.#begun = false;
    if (!this.isConnected) return;
    this.#halt();
    this.#state = initial();
    this.#stop = this.#warn = this.#toast = null;
    this.#said = "";
    try {
      this.shadowRoot.adoptedStyleSheets = await styles(this.server);
    } catch {
      // Unstyled words are better than none.
    }
    this.#root.hidden = false;
    if (this.standIn) return this.#play(this.standIn);
    const who = claimsOf(this.token);
    if (this.hasAttribute("error")) return this.#expired(this.getAttribute("error"));
    if (!this.conversation || !who) return this.#stopped("Aside is not set up here.", "This page names no conversation, or brings no token for it.");
    this.#dispatch({ type: "session", session: { state: "signed_in", sub: who.sub, name: who.name ?? who.sub } });
    this.#dispatch({ type: "conversation.select", id: this.conversation });
    this.#begin();
  }

  // #play shows what has happened in a story.
  #play({ actions = [], then }) {
    for (const action of actions) this.#dispatch(action);
    this.#draw();
    then?.({
      insert: () => this.#actions.insert(), mark: (verdict) => this.#actions.mark(verdict),
      say: (words, good) => { this.#toast = { words, good }; this.#draw(); },
      stopped: (title, detail) => this.#stopped(title, detail), unreachable: () => this.#unreachable(),
    });
  }

  #halt() {
    this.#socket?.close();
    this.#socket = null;
    for (const t of this.#timers.values()) clearTimeout(t);
    this.#timers.clear();
  }

  #after(name, ms, work) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(work, ms));
  }

  // #begin asks by HTTP first: a browser does not say why it refuses a socket.
  async #begin() {
    const token = this.token, id = this.conversation;
    let res;
    try {
      res = await this.#fetch(`/v1/conversations/${encodeURIComponent(id)}?after=${Number.MAX_SAFE_INTEGER}`);
    } catch {
      this.#unreachable();
      return this.#after("begin", RETRY_MS, () => this.#begin());
    }
    if (token !== this.token || id !== this.conversation || !this.isConnected) return;
    if (res.status === 401 || res.status === 403) return this.#expired((await problem(res)) || "The token is not valid any more.");
    if (!res.ok && res.status !== 404) return this.#after("begin", RETRY_MS, () => this.#begin());
    this.#stop = null;
    if (res.ok) {
      const { conversation } = await res.json();
      this.#dispatch({ type: "queue.loaded", conversations: [conversation] });
    }
    this.#status();
    this.#socket = new Socket({
      url: this.server.replace(/^http/, "ws") + "/v1/ws", token,
      onFrame: (frame) => this.#frame(frame),
      onLink: (link) => this.#link(link),
    });
    this.#socket.connect();
  }

  #fetch(path) {
    return fetch(this.server + path, { headers: { Authorization: "Bearer " + this.token, Accept: "application/json" }, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer" });
  }

  async #status() {
    try {
      const res = await this.#fetch("/v1/status");
      if (res.ok) this.#dispatch({ type: "status", status: await res.json() });
    } catch {
      // the connection's banner says it
    }
    if (this.isConnected && this.#socket) this.#after("status", STATUS_MS, () => this.#status());
  }

  #unreachable() {
    this.#stopped("Aside cannot be reached from this page.", ["Either the server is down, or it does not list this page’s origin: ", h("code", null, `ASIDE_ORIGINS=${location.origin}`)]);
  }

  #expired(message) {
    this.#halt();
    this.#stopped("You are not signed in to Aside.", message);
    this.#emit("expired", { message });
  }

  #stopped(title, detail) {
    this.#stop = { title, detail: typeof detail === "string" ? sentence(detail) : detail };
    this.#draw();
  }

  #link(link) {
    if (link.state === "stopped") {
      if (link.code === 4401 || link.code === 4403) return this.#expired(link.message || "The token is not valid any more.");
      return this.#stopped("The server ended this connection.", link.message);
    }
    this.#dispatch({ type: "link", link });
  }

  #frame(frame) {
    const chat = this.#chat;
    this.#dispatch({ type: "frame", frame, at: Date.now() });
    if (frame.type === "welcome") return this.#join();
    if (frame.conversation !== this.conversation) return;
    if (frame.type === "suggestion.delta") this.#after("lull", LULL_MS, () => this.#dispatch({ type: "suggestion.lull", id: this.conversation, suggestionID: frame.data.suggestion_id }));
    if (frame.type === "turn.added" && chat?.opened && frame.seq > chat.lastSeq) this.#replied(frame);
    if (this.#chat?.opened && hasGap(this.#chat)) this.#after("gap", GAP_MS, () => hasGap(this.#chat) && this.#join());
    this.#announce();
  }

  // #replied tells the host of this agent's reply, once, however it was sent.
  #replied({ seq, data }) {
    if (data.role === "agent" && data.author === this.#state.session.sub) this.#emit("sent", { text: data.text, suggestion_id: data.suggestion_id ?? "", seq });
  }

  async #join() {
    const after = this.#chat?.lastSeq ?? 0, id = this.conversation;
    try {
      const ack = await this.#ask("conversation.open", { after });
      if (id !== this.conversation) return;
      if (ack.seq < after) {
        this.#dispatch({ type: "conversation.reset", id });
        return this.#join();
      }
      this.#dispatch({ type: "conversation.opened", id, seq: ack.seq });
      this.#emit("ready", { conversation: id });
    } catch (err) {
      if (err instanceof RequestError && !err.temporary) return this.#stopped("This conversation cannot be opened.", err.message);
    }
  }

  #ask(type, data) {
    if (this.standIn) return Promise.resolve({});
    return this.#socket ? this.#socket.request(type, this.conversation, data) : Promise.reject(new RequestError("unavailable", "Not connected."));
  }

  async #try(promise, undo) {
    try {
      await promise;
    } catch (err) {
      undo?.();
      this.#say(sentence(err.message));
    }
  }

  get #chat() { return this.#state.chats[this.#state.open]; }
  get #shown() { return this.#chat?.suggestions[this.#chat.shown]; }

  #actions = {
    chord: (id) => (KEYS.includes(id) ? this.#keys.chord(id) : ""),
    insert: ({ replace = false } = {}) => this.#use(this.#shown, shownDraft(this.#shown)?.sentences, replace),
    insertText: (text, hit) => this.#use({ id: "", hits: hit ? [hit] : [] }, [{ text, citations: hit ? [{ passage_id: hit.passage_id }] : [] }], false),
    insertSentence: (i) => this.#use(this.#shown, [shownDraft(this.#shown).sentences[i]], false),
    insertFolded: (id) => this.#use(this.#chat.suggestions[id], shownDraft(this.#chat.suggestions[id]).sentences, false),
    option: (i) => { const o = this.#shown?.options?.[i]; if (o) this.#actions.ask(o.id); },
    ask: (instruction) => {
      this.#dispatch({ type: "suggestion.asked", id: this.conversation });
      this.#try(this.#ask("suggestion.request", { instruction }));
    },
    freshen: () => this.#freshen(this.conversation, this.#shown),
    showNext: () => this.#dispatch({ type: "suggestion.show_next", id: this.conversation }),
    step: (stepID, to) => {
      const id = this.conversation, before = this.#chat.steps[stepID] ?? "todo";
      this.#dispatch({ type: "step", id, stepID, state: to });
      this.#try(this.#ask("step.set", { step_id: stepID, state: to }), () => this.#dispatch({ type: "step", id, stepID, state: before }));
    },
    mark: (verdict) => {
      if (!this.#shown) return;
      this.#actions.feedback(verdict);
      if (verdict === "bad") this.#panel.askReason();
    },
    feedback: (verdict, reason = "") => {
      const suggestionID = this.#shown.id;
      this.#dispatch({ type: "feedback", id: this.conversation, suggestionID, verdict, reason });
      this.#try(this.#ask("suggestion.feedback", { suggestion_id: suggestionID, verdict, ...(reason && { reason }) }));
    },
    why: () => this.#shown && this.#why.show(this.#shown, (id) => this.#stored(id)),
    reconnect: () => this.#socket?.connect(),
  };

  async #stored(suggestionID) {
    const res = await this.#fetch("/v1/suggestions/" + encodeURIComponent(suggestionID));
    if (!res.ok) throw new Error(`the server said ${res.status}`);
    return res.json();
  }

  // #freshen asks which sources have changed since they were cited.
  async #freshen(id, s) {
    if (!["ready", "abstained", "failed"].includes(s?.phase)) return;
    try {
      const { hits } = await this.#stored(s.id);
      this.#dispatch({ type: "sources.changed", id, suggestionID: s.id, changed: (hits ?? []).filter((x) => x.out_of_date).map((x) => x.passage_id) });
    } catch {
      // not stored yet, or no connection: what was cited is shown all the same
    }
  }

  // #use hands sentences to the host. Those that stand on internal pages, or tell
  // what only those say, ask first.
  #use(s, sentences, replace, sure = false) {
    if (!s || !sentences?.length) return;
    const internal = internalSources(s, sentences), told = internalWords(s, sentences);
    if ((internal.length || told.length) && !sure) {
      this.#warn = { s, sentences, replace, internal, told };
      this.#draw();
      return queueMicrotask(() => this.#root.querySelector(".embed-ask .button")?.focus());
    }
    this.#warn = null;
    const text = sentences.map((x) => x.text).join(" ");
    const free = this.#emit("insert", { text, suggestion_id: s.id, replace });
    if (free) this.#copy(text);
    this.#draw();
  }

  async #copy(text) {
    this.#say((await copied(text, this.#root)) ? "Copied: paste it into your reply." : "Your browser does not let Aside copy. Mark the draft and copy it yourself.", true);
  }

  // #emit gives false when the host said that it has taken care.
  #emit(name, detail) {
    return this.dispatchEvent(new CustomEvent("aside:" + name, { detail, bubbles: true, composed: true, cancelable: name === "insert" }));
  }

  #say(words, good = false) {
    this.#toast = { words, good };
    this.#after("toast", TOAST_MS, () => { this.#toast = null; this.#draw(); });
    this.#draw();
  }

  #key(e) {
    if (this.#root.querySelector("dialog[open]")) return;
    const id = this.#keys.match(e);
    if (!KEYS.includes(id)) return;
    const a = this.#actions, s = this.#shown, panel = this.#panel;
    const doable = {
      insert: () => a.insert(), replace: () => a.insert({ replace: true }), newer: () => a.showNext(), good: () => a.mark("good"), bad: () => a.mark("bad"), why: () => a.why(),
      option_1: () => a.option(0), option_2: () => a.option(1), option_3: () => a.option(2),
      focus_sources: () => panel.focusSources(), focus_draft: () => panel.focusDraft(), focus_steps: () => panel.focusSteps(), ask: () => panel.focusAsk(),
      dismiss: () => {
        if (this.#warn) { this.#warn = null; return this.#draw(); }
        if (!s) return false;
        this.#dispatch({ type: streaming(s) || ["searching", "sources", "instant"].includes(s.phase) ? "suggestion.stop" : "suggestion.dismiss", id: this.conversation });
      },
    };
    if (doable[id]() !== false) e.preventDefault();
  }

  #announce() {
    const s = this.#shown, words = s && !loading(this.#chat) && this.#said !== s.id && announcement(s);
    if (!words) return;
    this.#said = s.id;
    this.#live.textContent = words;
  }

  #dispatch(action) {
    const before = this.#state;
    this.#state = reduce(before, action);
    if (this.#state !== before) this.#drawSoon();
  }

  #drawSoon = soon(() => this.#draw());

  #draw() {
    if (!this.#root || !this.isConnected) return;
    const now = (this.standIn?.clock ?? Date.now)();
    const [link, , ask, toast, stop] = this.#root.children;
    this.#root.dataset.state = this.#stop ? "stopped" : "on";
    render(stop, this.#stop && [icon("alert"), h("b", null, this.#stop.title), h("p", null, this.#stop.detail)]);
    stop.hidden = !this.#stop;
    if (this.#stop) return [link, ask, toast].forEach((el) => render(el));
    drawLink(link, this.#state, this.#actions, now);
    this.#panel.update(this.#state, this.#actions, now);
    const w = this.#warn;
    render(ask, w && [
      h("p", null, icon("lock"), " ", w.internal.length > 0
        ? [h("b", null, "Internal source. "), "These words stand on ", user("bdi", null, w.internal.map(sourceName).join(", ")), ", which customers must not see."]
        : h("b", null, "Internal."), w.told.slice(0, 3).map((v) => [" ", user("bdi", null, v.reason)])),
      h("button", { class: "button small", on: { click: () => this.#use(w.s, w.sentences, w.replace, true) } }, "Insert anyway"),
      h("button", { class: "button small plain", on: { click: () => { this.#warn = null; this.#draw(); } } }, "Cancel")]);
    toast.classList.toggle("is-good", Boolean(this.#toast?.good));
    render(toast, this.#toast && h("p", null, this.#toast.words));
  }
}

// sentence writes the server's words as one.
const sentence = (words) => words && words[0].toUpperCase() + words.slice(1) + (/[.!?…]$/.test(words) ? "" : ".");

async function problem(res) {
  try {
    return (await res.json()).detail ?? "";
  } catch {
    return "";
  }
}

// copied puts text on the clipboard; where the page may not, the old way is tried.
async function copied(text, root) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const box = h("textarea", { class: "sr", "aria-hidden": "true", tabindex: "-1", value: text });
    const focus = root.getRootNode().activeElement;
    root.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    focus?.focus();
    return done;
  }
}

if (!customElements.get("aside-panel")) customElements.define("aside-panel", AsidePanel);
