// <aside-suggestion>: the panel. Sources first, then the draft with its proof,
// the ways policy allows, the next steps. Everything scrolls inside; the head
// with the state and the dock with the draft's buttons stay.

import { clockTime, h, icon, kbd, millis, plural, render, safeHref, shortDate, span, user } from "./dom.js";
import { checklist, givenName, lastCustomerTurn, question, sentences, shownDraft, shownVerdicts, sourceName, spelled, standing, streaming, waitingNote } from "./select.js";
import { ariaChord, pretty } from "./keys.js";

const FIRST_SOURCES = 3;
const STALE_MS = 365 * 864e5;
const KINDS = { do: "Do", ask: "Ask", say: "Say", offer: "Offer", hand_over: "Hand over" };
const REASONS = [["wrong_fact", "Wrong fact"], ["outdated", "Outdated source"], ["off_topic", "Not what they asked"], ["tone", "Tone"], ["bad_timing", "Bad timing"]];
// What to ask when nothing answers, in the customer's language.
const ASKS = {
  en: "Could you tell me a little more, so that I can find the right answer?",
  de: "Können Sie mir etwas mehr dazu sagen, damit ich die richtige Antwort finde?",
  fr: "Pouvez-vous m’en dire un peu plus, pour que je trouve la bonne réponse ?",
  es: "¿Me puede contar un poco más, para que encuentre la respuesta correcta?",
  pt: "Pode contar-me um pouco mais, para eu encontrar a resposta certa?",
};
const PICTURES = { ready: "check", check: "alert", none: "search", superseded: "clock", answered: "check", instant: "pen" };

class Suggestion extends HTMLElement {
  #head; #scroll; #dock; #view = fresh(""); #watch; #draftSeen = true; #args = null; #find = null; #conversation = "";

