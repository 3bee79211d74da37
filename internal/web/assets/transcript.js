// <aside-transcript>: what was said, oldest first. It stays at the bottom while
// the agent is there and stays put when they have scrolled up.

import { clockTime, dayName, h, icon, plural, render, safeHref, user } from "./dom.js";
import { briefing, customerName, loading, typingNow } from "./select.js";
import { fromBot, reasonWords } from "./queue.js";

const NEAR_PX = 60;

class Transcript extends HTMLElement {
  #scroll; #log; #typing; #jump; #conversation = ""; #last = 0; #below = 0; #drawn = null; #stuck = true; #set = 0;

  connectedCallback() {
    if (this.#scroll) return;
    this.#log = h("div", { class: "log", role: "log", "aria-label": "Conversation" });
    this.#typing = h("div", { class: "typing-line" });
    this.#scroll = h("div", { class: "transcript-scroll", tabindex: "0", role: "region", "aria-label": "Messages" }, this.#log, this.#typing);
    this.#jump = h("div", { class: "jump" });
    this.#scroll.onscroll = () => {
      this.#stuck = this.#atBottom();
      if (this.#stuck) this.#clearJump();
    };
    // The composer grows and shrinks: who reads the latest goes on reading it.
    new ResizeObserver(() => this.#stuck && this.toLatest()).observe(this.#scroll);
    this.append(this.#scroll, this.#jump);
  }

  update(state, actions, now) {
    const chat = state.chats[state.open];
    if (!chat) return;
    const changed = this.#conversation !== chat.id;
    // Scrolled up since we last set the position, even if its event is yet to come.
    const stay = !changed && !(this.#stuck && (this.#scroll.scrollTop >= this.#set - 2 || this.#atBottom()));
    const signature = [state.link.state, chat.entries, chat.outbox, chat.outcomes, state.queue.byId[chat.id]?.customer_name, state.queue.byId[chat.id]?.agent, state.session.sub, dayName(now, now)];
    if (changed || !this.#drawn || signature.some((x, i) => x !== this.#drawn[i])) {
      this.#drawn = signature;
      this.#log.setAttribute("aria-live", changed || loading(chat) ? "off" : "polite"); // a long chat is not read out
      render(this.#log, rows(state, chat, actions, now));
    }
    render(this.#typing, typingLine(state, chat, now));
    const count = chat.entries.length;
    if (changed) this.#below = 0;
    else if (stay && count > this.#last) this.#below += count - this.#last;
    this.#last = count;
    this.#conversation = chat.id;
    if (!stay) this.toLatest();
    render(this.#jump, this.#below > 0 && h("button", { class: "button jump-button", on: { click: () => this.toLatest() } },
      icon("arrow"), plural(this.#below, "new message")));
  }

  toLatest() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#set = this.#scroll.scrollTop;
    this.#stuck = true;
    this.#clearJump();
  }

  #clearJump() {
    if (!this.#below) return;
    this.#below = 0;
    render(this.#jump);
  }

  #atBottom() {
    const s = this.#scroll;
    return s.scrollHeight - s.scrollTop - s.clientHeight < NEAR_PX;
  }
}

function rows(state, chat, actions, now) {
  const out = [];
  let day = "", before = null;
  for (const [i, e] of chat.entries.entries()) {
    if (e.at) {
      const d = dayName(e.at, now);
      if (d !== day) out.push(h("p", { class: "day", key: "day-" + d }, h("span", null, d)));
      if (d !== day) before = null;
      day = d;
    }
    // A tool may report late: then what it says has the times of the chat, and ours would stand out of order.
    const late = e.at && chat.entries[i + 1]?.at && new Date(chat.entries[i + 1].at) < new Date(e.at);
    out.push(entry(state, chat, late && e.kind !== "turn" ? { ...e, at: "" } : e, before));
    before = e.kind === "turn" && !e.action && e.role !== "system" ? e : null;
  }
  // A reply whose turn has come is in the transcript; until its ack arrives it
  // would otherwise stand there twice.
  const said = chat.entries.filter((e) => e.kind === "turn" && e.role === "agent" && e.author === state.session.sub).slice(-20);
  for (const r of chat.outbox) {
    if (r.state !== "failed" && said.some((t) => t.text === r.text && t.seq > (r.after ?? 0))) continue;
    out.push(pending(r, chat, actions, state.link.state === "open"));
  }
  return out.length ? out : [h("p", { class: "log-empty", key: "empty" }, chat.opened ? "No messages yet." : "Loading the conversation…")];
}

function entry(state, chat, e, before) {
  if (e.kind === "handoff") return handoff(state, e, e.summary === briefing(chat)?.summary);
  if (e.kind === "closed") return note("closed-" + e.seq, "check", ["Conversation closed", e.resolution ? " · " : "", user("bdi", null, e.resolution)]);
  if (e.action) return note("a-" + e.seq, "gear", [user("bdi", null, e.action.name.replaceAll(/[-_]+/g, " ")), e.action.values?.length ? user("bdi", { class: "quiet" }, " " + e.action.values.join(" · ")) : null], e.at);
  if (e.role === "system") return note("s-" + e.seq, "dot", [user("bdi", null, e.text)], e.at);
  // What a chat tool reports has the tool for its author: the name says who it was, where the conversation is ours.
  const reported = e.name && e.name === state.session.name && state.queue.byId[chat.id]?.agent === state.session.sub;
  const mine = e.role === "agent" && (!e.author || e.author === state.session.sub || reported);
  const who = e.role === "customer" ? e.name || customerName(state.queue.byId[chat.id], chat) || "Customer"
    : e.role === "bot" ? e.name || "Bot" : mine ? "You" : e.name || "Colleague";
  const follows = before && before.role === e.role && before.author === e.author && new Date(e.at) - new Date(before.at) < 120_000;
  const outcome = e.suggestion_id ? chat.outcomes[e.suggestion_id] : null;
  return h("article", { class: `turn turn-${e.role}` + (mine ? " is-mine" : "") + (follows ? " follows" : ""), key: "t-" + e.seq, "data-seq": e.seq },
    h("p", { class: "turn-head" + (follows ? " sr" : "") }, e.role === "bot" && icon("bot"), user("bdi", { class: "turn-who" }, who), e.role === "bot" && h("span", null, e.name ? "the bot" : "automated"), h("time", null, clockTime(e.at))),
    user("p", { class: "turn-text" }, e.text),
    e.sources?.length > 0 && h("p", { class: "turn-foot turn-sources" }, icon("page"), e.sources.map((s) => (safeHref(s.url) ? h("a", { class: "link", href: safeHref(s.url), target: "_blank", rel: "noopener noreferrer" }, s.title || s.url) : user("span", null, s.title)))),
    e.suggestion_id && e.role === "agent" && h("p", { class: "turn-foot" }, icon("pen"), origin(outcome)));
}

function origin(outcome) {
  if (outcome?.state === "accepted") return "Aside’s draft, as it was";
  if (outcome?.state === "edited") return outcome.edit_distance ? `Aside’s draft, ${plural(outcome.edit_distance, "character")} changed` : "Aside’s draft, edited";
  return "from Aside’s draft";
}

// handoff is one passing on. Who takes it repeats what was said with it; what the
// newest one says is in the conversation's head, where it stays in sight.
function handoff(state, e, inHead) {
  const to = e.to ? (e.to === state.session.sub ? "you" : e.to_name || "a colleague") : "";
  if (to) return note("h-" + e.seq, "arrow", ["Taken by ", user("bdi", null, to)], e.at);
  return h("aside", { class: "handoff", key: "h-" + e.seq, "aria-label": "Hand-over" },
    h("p", { class: "handoff-head" }, icon("arrow"), fromBot(e) ? "Handed over by the bot" : e.reason_code === "returned" ? "Back in the queue" : "Handed over", reasonWords(e) && e.reason_code !== "returned" && " · " + reasonWords(e), e.at && h("time", null, clockTime(e.at))),
    e.reason_code === "returned" && e.reason && user("p", { class: "handoff-summary" }, e.reason),
    e.summary && !inHead && user("p", { class: "handoff-summary" }, e.summary));
}

function note(key, pic, words, at) {
  return h("p", { class: "note", key }, icon(pic), h("span", null, words), at && h("time", null, clockTime(at)));
}

function pending(r, chat, actions, connected) {
  const failed = r.state === "failed";
  return h("article", { class: "turn turn-agent is-mine is-pending" + (failed ? " is-failed" : ""), key: "p-" + r.id, "data-pending": r.state },
    h("p", { class: "turn-head" }, h("span", { class: "turn-who" }, "You")),
    user("p", { class: "turn-text" }, r.text),
    h("p", { class: "turn-foot", role: failed ? "alert" : null }, failed
      ? [icon("alert"), h("span", null, "Not sent. ", r.error), h("button", { class: "link", on: { click: () => actions.retry(chat.id, r.id) } }, "Try again"),
        h("button", { class: "link", on: { click: () => actions.takeBack(chat.id, r.id) } }, "Edit")]
      : [icon("clock"), connected ? "Sending…" : "Goes out when the connection is back"]));
}

function typingLine(state, chat, now) {
  const t = typingNow(chat, now);
  if (!t) return null;
  const name = t.name || (t.role === "customer" ? customerName(state.queue.byId[chat.id], chat) || "The customer" : "A colleague");
  return h("p", { class: "typing" }, h("span", { class: "typing-dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    h("span", null, user("bdi", null, name), t.role === "customer" ? " is typing" : " is answering"),
    t.text && user("span", { class: "typing-text" }, t.text));
}

customElements.define("aside-transcript", Transcript);
