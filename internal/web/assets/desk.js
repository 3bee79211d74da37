// The desk: draws the console from a state and turns keys and clicks into
// calls of its server. It knows no network: app.js gives it a real server,
// the storybook a silent one.

import { clockTime, h, icon, kbd, render, soon, user } from "./dom.js";
import { initial, reduce } from "./store.js";
import { announcement, briefing, checklist, customerName, loading, neighbour, shownDraft, standing, streaming, waiting } from "./select.js";
import { ariaChord, Keys, KeysDialog, pretty } from "./keys.js";
import { WhyDialog } from "./why.js";
import { drawLink, drawSignIn, drawTop } from "./status.js";
import * as memory from "./memory.js";
import { fromBot, reasonWords } from "./queue.js";
import "./transcript.js";
import "./composer.js";
import "./panel.js";

// The small menus of the conversation's head: what is asked, and its answers.
const MENUS = {
  close: { ask: "How did it end?", answers: ["Solved", "Passed on", "No answer from the customer"], never: "Do not close" },
  give_back: { ask: "Why back to the queue?", answers: ["Needs a colleague", "End of my shift", "No longer free"], never: "Keep it" },
};
const VIEWS = [["queue", "Queue"], ["chat", "Chat"], ["aside", "Aside"]];
const LULL_MS = 700;

export class Desk {
  state = initial();
  #root; #server; #clock; #keys = new Keys(); #keysDialog; #why; #el = {}; #menu = ""; #brief = new Map(); #said = ""; #lull = 0; #toast = "";