  connectedCallback() {
    if (this.#head) return;
    this.#head = h("header", { class: "panel-head" });
    this.#scroll = h("div", { class: "panel-scroll", tabindex: "0", role: "region", "aria-label": "Sources, draft and next steps" });
    this.#dock = h("footer", { class: "panel-dock" });
    this.append(this.#head, this.#scroll, this.#dock);
    this.addEventListener("focuslost", (e) => {
      e.stopPropagation();
      this.#scroll.focus({ preventScroll: true });
    });
    this.#watch = new IntersectionObserver((es) => {
      this.#draftSeen = es.at(-1).isIntersecting;
      this.#draw();
    }, { root: this.#scroll, rootMargin: "-8px" });
  }

  update(state, actions, now) {
    this.#args = { state, actions, now };
    const chat = state.chats[state.open];
    if (this.#conversation && this.#conversation !== state.open) this.#find = null;
    this.#conversation = state.open;
    const id = chat ? chat.id + "/" + chat.shown : "";
    if (this.#view.id !== id) this.#view = fresh(id);
    this.#draw();
  }

  focusSources() { this.#scroll.querySelector(".sources .source-toggle")?.focus(); }
  focusDraft() { this.#scroll.querySelector(".sentence")?.focus(); }
  focusSteps() { (this.#scroll.querySelector(".step.is-current input") ?? this.#scroll.querySelector(".step input"))?.focus(); }
  focusAsk() { this.#dock.querySelector(".ask-input")?.focus(); }
  askReason() { this.#set({ bad: true }); }

  // focusSearch opens the agent's own search of the pages. It outlives the card,
  // not the conversation: a new suggestion takes nothing of it away.
  focusSearch() {
    this.#find ??= { text: "", asked: "", hits: null, trouble: "", from: this.getRootNode().activeElement };
    this.#draw();
    this.#scroll.scrollTop = 0;
    this.#scroll.querySelector(".find-input")?.focus();
  }

  #endSearch() {
    const { from } = this.#find;
    this.#find = null;
    this.#draw();
    (from?.isConnected && from !== from.ownerDocument.body ? from : this.#head.querySelector(".find-button"))?.focus();
  }

  async #search() {
    const find = this.#find, asked = find.text.trim();
    if (!asked) return;
    Object.assign(find, { asked, hits: null, trouble: "" });
    this.#draw();
    let hits = null, trouble = "";
    try {
      hits = await this.#args.actions.search(asked);
    } catch (err) {
      trouble = `That could not be searched: ${err.message}`;
    }
    if (find !== this.#find || find.asked !== asked) return;
    Object.assign(find, { hits, trouble });
    this.#draw();
  }

  #set(change) {
    Object.assign(this.#view, change);
    this.#draw();
  }

  #draw() {
    if (!this.#args || !this.#head) return;
    const { state, actions: a, now } = this.#args;
    const chat = state.chats[state.open];
    const s = chat?.suggestions[chat.shown];
    const st = standing(state, chat, now);
    const past = chat?.answered && s && s.for_seq <= chat.answered.seq && !chat.next;
    this.dataset.state = st.kind;
    render(this.#head, head(chat, s, st, past, this.#view, (c) => this.#set(c), a.search && this.#searchButton(a)));
    render(this.#scroll, this.#find && this.#found(a, now), this.#body(state, chat, s, st, past, a, now));
    render(this.#dock, this.#bottom(state, chat, s, st, past, a));
    const draft = this.#scroll.querySelector(".draft");
    if (draft !== this.#view.watched) {
      this.#watch.disconnect();
      this.#view.watched = draft;
      this.#draftSeen = true;
      if (draft) this.#watch.observe(draft);
    }
  }

  #body(state, chat, s, st, past, a, now) {
    if (!chat) return h("div", { class: "panel-quiet" }, h("p", null, "Open a conversation. What your pages say about it appears here."));
    const notice = modelNotice(state, s);
    const chosen = state.status?.model?.state === "none" && s?.phase !== "failed"; // nothing is amiss: it stands below what helps
    if (!s || s.question?.quiet) return [!chosen && notice, quiet(state, chat, s, st, now), steps(chat, a), chosen && notice];
    if (past) {
      return [!chosen && notice, h("div", { class: "panel-quiet" }, h("p", null, chat.closed ? "This conversation is closed." : chat.answered.mine
        ? ["Sent. ", "Aside listens for ", user("bdi", null, givenName(state, chat) || "the customer"), "’s answer."]
        : [user("bdi", null, chat.answered.name || "A colleague"), " answered this message. The draft is folded away."])),
        steps(chat, a), this.#folded(chat, chat.shown, "Draft for the last message"), quietLine(s, a)];
    }
    const newer = waitingNote(chat);
    return [
      newer && h("div", { class: "panel-banner", key: "newer" }, icon("clock"), h("span", null, newer),
        h("button", { class: "button small", "aria-keyshortcuts": ariaChord(a.chord("newer")), on: { click: () => a.showNext() } }, "Show", kbd(pretty(a.chord("newer"))))),
      !chosen && notice,
      s.phase === "abstained" && this.#nothing(s, a),
      this.#sources(s, a, now),
      this.#draft(state, s, st, a),
      options(s, a),
      steps(chat, a),
      s.anticipates && s.phase !== "superseded" && h("section", { class: "part anticipates", key: "next" }, h("h3", null, "Likely next question"), user("p", null, s.anticipates)),
      chat.folded && this.#folded(chat, chat.folded, "Draft for the message before"),
      chosen && notice,
      quietLine(s, a),
    ];
  }

  #sources(s, a, now) {
    const searching = s.phase === "searching";
    if (!searching && !s.hits.length) {
      return s.phase === "abstained" ? null : h("section", { class: "part", key: "sources" }, h("h3", null, "Sources"), h("p", { class: "quiet" }, "Nothing in the knowledge speaks of this."));
    }
    const cited = new Set((shownDraft(s)?.sentences ?? []).flatMap((x) => (x.citations ?? []).map((c) => c.passage_id)));
    const list = s.hits.map((hit, i) => ({ hit, number: i + 1, cited: cited.has(hit.passage_id) }));
    const first = list.filter((x, i) => this.#view.more || x.cited || i < FIRST_SOURCES);
    const title = s.phase === "abstained" ? "Nearest pages" : "Sources";
    return h("section", { class: "part sources", key: "sources", "aria-label": title, "aria-busy": searching ? "true" : null },
      h("h3", null, title, !searching && first.length < list.length && h("button", { class: "link more", on: { click: () => this.#set({ more: true }) } }, `${list.length - first.length} more`), kbd(pretty(a.chord("focus_sources")))),
      searching
        ? [1, 2, 3].map((i) => h("div", { class: "source is-skeleton", key: "sk" + i, "aria-hidden": "true" }, h("i"), h("i"), h("i")))
        : first.map((x) => this.#source(x, now)));
  }

  #searchButton(a) {
    const chord = a.chord("search");
    return h("button", { class: "icon-button find-button", "aria-label": "Search your pages", title: `Search your pages (${pretty(chord)})`, "aria-keyshortcuts": ariaChord(chord), "aria-expanded": String(Boolean(this.#find)),
      on: { click: () => (this.#find ? this.#endSearch() : this.focusSearch()) } }, icon("search"));
  }

  #found(a, now) {
    const f = this.#find;
    const said = f.trouble || (f.asked && !f.hits ? "Searching…" : f.hits && !f.hits.length ? `Nothing found for “${f.asked}”.` : f.hits ? `${plural(f.hits.length, "passage")} for “${f.asked}”` : "");
    return h("section", { class: "part found", key: "found", role: "search", "aria-label": "Search your pages" },
      h("form", { class: "ask", on: { submit: (e) => { e.preventDefault(); this.#search(); } } },
        h("input", { class: "ask-input find-input", type: "text", enterkeyhint: "search", "aria-label": "Search your pages", placeholder: "Search your pages…", dir: "auto", maxlength: "500", value: f.text, on: {
          input: (e) => { f.text = e.target.value; },
          keydown: (e) => { if (e.key === "Escape") { e.preventDefault(); e.stopPropagation(); this.#endSearch(); } },
        } }),
        h("button", { class: "icon-button", type: "button", "aria-label": "Close the search", on: { click: () => this.#endSearch() } }, icon("close"))),
      h("p", { class: "found-said quiet", role: "status" }, user("bdi", null, said)),
      (f.hits ?? []).map((hit, i) => this.#source({ hit, number: i + 1, cited: false }, now)));
  }

  #source({ hit, number, cited }, now) {
    const open = this.#view.open.has(hit.passage_id);
    const internal = hit.audience !== "public";
    const dated = new Date(hit.updated_at ?? 0).getTime() > 0;
    const stale = dated && now - new Date(hit.updated_at) > STALE_MS;
    const href = safeHref(hit.url);
    const aimed = this.#view.aim?.passage === hit.passage_id;
    return h("article", { class: "source" + (internal ? " is-internal" : "") + (cited ? " is-cited" : "") + (aimed ? " is-aimed" : ""), key: hit.passage_id, "data-source": number },
      h("button", { class: "source-toggle", "aria-expanded": String(open), on: { click: () => this.#toggle(hit.passage_id) } },
        h("span", { class: "number" }, h("span", { class: "sr" }, "Source "), String(number)),
        user("span", { class: "source-title" }, sourceName(hit)),
        internal ? h("span", { class: "tag is-internal", title: "not for the customer" }, icon("lock"), "internal") : null,
        hit.out_of_date ? h("span", { class: "tag is-stale", title: "the page has changed since; these are the words that were cited" }, icon("alert"), "out of date") : null,
        stale ? h("span", { class: "tag is-stale", title: "over a year old" }, icon("alert"), shortDate(hit.updated_at, now)) : dated ? h("span", { class: "source-date" }, shortDate(hit.updated_at, now)) : null,
        icon("chevron")),
      passage(hit, open, aimed ? this.#view.aim.quote : ""),
      open && h("p", { class: "source-meta" },
        internal ? h("span", { class: "tag is-internal" }, icon("lock"), "internal, not for the customer") : h("span", { class: "tag" }, icon("globe"), "public"),
        dated && h("span", { class: stale ? "tag is-stale" : null }, stale && icon("alert"), "updated " + shortDate(hit.updated_at, now) + (stale ? ", over a year ago" : "")),
        hit.quote && this.#conversation && h("button", { class: "link", on: { click: () => this.#args.actions.insertText(hit.quote, hit) } }, "Insert the sentence"),
        href && h("a", { href, target: "_blank", rel: "noopener noreferrer", "aria-label": `Open ${hit.title} in a new tab` }, "open", icon("open"))));
  }

  #toggle(id) {
    const open = new Set(this.#view.open);
    open.has(id) ? open.delete(id) : open.add(id);
    this.#set({ open, aim: null });
    if (open.has(id)) this.#args.actions.freshen();
  }

  // #aim shows the words a sentence stands on.
  #aim(number, citation) {
    this.#set({ open: new Set(this.#view.open).add(citation.passage_id), aim: { passage: citation.passage_id, quote: citation.quote } });
    const card = this.#scroll.querySelector(`.sources [data-source="${number}"]`);
    (card?.querySelector("mark") ?? card)?.scrollIntoView({ block: "nearest" });
    this.#args.actions.freshen();
  }

  #draft(state, s, st, a) {
    if (streaming(s)) {
      return h("section", { class: "part draft is-streaming", key: "draft", "aria-label": "Draft", "aria-busy": "true" },
        h("h3", null, "Draft", h("span", { class: "part-note" }, s.phase === "checking" ? "checking each sentence" : ["being written", h("span", { class: "stops" }, kbd(pretty(a.chord("dismiss"))), "stops")])),
        h("div", { class: "paper" }, user("p", { class: "draft-text" }, s.text, s.phase === "drafting" && h("i", { class: "caret", "aria-hidden": "true" }))));
    }
    const draft = shownDraft(s);
    if (!draft) {
      if (!["searching", "sources"].includes(s.phase)) return null;
      return h("section", { class: "part draft", key: "draft", "aria-busy": "true", "aria-label": "Draft" }, h("h3", null, "Draft"), h("div", { class: "paper is-skeleton", "aria-hidden": "true" }, h("i"), h("i"), h("i")));
    }
    if (s.dismissed || s.phase === "superseded") return this.#folded({ suggestions: { [s.id]: s } }, s.id, s.dismissed ? "Draft, dismissed" : "Draft for the message before");
    const verdicts = shownVerdicts(s);
    const places = sentences(draft, verdicts, span);
    const numbers = new Map(s.hits.map((hit, i) => [hit.passage_id, i + 1]));
    const cites = draft.sentences.some((x) => x.citations?.length);
    const note = draft.origin === "knowledge" ? (cites ? "in your pages’ own words" : "nothing in it needs a source") : !verdicts.length ? "every claim has its source" : "";
    return h("section", { class: "part draft", key: "draft", "aria-label": "Draft" },
      h("h3", null, "Draft", note ? h("span", { class: "part-note" }, note) : kbd(pretty(a.chord("focus_draft")))),
      h("div", { class: "paper" },
        h("p", { class: "draft-text", dir: "auto" }, places.map((p, i) => [this.#sentence(p, i, a, s), this.#cites(p, numbers, s), " "])),
        reasons(verdicts, s)));
  }

  #sentence(p, i, a, s) {
    const take = () => a.insertSentence(i);
    const parts = [];
    let at = 0;
    for (const m of p.marks) {
      parts.push(p.text.slice(at, m.start), h("mark", { class: "is-" + m.verdict.outcome, title: m.verdict.reason }, p.text.slice(m.start, m.end)));
      at = m.end;
    }
    parts.push(p.text.slice(at));
    return h("span", {
      class: "sentence", key: "s" + i, role: "button", tabindex: "0", title: "Add just this sentence",
      on: {
        click: () => getSelection().isCollapsed && take(),
        // On release: the key's own character must not follow the focus.
        keydown: (e) => { if (isPress(e)) { e.preventDefault(); this.#view.pressed = i; } },
        keyup: (e) => { if (isPress(e) && this.#view.pressed === i) take(); this.#view.pressed = -1; },
      },
    }, parts);
  }

  #cites(p, numbers, s) {
    return (p.citations ?? []).map((c, i) => {
      const n = numbers.get(c.passage_id);
      if (!n) return null;
      const hit = s.hits[n - 1];
      const name = [`Source ${n}: ${hit.title}`, hit.heading && `section ${hit.heading}`].filter(Boolean).join(", ");
      return h("button", { class: "cite" + (hit.audience !== "public" ? " is-internal" : ""), key: `c${i}-${p.start}`, "aria-label": name, title: c.quote, on: { click: () => this.#aim(n, c) } }, String(n));
    });
  }

  #folded(chat, id, title) {
    const s = chat.suggestions[id];
    const draft = shownDraft(s);
    if (!draft) return null;
    return h("details", { class: "part folded", key: "folded-" + id },
      h("summary", null, icon("chevron"), h("span", null, title)),
      user("p", { class: "draft-text" }, draft.text),
      h("button", { class: "button small", on: { click: () => this.#args.actions.insertFolded(id) } }, "Insert it anyway"));
  }

  #nothing(s, a) {
    const terms = (s.question?.terms ?? []).slice(0, 8);
    const flagged = s.mark?.verdict === "bad";
    return h("section", { class: "part nothing", key: "nothing" },
      h("p", { class: "nothing-lead" }, s.reason || "Nothing in the knowledge carries an answer to this."),
      terms.length > 0 && h("p", { class: "terms" }, h("span", { class: "quiet" }, "Looked for "), [...new Set(terms.map((t) => spelled(t.text, s.question.text)))].map((t) => user("span", { class: "term" }, t))),
      h("div", { class: "nothing-buttons" },
        h("button", { class: "button small", on: { click: () => a.insertText(ASKS[s.question?.language] ?? ASKS.en) } }, "Ask the customer…"),
        a.search && h("button", { class: "button small", on: { click: () => this.focusSearch() } }, icon("search"), "Search…"),
        h("button", { class: "button small", disabled: flagged, on: { click: () => a.feedback("bad", "off_topic") } }, icon("flag"), flagged ? "Gap flagged" : "Flag gap")));
  }

  #bottom(state, chat, s, st, past, a) {
    if (!chat || !s || past || s.question?.quiet) return null;
    const draft = shownDraft(s);
    const usable = draft?.sentences?.length && !s.dismissed && s.phase !== "superseded";
    const done = ["ready", "abstained", "failed"].includes(s.phase);
    const comes = !done && s.phase !== "superseded"; // the agent who asked for a change has the focus there
    if (!usable && !done && !comes) return null;
    return [
      usable && !this.#draftSeen && h("button", { class: "dock-peek", on: { click: () => this.#scroll.querySelector(".draft")?.scrollIntoView({ block: "start" }) } },
        h("span", { class: "quiet" }, "Draft"), user("span", { class: "peek-text" }, draft.text)),
      this.#view.bad && h("div", { class: "chips", role: "group", "aria-label": "What is wrong with it?", key: "chips" },
        REASONS.map(([code, label]) => h("button", { class: "chip", on: { click: () => { a.feedback("bad", code); this.#set({ bad: false }); } } }, label)),
        h("button", { class: "icon-button", "aria-label": "No reason", on: { click: () => this.#set({ bad: false }) } }, icon("close"))),
      (usable || comes) && h("form", { class: "ask", key: "ask", on: { submit: (e) => { e.preventDefault(); const text = this.#view.ask.trim(); if (text) { a.ask(text); this.#set({ ask: "" }); } } } },
        h("input", { class: "ask-input", type: "text", "aria-label": "Ask for a change of the draft", placeholder: "Ask for a change: shorter, warmer, offer the refund…", dir: "auto", maxlength: "500", value: this.#view.ask, on: { input: (e) => { this.#view.ask = e.target.value; } } }),
        kbd(pretty(a.chord("ask")))),
      (usable || done) && h("div", { class: "dock-row", key: "row" },
        usable && h("button", { class: "button accent", "aria-keyshortcuts": ariaChord(a.chord("insert")), on: { click: () => a.insert() } }, "Insert", kbd(pretty(a.chord("insert")))),
        usable && h("button", { class: "button plain", "aria-keyshortcuts": ariaChord(a.chord("replace")), on: { click: () => a.insert({ replace: true }) } }, "Replace", kbd(pretty(a.chord("replace")))),
        h("span", { class: "spring" }),
        done && s.id && this.#mark(s, a, "good", "up", "Good"),
        done && s.id && this.#mark(s, a, "bad", "down", "Bad")),
    ];
  }

  #mark(s, a, verdict, pic, word) {
    const on = s.mark?.verdict === verdict;
    return h("button", { class: "icon-button mark-" + verdict + (on ? " is-on" : ""), "aria-pressed": String(on), "aria-label": word + " suggestion", title: `${word} suggestion (${pretty(a.chord(verdict))})`, "aria-keyshortcuts": ariaChord(a.chord(verdict)), on: { click: () => a.mark(verdict) } }, icon(pic));
  }
}

const isPress = (e) => (e.key === "Enter" || e.key === " ") && !e.ctrlKey && !e.metaKey && !e.altKey;

const fresh = (id) => ({ id, open: new Set(), aim: null, more: false, bad: false, ask: "", wide: false, pressed: -1, watched: null });

function head(chat, s, st, past, view, set, search) {
  const t = s?.timings;
  const asked = chat && s && !past && !s.question?.quiet ? question(chat, s) : "";
  return [
    h("div", { class: "panel-state" },
      h("h2", { class: "standing is-" + st.kind }, PICTURES[st.kind] ? icon(PICTURES[st.kind]) : h("i", { class: "pulse", "aria-hidden": "true" }), user("span", null, st.word)),
      h("span", { class: "spring" }),
      t && !past && st.kind !== "superseded" && h("span", { class: "timing" }, `sources ${millis(t.passages_ms)}`, draftTime(s) ? ` · draft ${millis(draftTime(s))}` : ""),
      search),
    asked && h("blockquote", { class: "asked" + (view.wide ? " is-wide" : ""), dir: "auto", on: { click: () => set({ wide: !view.wide }) } }, asked),
    s?.instruction && !past && h("p", { class: "instruction" }, "You asked: ", user("bdi", null, wish(chat, s.instruction))),
  ];
}

// wish says an instruction in words: an option is known by its title.
function wish(chat, instruction) {
  const options = Object.values(chat.suggestions).flatMap((x) => x.options ?? []);
  return options.find((o) => o.id === instruction)?.title ?? instruction;
}

function passage(hit, open, aimed) {
  const quote = aimed || hit.quote;
  const at = quote ? span(hit.text ?? "", -1, -1, quote) : null;
  if (!at) return user("p", { class: "passage" + (open ? " is-open" : "") }, hit.quote && !open ? h("mark", null, hit.quote) : hit.text || hit.quote);
  const [start, end] = at;
  let before = hit.text.slice(0, start), after = hit.text.slice(end);
  // Folded, the quote alone; what stands around it needs a click.
  if (!open) before = after = "";
  return user("p", { class: "passage" + (open ? " is-open" : "") }, before, h("mark", null, hit.text.slice(start, end)), after);
}

function reasons(verdicts) {
  const list = [...new Map(verdicts.map((v) => [v.reason, v])).values()];
  if (!list.length) return null;
  return h("ul", { class: "reasons" }, list.map((v) => h("li", { class: "is-" + v.outcome, key: v.reason },
    icon(v.check === "audience" ? "lock" : "alert"), user("span", null, v.words && !v.reason.includes(v.words) ? h("b", null, user("bdi", null, v.words)) : v.outcome === "block" ? h("b", null, "Stop") : h("b", null, "Check"), " ", v.reason))));
}

function options(s, a) {
  const list = (s.options ?? []).slice(0, 3);
  if (!list.length || s.phase === "superseded") return null;
  return h("section", { class: "part", key: "options", "aria-label": "Ways policy allows" },
    h("h3", null, "Ways policy allows", kbd(pretty(a.chord("option_1")) + (list.length > 1 ? `–${list.length}` : ""))),
    h("div", { class: "options", "data-count": list.length }, list.map((o, i) => {
      const chosen = s.instruction === o.id;
      return h("button", { class: "option" + (chosen ? " is-chosen" : ""), key: o.id, "aria-pressed": String(chosen), title: o.policy?.quote || o.policy?.title || "", "aria-keyshortcuts": ariaChord(a.chord("option_" + (i + 1))), on: { click: () => a.option(i) } },
        user("span", { class: "option-title" }, o.title),
        o.detail && user("span", { class: "option-detail" }, o.detail),
        o.cost && !o.title.includes(o.cost) && user("span", { class: "option-cost" }, o.cost),
        o.authority && o.authority !== "you" && h("span", { class: "option-authority" }, icon("lock"), h("span", null, "needs ", user("bdi", null, o.authority))));
    })));
}

const STATES = { skipped: "skipped", impossible: "ruled out" };

// steps is the checklist. Arrows move in it, space ticks, S skips.
function steps(chat, a) {
  const found = checklist(chat);
  if (!found) return null;
  const { list, left, current } = found;
  return h("section", { class: "part", key: "steps", "aria-label": "Next steps" },
    h("h3", null, "Next steps", h("span", { class: "part-note" }, left ? `${left} to do` : "all done"), kbd(pretty(a.chord("focus_steps")))),
    h("ul", { class: "steps" }, list.map((x) => h("li", { key: x.id, class: `step is-${x.state}` + (x === current ? " is-current" : ""), "aria-current": x === current ? "step" : null },
      h("label", null,
        h("input", { type: "checkbox", checked: x.state === "done", "aria-keyshortcuts": x === current ? `${ariaChord(a.chord("tick_step"))} Space S` : "Space S",
          on: { change: (e) => a.step(x.id, e.target.checked ? "done" : "todo"), keydown: (e) => stepKey(e, x, a) } }),
        h("span", { class: "step-kind" }, KINDS[x.kind] ?? x.kind),
        h("span", { class: "step-words" }, user("span", { class: "step-text" }, x.text),
          x.policy?.title && user("span", { class: "step-policy", title: x.policy.quote ?? "" }, x.policy.title),
          x === current && x.policy?.quote && !saysNoMore(x.policy.quote, x.text) && user("q", { class: "step-quote" }, x.policy.quote),
          (x === current || STATES[x.state]) && x.why && user("span", { class: "step-quote step-why" }, x.why)),
        STATES[x.state] && h("span", { class: "step-policy step-state" }, icon(x.state === "impossible" ? "alert" : "clock"), STATES[x.state])),
      x === current && h("button", { class: "link step-skip", title: `Skip this step (${pretty(a.chord("skip_step"))})`, "aria-keyshortcuts": ariaChord(a.chord("skip_step")), on: { click: () => a.step(x.id, "skipped") } }, "Skip")))));
}

// saysNoMore holds for a rule that is the step's own words, but for the name of a button.
function saysNoMore(quote, text) {
  const words = (t) => t.replace(/\[[^\]]*\]/g, "").replace(/[\s.]+/g, " ").trim();
  return words(quote) === words(text);
}

function stepKey(e, x, a) {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const boxes = [...e.target.closest(".steps").querySelectorAll("input")];
  const move = { ArrowDown: 1, ArrowUp: -1 }[e.key];
  if (move) boxes[boxes.indexOf(e.target) + move]?.focus();
  else if (e.key.toLowerCase() === "s") a.step(x.id, x.state === "skipped" ? "todo" : "skipped");
  else return;
  e.preventDefault();
}

function quiet(state, chat, s, st, now) {
  const name = givenName(state, chat);
  const last = lastCustomerTurn(chat);
  if (chat.closed) return h("div", { class: "panel-quiet" }, h("p", null, "This conversation is closed."));
  if (st.kind === "listening") return h("div", { class: "panel-quiet" }, h("p", null, user("bdi", null, name || "The customer"), " is typing. Sources come as soon as there is something to look up."));
  return h("div", { class: "panel-quiet" },
    h("p", null, s?.question?.quiet ? `Nothing to look up in that (${s.question.quiet}).` : last ? ["Aside listens to ", user("bdi", null, name || "the customer"), ". Sources and a draft appear here with the next question."] : "Nothing was asked yet."));
}

function modelNotice(state, s) {
  const m = state.status?.model;
  const failed = s?.phase === "failed";
  if ((!m || m.state === "ready") && !failed) return null;
  const words = {
    none: ["No model is set up.", "Sources and drafts in your pages’ own words work. A maintainer can connect one: “aside doctor” says how."],
    down: ["Written drafts are paused.", "The model does not answer. Sources, next steps and the instant draft stay."],
    over_budget: ["Today’s budget for drafts is used up.", "Sources, next steps and the instant draft stay."],
  }[m?.state] ?? ["The draft could not be written.", "Sources, next steps and the instant draft stay."];
  return h("div", { class: "notice", key: "notice" }, icon("pause"), h("p", null, h("b", null, words[0]), " ", failed && s.reason ? h("span", { class: "notice-reason" }, s.reason) : words[1]));
}

// draftTime is how long the draft on the card took, in milliseconds.
function draftTime(s) {
  const draft = shownDraft(s);
  return draft?.origin === "model" ? s.timings?.ready_ms : draft ? s.timings?.instant_ms : 0;
}

function quietLine(s, a) {
  if (!["ready", "abstained", "failed"].includes(s.phase)) return null;
  const ms = draftTime(s);
  const by = shownDraft(s)?.origin === "model" ? s.model || "model" : shownDraft(s) ? "instant, no model" : "no draft";
  return h("p", { class: "quiet-line", key: "quiet-line" }, h("span", null, by), ms ? h("span", null, millis(ms)) : null, s.created_at && h("time", null, clockTime(s.created_at)),
    h("button", { class: "link why-button", "aria-keyshortcuts": ariaChord(a.chord("why")), on: { click: () => a.why() } }, "Why this?", kbd(pretty(a.chord("why")))));
}

if (!customElements.get("aside-suggestion")) customElements.define("aside-suggestion", Suggestion); // two of our scripts may be on a foreign page
