// <aside-composer>: the agent's own words. Nothing replaces them but the agent:
// every insert is one step of the browser's own undo, and one button brings
// back the words from before it. Citations are never part of the text.

import { h, icon, kbd, plural, render, span, user } from "./dom.js";
import { apart, internalSources, internalWords, shownDraft, sourceName, standing, streaming, waitingNote } from "./select.js";
import { ariaChord, pretty } from "./keys.js";
import * as memory from "./memory.js";

const CHECK_MS = 250;
const TYPING_MS = 3000;
const OWN_STEPS = 20;

class Composer extends HTMLElement {
  #text; #mirror; #banner; #foot; #actions; #state; #now;
  #conversation = ""; #draft = blank(); #verdicts = []; #checked = ""; #checkTimer = 0; #told = -Infinity; #warn = null; #asking = 0;

  connectedCallback() {
    if (this.#text) return;
    this.#banner = h("div", { class: "composer-banner" });
    this.#mirror = h("div", { class: "mirror", "aria-hidden": "true", dir: "auto" });
    this.#text = h("textarea", { class: "reply-text", rows: "2", dir: "auto", "aria-label": "Reply to the customer", "aria-describedby": "reply-notes", placeholder: "Write a reply…", spellcheck: "true" });
    this.#foot = h("div", { class: "composer-foot" });
    this.append(h("div", { class: "composer-box" }, this.#banner, h("div", { class: "reply-scroll" }, h("div", { class: "reply-field" }, this.#mirror, this.#text)), this.#foot));
    this.#text.oninput = () => this.#changed();
  }

  update(state, actions, now) {
    this.#state = state;
    this.#actions = actions;
    this.#now = now;
    if (state.open !== this.#conversation) this.#switch(state.open);
    this.#draw();
  }

  get value() { return this.#text.value; }
  get empty() { return this.#text.value.trim() === ""; }
  get focused() { return document.activeElement === this.#text; }
  focusText() { this.#text.focus(); }

  // insert puts the sentences of a suggestion at the cursor, or in place of
  // everything. Sentences that stand on internal pages, or tell what only those
  // say, ask first, inline.
  insert(suggestion, sentences, { replace = false, sure = false } = {}) {
    const internal = internalSources(suggestion, sentences);
    const told = internalWords(suggestion, sentences);
    if ((internal.length || told.length) && !sure) {
      this.#warn = { suggestion, sentences, replace, internal, told };
      this.#draw();
      return;
    }
    this.#warn = null;
    const before = { text: this.#text.value, suggestionID: this.#draft.suggestionID };
    this.#draft.own = [...this.#draft.own, before].slice(-OWN_STEPS);
    this.#remember();
    this.#draft.suggestionID = suggestion.id || before.suggestionID; // a sentence from a page the agent found has none
    this.#write(sentences.map((s) => s.text).join(" "), replace);
    this.#remember();
  }

  // #remember notes which suggestion the words as they are stand on, for when the
  // browser's undo brings them back.
  #remember() {
    const now = { text: this.#text.value, suggestionID: this.#draft.suggestionID };
    this.#draft.known = [...(this.#draft.known ?? []).filter((x) => x.text !== now.text), now].slice(-OWN_STEPS);
  }

  // confirm answers the inline warning, if one is asked.
  confirm() {
    const w = this.#warn;
    if (w) this.insert(w.suggestion, w.sentences, { replace: w.replace, sure: true });
    return Boolean(w);
  }

  // cancel puts the warning away; it says whether there was one.
  cancel() {
    const had = Boolean(this.#warn);
    this.#warn = null;
    if (had) this.#draw();
    return had;
  }

  ownWords() {
    const at = this.#draft.own.findLastIndex((x) => x.text !== this.#text.value); // the browser's undo may have been there already
    const last = this.#draft.own[at];
    if (!last) return;
    this.#remember();
    this.#draft.own = this.#draft.own.slice(0, at);
    this.#draft.suggestionID = last.suggestionID;
    this.#write(last.text, true);
  }

  // take puts text of a reply that was not sent back into the box.
  take(text, suggestionID) {
    this.#draft.suggestionID = suggestionID || this.#draft.suggestionID;
    this.#write(text, this.empty);
  }

  // clear empties the box after a send and gives what was in it.
  clear() {
    const sent = { text: this.#text.value.trim(), suggestionID: this.#draft.suggestionID };
    this.#draft = blank();
    this.#text.value = "";
    this.#changed();
    return sent;
  }

  #switch(id) {
    this.#conversation = id;
    this.#draft = memory.draft.get(id);
    this.#text.value = this.#draft.text;
    this.#verdicts = [];
    this.#checked = "";
    this.#warn = null;
    this.#mark();
    if (this.#draft.text) {
      this.#actions.composing(true);
      this.#checkSoon();
    }
  }

  // #write goes through the browser's editing so that its own undo works.
  #write(text, replace) {
    const t = this.#text;
    t.focus();
    if (replace) t.select();
    else if (t.selectionStart > 0 && !/\s$/.test(t.value.slice(0, t.selectionStart))) text = " " + text;
    const done = this.focused && (text === "" ? document.execCommand("delete") : document.execCommand("insertText", false, text));
    if (!done) {
      t.setRangeText(text, t.selectionStart, t.selectionEnd, "end");
      this.#changed();
    }
    t.scrollIntoView({ block: "nearest" });
  }

  #changed() {
    const known = this.#draft.known?.find((x) => x.text === this.#text.value);
    if (this.#draft.text === "") this.#draft.since = this.#lastSeq(); // what comes from now on comes while they write
    this.#draft.text = this.#text.value;
    if (this.empty) this.#draft.suggestionID = "";
    else if (known) this.#draft.suggestionID = known.suggestionID;
    memory.draft.set(this.#conversation, this.#draft);
    this.#mark();
    this.#checkSoon();
    if (!this.empty && performance.now() - this.#told > TYPING_MS) {
      this.#told = performance.now();
      this.#actions?.typing();
    }
    this.#actions?.composing(!this.empty);
    this.#draw();
  }

  #lastSeq() { return this.#state?.chats[this.#conversation]?.lastSeq ?? 0; }

  #checkSoon() {
    clearTimeout(this.#checkTimer);
    if (this.empty) {
      this.#verdicts = [];
      return;
    }
    this.#checkTimer = setTimeout(() => this.#check(), CHECK_MS);
  }

  async #check() {
    const text = this.#text.value;
    const asking = ++this.#asking;
    const verdicts = await this.#actions.check(text, this.#draft.suggestionID);
    if (asking !== this.#asking || text !== this.#text.value) return; // an older answer
    this.#verdicts = verdicts.filter((v) => v.outcome !== "pass");
    this.#checked = text;
    this.#mark();
    this.#draw();
  }

  // #mark draws the marks under the words, in a copy of the text that lies
  // behind the box. Words that are no longer there lose their mark.
  #mark() {
    const text = this.#text.value;
    const marks = [];
    for (const v of this.#verdicts) {
      if (!v.words) continue;
      const at = text === this.#checked ? span(text, v.start, v.end, v.words) : span(text, -1, -1, v.words);
      if (at) marks.push({ start: at[0], end: at[1], verdict: v });
    }
    const parts = [];
    let at = 0;
    for (const m of apart(marks)) {
      parts.push(text.slice(at, m.start), h("mark", { class: "is-" + m.verdict.outcome }, text.slice(m.start, m.end)));
      at = m.end;
    }
    // A last empty line has no height in a block; the space gives it one.
    render(this.#mirror, parts, text.slice(at) + " ");
  }

  #draw() {
    if (!this.#state) return;
    const state = this.#state, chat = state.chats[state.open], a = this.#actions;
    if (!chat) return;
    const closed = state.queue.byId[chat.id]?.status === "closed" || chat.closed;
    this.classList.toggle("is-closed", Boolean(closed));
    render(this.#banner, this.#warn ? this.#warning() : bannerFor(state, chat, this, this.#draft.since, a, this.#now));
    const limit = state.limits.text_chars ?? 8000;
    const length = [...this.#text.value].length;
    const notes = [...new Map(this.#verdicts.filter((v) => !v.words || this.#text.value.includes(v.words)).map((v) => [v.reason, v])).values()];
    render(this.#foot,
      h("div", { class: "reply-notes", id: "reply-notes" },
        notes.slice(0, 3).map((v) => h("p", { class: "reply-note is-" + v.outcome, key: v.check + v.words + v.reason }, icon("alert"), user("span", null, v.outcome === "block" ? "Stop: " : "Check: ", v.reason))),
        notes.length > 3 && h("p", { class: "reply-note" }, `and ${notes.length - 3} more`),
        length > limit * 0.85 && h("p", { class: "reply-note" + (length > limit ? " is-block" : "") }, `${length} of ${limit} characters`),
        !notes.length && length <= limit * 0.85 && h("p", { class: "reply-hint" }, closed ? "Closed. A reply still reaches them; it opens again when they write." : hint(state, this.#draft))),
      h("div", { class: "reply-buttons" },
        this.#draft.own.length > 0 && h("button", { class: "button own-words", title: "Take the insert back", "aria-keyshortcuts": ariaChord(a.chord("own_words")), on: { click: () => this.ownWords() } }, icon("undo"), h("span", null, "My words"), kbd(pretty(a.chord("own_words")))),
        h("button", { class: "button primary send", disabled: this.empty || length > limit, "aria-keyshortcuts": ariaChord(a.chord("send")), on: { click: () => a.send() } }, "Send", kbd(pretty(a.chord("send"))))));
  }

  #warning() {
    const names = this.#warn.internal.map(sourceName).join(", ");
    return h("div", { class: "banner is-internal", role: "alert", key: "warn" },
      h("p", { class: "banner-words" }, icon("lock"), h("span", null,
        names ? [h("b", null, "Internal source. "), "This stands on “", h("bdi", null, names), "”. Offer it if you may; do not quote it."] : h("b", null, "Internal."),
        this.#warn.told.slice(0, 3).map((v) => [" ", h("bdi", null, v.reason)]))),
      h("span", { class: "banner-buttons" },
        h("button", { class: "button small", on: { click: () => this.confirm() } }, "Insert anyway"),
        h("button", { class: "button small plain", on: { click: () => this.cancel() } }, "Cancel")));
  }
}

// since is the sequence number at which the agent began to write.
const blank = () => ({ text: "", suggestionID: "", own: [], since: 0 });

function hint(state, draft) {
  if (state.link.state !== "open") return "You can go on writing; it is sent when the connection is back.";
  return draft.suggestionID ? "From Aside’s draft. Only you send it." : "";
}

function bannerFor(state, chat, composer, since, a, now) {
  const s = chat.suggestions[chat.shown];
  if (!composer.empty && chat.answered && !chat.answered.mine && chat.answered.seq > since) {
    return h("div", { class: "banner is-check", role: "alert", key: "answered" },
      h("p", { class: "banner-words" }, icon("alert"), h("span", null, user("bdi", null, chat.answered.name || "A colleague"), " has answered while you were writing.")));
  }
  const newer = waitingNote(chat);
  if (newer && (chat.next || !composer.empty || s?.held)) {
    return h("div", { class: "banner is-newer", key: "newer" },
      h("p", { class: "banner-words" }, icon("clock"), h("span", null, newer)),
      h("span", { class: "banner-buttons" }, h("button", { class: "button small", "aria-keyshortcuts": ariaChord(a.chord("newer")), on: { click: () => a.showNext() } }, "Show", kbd(pretty(a.chord("newer"))))));
  }
  const draft = shownDraft(s);
  const onItsWay = chat.outbox.some((r) => r.state !== "failed"); // the answer this draft was for
  if (!draft?.sentences?.length || onItsWay || !composer.empty || s.dismissed || s.phase === "abstained" || s.phase === "superseded" || (chat.answered && s.for_seq < chat.answered.seq)) return null;
  const st = standing(state, chat, now);
  const words = st.kind === "check" ? `A draft is here, ${plural(s.check_count || 1, "fact")} to check` : streaming(s) || st.kind === "instant" || st.kind === "drafting" ? "An instant draft is here" : "A draft is ready";
  return h("div", { class: "banner is-" + st.kind, key: "draft" },
    h("p", { class: "banner-words" }, icon(st.kind === "check" ? "alert" : "pen"), h("span", null, words)),
    h("span", { class: "banner-buttons" },
      h("button", { class: "button small", "aria-keyshortcuts": ariaChord(a.chord("insert")), on: { click: () => a.insert() } }, "Insert", kbd(composer.focused ? pretty(a.chord("accept")) : pretty(a.chord("insert")))),
      h("button", { class: "button small plain", "aria-keyshortcuts": ariaChord(a.chord("dismiss")), on: { click: () => a.dismiss() } }, "Dismiss", kbd(pretty(a.chord("dismiss"))))));
}

customElements.define("aside-composer", Composer);