  // server: see Server in app.js. clock gives the time in milliseconds.
  constructor(root, server, clock = Date.now) {
    this.#root = root;
    this.#server = server;
    this.#clock = clock;
    this.#keysDialog = new KeysDialog(this.#keys, () => this.draw());
    this.#why = new WhyDialog();
    this.#build();
    document.addEventListener("keydown", (e) => this.#key(e));
    setInterval(() => this.draw(), 1000); // waiting times, countdowns, typing that ends
  }

  dispatch(action) {
    const before = this.state;
    this.state = reduce(this.state, action);
    if (this.state === before) return;
    this.#after(action);
    this.draw();
  }

  draw = soon(() => this.#draw());

  get #chat() { return this.state.chats[this.state.open]; }
  get #shown() { const c = this.#chat; return c?.suggestions[c.shown]; }

  actions = {
    chord: (id) => this.#keys.chord(id),
    select: (id) => {
      this.#menu = "";
      this.dispatch({ type: "conversation.select", id });
      this.#showRow();
      this.#server.open(id);
    },
    composing: (on) => this.state.open && this.dispatch({ type: "composing", id: this.state.open, on }),
    typing: () => this.#server.typing(this.state.open),
    check: (text, suggestionID) => this.#server.check(this.state.open, text, suggestionID),
    send: () => {
      const box = this.#el.composer, chat = this.#chat;
      if (!chat || box.empty) return;
      const { text, suggestionID } = box.clear(); // a button that was pressed has nothing to send now: the focus goes to the box
      this.#server.send(chat.id, text, suggestionID, chat.lastSeq);
    },
    retry: (id, replyID) => this.#server.resend(id, replyID),
    takeBack: (id, replyID) => {
      const r = this.state.chats[id].outbox.find((x) => x.id === replyID);
      this.dispatch({ type: "reply.removed", id, replyID });
      this.#server.forget(replyID);
      this.#el.composer.take(r.text, r.suggestionID);
    },
    insert: ({ replace = false } = {}) => this.#use(this.#shown, shownDraft(this.#shown)?.sentences, replace),
    insertSentence: (i) => this.#use(this.#shown, [shownDraft(this.#shown).sentences[i]], false),
    insertFolded: (id) => this.#use(this.#chat.suggestions[id], shownDraft(this.#chat.suggestions[id]).sentences, false),
    insertText: (text, hit) => this.#use({ id: "", hits: hit ? [hit] : [] }, [{ text, citations: hit ? [{ passage_id: hit.passage_id }] : [] }], false),
    search: (text) => this.#server.search(text),
    option: (i) => { const o = this.#shown?.options?.[i]; if (o) this.actions.ask(o.id); },
    ask: (instruction) => {
      this.dispatch({ type: "suggestion.asked", id: this.state.open });
      this.#try(this.#server.request(this.state.open, instruction));
    },
    showNext: () => this.dispatch({ type: "suggestion.show_next", id: this.state.open }),
    dismiss: () => this.#dismiss(),
    step: (stepID, to) => {
      const id = this.state.open, before = this.#chat.steps[stepID] ?? "todo";
      this.dispatch({ type: "step", id, stepID, state: to });
      this.#try(this.#server.step(id, stepID, to), () => this.dispatch({ type: "step", id, stepID, state: before }));
    },
    mark: (verdict) => {
      if (!this.#shown) return;
      this.actions.feedback(verdict);
      if (verdict === "bad") this.#el.panel.askReason();
    },
    feedback: (verdict, reason = "") => {
      const id = this.state.open, suggestionID = this.#shown.id;
      this.dispatch({ type: "feedback", id, suggestionID, verdict, reason });
      this.#try(this.#server.feedback(id, suggestionID, verdict, reason));
    },
    freshen: () => this.#freshen(this.state.open, this.#shown),
    why: () => this.#shown && this.#why.show(this.#shown, (id) => this.#server.suggestion(id)),
    take: () => {
      const c = this.state.queue.byId[this.state.open];
      if (!this.#chat || this.#mine(c) || c?.status === "closed") return false;
      this.#try(this.#server.take(this.state.open));
    },
    close: (resolution) => { this.#menu = ""; this.#try(this.#server.close(this.state.open, resolution)); this.draw(); },
    giveBack: (reason) => { this.#menu = ""; this.#try(this.#server.giveBack(this.state.open, reason)); this.draw(); },
    menu: (name) => this.#showMenu(name),
    brief: () => {
      const e = briefing(this.#chat);
      if (!e) return false;
      this.#brief.set(e.seq + this.state.open, !this.#briefOpen(e));
      this.draw();
    },
    help: () => this.#keysDialog.show(),
    theme: () => {
      const order = ["auto", "light", "dark"], next = order[(order.indexOf(this.theme) + 1) % 3];
      memory.theme.set(next);
      document.documentElement.dataset.theme = next;
      this.draw();
    },
    reconnect: () => this.#server.reconnect(),
    start: () => this.#server.start(),
    signIn: (token) => this.#server.signIn(token),
    signOut: () => this.#server.signOut(),
    view: (view) => { this.dispatch({ type: "view", view }); this.#showRow(); },
  };

  // #showRow keeps the open conversation in sight: by keyboard one walks out of it.
  #showRow() {
    this.#draw();
    this.#el.queue.querySelector(".queue-row.is-open")?.scrollIntoView({ block: "nearest" });
  }

  get theme() { return document.documentElement.dataset.theme || "auto"; }

  // #freshen asks which sources have changed since they were cited. An agent who
  // cannot be told sees what was cited all the same.
  async #freshen(id, s) {
    if (!["ready", "abstained", "failed"].includes(s?.phase)) return;
    try {
      const { hits } = await this.#server.suggestion(s.id);
      this.dispatch({ type: "sources.changed", id, suggestionID: s.id, changed: (hits ?? []).filter((x) => x.out_of_date).map((x) => x.passage_id) });
    } catch { /* not stored, or no connection */ }
  }

  #use(s, sentences, replace) {
    if (!s || !sentences?.length || !this.#chat) return;
    if (this.state.view === "aside") this.dispatch({ type: "view", view: "chat" });
    this.#draw(); // a narrow window must show the box before it can take the text
    this.#el.composer.insert(s, sentences, { replace });
  }

  #dismiss() {
    const s = this.#shown;
    if (this.#el.composer.cancel()) return;
    if (this.#menu) return this.#showMenu("");
    if (!s) return;
    const type = streaming(s) || ["searching", "sources", "instant"].includes(s.phase) ? "suggestion.stop" : "suggestion.dismiss";
    this.dispatch({ type, id: this.state.open });
  }

  // #try says a refusal where the agent looks, for as long as it matters.
  async #try(promise, undo) {
    this.#toast = "";
    try {
      await promise;
    } catch (err) {
      undo?.();
      this.#toast = err.message;
    }
    this.draw();
  }

  #key(e) {
    if (document.querySelector("dialog[open]") || this.state.session.state !== "signed_in") return;
    const id = this.#keys.match(e);
    if (!id) return;
    const box = this.#el.composer, panel = this.#el.panel;
    const doable = {
      send: () => this.actions.send(),
      insert: () => box.confirm() || this.actions.insert(),
      replace: () => this.actions.insert({ replace: true }),
      own_words: () => box.ownWords(),
      focus_composer: () => { this.#reveal("chat"); box.focusText(); },
      dismiss: () => this.#dismiss(),
      option_1: () => this.actions.option(0),
      option_2: () => this.actions.option(1),
      option_3: () => this.actions.option(2),
      newer: () => this.actions.showNext(),
      focus_sources: () => { this.#reveal("aside"); panel.focusSources(); },
      focus_draft: () => { this.#reveal("aside"); panel.focusDraft(); },
      focus_steps: () => { this.#reveal("aside"); panel.focusSteps(); },
      tick_step: () => this.#setStep("done"),
      skip_step: () => this.#setStep("skipped"),
      ask: () => { this.#reveal("aside"); panel.focusAsk(); },
      search: () => { this.#reveal("aside"); panel.focusSearch(); },
      good: () => this.actions.mark("good"),
      bad: () => this.actions.mark("bad"),
      why: () => this.actions.why(),
      next_conversation: () => this.#go(1),
      previous_conversation: () => this.#go(-1),
      take: () => this.actions.take(),
      give_back: () => this.#showMenu("give_back"),
      close: () => this.#showMenu("close"),
      brief: () => this.actions.brief(),
      latest: () => this.#el.transcript.toLatest(),
      view: () => this.actions.view(VIEWS[(VIEWS.findIndex(([v]) => v === this.state.view) + 1) % 3][0]),
      theme: () => this.actions.theme(),
      help: () => this.actions.help(),
      accept: () => this.#accept(),
    };
    // Keys that do nothing here stay with the browser.
    if (doable[id]() !== false) e.preventDefault();
  }

  // #accept is Tab: it inserts only where a banner says so, and moves on
  // everywhere else.
  #accept() {
    const box = this.#el.composer;
    if (!box.focused || !box.empty) return false;
    if (box.confirm()) return true;
    if (!box.querySelector(".banner .button") || !shownDraft(this.#shown)) return false;
    this.actions.insert();
    return true;
  }

  // #setStep changes the step that is to be done now.
  #setStep(to) {
    const current = this.#chat && checklist(this.#chat)?.current;
    if (current) this.actions.step(current.id, to);
  }

  #go(step) {
    const id = neighbour(this.state, step);
    if (id) this.actions.select(id);
  }

  #reveal(view) {
    this.actions.view(view);
    this.#draw();
  }

  #after(action) {
    if (action.type === "frame" && action.frame.type === "suggestion.delta") {
      clearTimeout(this.#lull);
      const { conversation, data } = action.frame;
      this.#lull = setTimeout(() => this.dispatch({ type: "suggestion.lull", id: conversation, suggestionID: data.suggestion_id }), LULL_MS);
    }
    if (action.type === "frame" || action.type === "conversation.select") memory.seen.set(this.state.seen);
    if (action.type === "conversation.select") memory.open.set(this.state.open);
    this.#announce();
  }

  // #announce says to screen readers that a draft is there: once, never tokens.
  #announce() {
    const s = this.#shown, chat = this.#chat;
    if (!s || loading(chat) || this.#said === s.id || (chat.answered && s.for_seq < chat.answered.seq)) return;
    const words = announcement(s);
    if (!words) return;
    this.#said = s.id;
    this.#el.live.textContent = words;
  }

  #build() {
    const el = this.#el;
    el.top = h("header", { class: "top" });
    el.link = h("div", { class: "link-slot", role: "status" });
    el.queue = document.createElement("aside-queue");
    el.queueNav = h("nav", { class: "pane pane-queue", "aria-label": "Conversations" }, el.queue);
    el.head = h("header", { class: "chat-head" });
    el.transcript = document.createElement("aside-transcript");
    el.composer = document.createElement("aside-composer");
    el.empty = h("div", { class: "chat-empty" });
    el.toast = h("div", { class: "toast", role: "status" });
    el.main = h("section", { class: "pane pane-chat", "aria-label": "Conversation" }, el.head, el.transcript, el.toast, el.composer, el.empty);
    el.panel = document.createElement("aside-suggestion");
    el.side = h("section", { class: "pane pane-aside", "aria-label": "Aside" }, el.panel);
    el.tabs = h("nav", { class: "tabs", "aria-label": "Panes" });
    // One main for all three: a narrow window shows but one of them.
    el.desk = h("div", { class: "desk" }, el.top, el.link, h("main", { class: "panes" }, el.queueNav, el.main, el.side), el.tabs);
    el.desk.addEventListener("focuslost", () => this.#chat && el.composer.focusText());
    el.signIn = h("main", { class: "sign-in-page" });
    el.live = h("p", { class: "sr", "aria-live": "polite", id: "announce" });
    this.#root.append(el.desk, el.signIn, el.live);
  }

  #draw() {
    const { state, actions, theme } = this, el = this.#el, now = this.#clock();
    const inside = state.session.state === "signed_in";
    const left = !inside && !el.desk.hidden;
    el.desk.hidden = !inside;
    el.signIn.hidden = inside;
    if (!inside) {
      drawSignIn(el.signIn, state, actions);
      if (left) el.signIn.querySelector("a, input, button")?.focus();
      return;
    }
    render(el.signIn);
    const chat = this.#chat;
    el.desk.dataset.view = state.view;
    el.main.classList.toggle("is-empty", !chat);
    drawTop(el.top, state, actions, theme);
    drawLink(el.link, state, actions, now);
    el.queue.update(state, actions, now);
    render(el.head, chat && this.#chatHead(chat));
    render(el.empty, !chat && emptyChat(state, this.#keys));
    if (chat) {
      el.composer.update(state, actions, now);
      el.transcript.update(state, actions, now);
    }
    el.panel.update(state, actions, now);
    render(el.toast, this.#toast && h("p", null, this.#toast, h("button", { class: "link", on: { click: () => { this.#toast = ""; this.draw(); } } }, "Dismiss")));
    render(el.tabs, this.#tabs(now));
    const { yours, anyone } = waiting(state);
    document.title = (yours + anyone ? `(${yours + anyone}) ` : "") + "Aside";
  }

  #mine(c) { return Boolean(c?.agent) && c.agent === this.state.session.sub && c.status !== "waiting"; }

  #chatHead(chat) {
    const c = this.state.queue.byId[chat.id], me = this.state.session.sub;
    const mine = this.#mine(c);
    const closed = c?.status === "closed" || chat.closed;
    const also = chat.agents.filter((name) => name && name !== this.state.session.name && name !== me && name !== c?.agent_name);
    const since = [chat.entries[0]?.at, c?.created_at].filter(Boolean).sort((a, b) => new Date(a) - new Date(b))[0]; // a tool may report late
    const who = !c ? "" : closed ? "closed" : c.status === "bot" ? "with the bot" : c.status === "waiting" ? "waiting for a person" : mine ? "with you" : ["with ", user("bdi", null, c.agent_name || "a colleague")];
    return [
      h("div", { class: "chat-title" }, h("h1", null, user("bdi", null, customerName(c, chat) || chat.id)),
        h("p", { class: "chat-sub" }, h("span", null, who), also.length > 0 && h("span", null, "also here: ", user("bdi", null, also.join(", "))), since && h("span", { class: "chat-since", title: chat.id }, "since " + clockTime(since)))),
      h("div", { class: "chat-buttons" },
        !mine && !closed && h("button", { class: "button accent", "aria-keyshortcuts": ariaChord(this.#keys.chord("take")), on: { click: () => this.actions.take() } }, "Take", kbd(pretty(this.#keys.chord("take")))),
        mine && !closed && !this.#menu && [["give_back", "Give back…"], ["close", "Close…"]].map(([id, label]) =>
          h("button", { class: "button plain", key: id, "aria-haspopup": "true", "aria-keyshortcuts": ariaChord(this.#keys.chord(id)), on: { click: () => this.#showMenu(id) } }, label)),
        this.#menu && this.#menuChips(MENUS[this.#menu])),
      this.#briefing(briefing(chat)),
    ];
  }

  #menuChips({ ask, answers, never }) {
    const answer = this.#menu === "close" ? this.actions.close : this.actions.giveBack;
    return h("div", { class: "chips", key: "menu", role: "group", "aria-label": ask }, h("span", { class: "quiet" }, ask),
      answers.map((x) => h("button", { class: "chip", on: { click: () => answer(x) } }, x)),
      h("button", { class: "icon-button", "aria-label": never, on: { click: () => this.#showMenu("") } }, "×"));
  }

  // #showMenu opens a menu of one's own conversation and goes to its first answer;
  // closed, the focus goes back where one writes.
  #showMenu(name) {
    const c = this.state.queue.byId[this.state.open];
    if (name && (!this.#chat || c?.agent !== this.state.session.sub || c?.status === "closed")) return false;
    const inside = this.#el.head.contains(document.activeElement);
    this.#menu = name;
    if (name) this.#reveal("chat");
    else this.#draw();
    if (name) this.#el.head.querySelector(".chip")?.focus();
    else if (inside) this.#el.composer.focusText();
  }

  // #briefOpen: in sight until the agent has answered, or as they chose.
  #briefOpen(e) { return this.#brief.get(e.seq + this.state.open) ?? this.#chat.repliedSeq < e.seq; }

  // #briefing is what came before, so that nothing is asked twice.
  #briefing(e) {
    if (!e) return null;
    const open = this.#briefOpen(e);
    return h("section", { class: "brief", key: "brief", "aria-label": "Before the hand-over" },
      h("button", { class: "brief-head", "aria-expanded": String(open), "aria-keyshortcuts": ariaChord(this.#keys.chord("brief")), on: { click: () => this.actions.brief() } },
        icon("chevron"), h("span", null, fromBot(e) ? "Handed over by the bot" : "Handed over"), reasonWords(e) && h("b", null, reasonWords(e)), e.at && h("time", null, clockTime(e.at))),
      open && e.summary && user("p", { class: "brief-summary" }, e.summary),
      open && e.tried?.length > 0 && h("div", { class: "brief-tried" }, h("h2", null, icon("bot"), "The bot has said"),
        h("ul", null, e.tried.map((x, i) => h("li", { key: i }, user("span", null, x))))));
  }

  #tabs(now) {
    const chat = this.#chat, st = standing(this.state, chat, now);
    const { yours, anyone } = waiting(this.state);
    const extra = { queue: yours + anyone ? String(yours + anyone) : "", chat: "", aside: chat && ["ready", "check", "none", "instant", "drafting"].includes(st.kind) ? st.word : "" };
    return VIEWS.map(([id, name]) => h("button", { class: "tab" + (this.state.view === id ? " is-on" : ""), key: id, "aria-current": this.state.view === id ? "page" : null, on: { click: () => this.actions.view(id) } },
      name, extra[id] && h("span", { class: "tab-note is-" + (id === "aside" ? st.kind : "count") }, extra[id])));
  }
}

function emptyChat(state, keys) {
  const any = Object.keys(state.queue.byId).length > 0;
  if (!state.queue.loaded) return h("h1", { class: "empty-title" }, "Loading…");
  return [
    h("h1", { class: "empty-title" }, any ? "Choose a conversation" : "All quiet"),
    h("p", null, any ? ["Or press ", h("kbd", null, pretty(keys.chord("next_conversation"))), " for the one that waits longest."] : "When a customer asks for a person, the conversation appears on the left."),
  ];
}
