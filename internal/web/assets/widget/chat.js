// The open chat: draws a Talk into the shadow root of <aside-chat>. What people
// wrote becomes text nodes only. Who speaks is said in words and by a picture,
// never by colour alone.

import { clockTime, h, icon, render, safeHref, user } from "../dom.js";
import { asked, typingNow, unseen } from "./state.js";
import { CSS } from "./style.js";
import { Talk } from "./talk.js";
import { when, words } from "./words.js";

const NEAR_PX = 80;
const TEXT_CHARS = 8000; // the server's limit of one message
const PHONE = matchMedia("(max-width: 520px), (max-height: 480px)");

export class Chat {
  #host; #root; #launch; #talk; #w; #locale; #full; #clock; #el = {}; #open = false; #due = false; #stuck = true; #said = "";

  // talk and clock are stand-ins for the storybook.
  constructor(host, { server, identity, lang, full }, { talk, clock = Date.now } = {}) {
    this.#host = host;
    this.#locale = navigator.languages.find((l) => l.startsWith(lang)) ?? lang; // en-GB has another clock than en-US
    this.#w = words(lang);
    this.#full = full;
    this.#clock = clock;
    const shadow = host.shadowRoot, sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet];
    this.#root = shadow.querySelector(".root");
    this.#launch = shadow.querySelector(".launch");
    this.#build();
    this.#talk = talk ?? new Talk({ server, identity, changed: () => this.draw(), refused: (detail) => this.#refused(detail) });
    if (talk) talk.changed = () => this.draw();
    setInterval(() => this.#open && this.draw(), 1000); // typing that ends
    PHONE.addEventListener("change", () => this.#fit());
    for (const event of ["resize", "scroll"]) window.visualViewport?.addEventListener(event, () => this.#fit());
    document.addEventListener("visibilitychange", () => this.#look());
    if (this.#talk.remembered) this.#talk.start();
    this.draw();
  }

  open() {
    if (this.#open) return;
    this.#open = true;
    this.#el.panel.hidden = false;
    this.#el.panel.classList.add("opens");
    this.#stuck = true;
    this.#talk.start();
    this.#fit();
    this.#draw();
    // On a phone the box would bring up the keyboard over what is to be read.
    (this.#phone && !this.#full ? this.#el.panel : this.#el.text).focus({ preventScroll: true });
  }

  close() {
    if (!this.#open || this.#full) return;
    const inside = this.#root.contains(this.#host.shadowRoot.activeElement);
    this.#open = false;
    this.#el.panel.hidden = true;
    this.#fit();
    this.#draw();
    if (inside) this.#launch.focus({ preventScroll: true });
  }

  toggle() { this.#open ? this.close() : this.open(); }

  identify(token) { return this.#talk.identify(token); }

  // draw happens once however many things changed.
  draw() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#draw();
    });
  }

  get #phone() { return PHONE.matches; }

  #build() {
    const el = this.#el, w = this.#w;
    el.head = h("div", { class: "head" });
    el.notice = h("div", { class: "notice-slot", role: "status" });
    el.log = h("div", { class: "log", role: "log", "aria-label": w.log, "aria-live": "off", "aria-relevant": "additions" });
    el.typing = h("div", { class: "typing" });
    el.scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": w.log }, el.log, el.typing);
    el.scroll.onscroll = () => { this.#stuck = el.scroll.scrollHeight - el.scroll.scrollTop - el.scroll.clientHeight < NEAR_PX; };
    new ResizeObserver(() => this.#stuck && this.#toLatest()).observe(el.scroll);
    el.desk = h("div", { class: "desk" });
    el.text = h("textarea", { rows: "1", "aria-label": w.write, placeholder: w.write, dir: "auto", enterkeyhint: "send", autocomplete: "off" });
    el.send = h("button", { class: "send", type: "button", "aria-label": w.send }, icon("up_arrow"));
    el.over = h("p", { class: "over", role: "status" });
    el.write = h("div", { class: "write" }, h("div", { class: "box" }, el.text, el.send), el.over);
    el.panel = h("div", { class: "panel", role: "dialog", "aria-labelledby": "aside-title", id: "aside-panel", tabindex: "-1", hidden: true }, el.head, el.notice, el.scroll, el.desk, el.write);
    el.live = h("p", { class: "sr", role: "status" });
    el.text.oninput = () => { this.#grow(); this.#talk.typing(); };
    el.text.onkeydown = (e) => {
      if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
      e.preventDefault();
      this.#send();
    };
    el.send.onclick = () => { this.#send(); el.text.focus({ preventScroll: true }); };
    el.panel.onkeydown = (e) => this.#key(e);
    this.#launch.setAttribute("aria-controls", "aside-panel");
    this.#root.append(el.panel, el.live);
    this.#grow();
  }

  #key(e) {
    if (e.key === "Escape" && !e.isComposing && !this.#full) {
      e.preventDefault();
      return this.close();
    }
    if (e.key !== "Tab" || !this.#phone || this.#full) return;
    // The panel covers the page: what is below cannot be seen, so Tab stays here.
    const stops = [...this.#el.panel.querySelectorAll("button, a, textarea, [tabindex='0']")].filter((x) => x.checkVisibility?.() ?? true);
    const at = this.#host.shadowRoot.activeElement;
    const edge = e.shiftKey ? stops[0] : stops.at(-1);
    if (at !== edge && at !== this.#el.panel) return;
    if (at === this.#el.panel && !e.shiftKey) return;
    e.preventDefault();
    (e.shiftKey ? stops.at(-1) : stops[0]).focus();
  }

  #send() {
    const box = this.#el.text, text = box.value.trim();
    if (!text || [...text].length > TEXT_CHARS || this.#talk.state.phase === "closed") return;
    box.value = "";
    this.#grow();
    this.#stuck = true;
    this.#talk.say(text);
  }

  #grow() {
    const { text, send, over } = this.#el;
    text.style.height = "auto";
    if (text.scrollHeight) text.style.height = Math.min(text.scrollHeight, 132) + "px";
    const n = [...text.value.trim()].length;
    send.setAttribute("aria-disabled", String(n === 0 || n > TEXT_CHARS));
    const words = n > TEXT_CHARS ? this.#w.tooLong(n - TEXT_CHARS) : "";
    if (over.textContent !== words) over.textContent = words;
  }

  // #fit follows the screen: on a phone the panel is as high as what the
  // keyboard leaves.
  #fit() {
    const phone = this.#phone, view = window.visualViewport, style = this.#root.style;
    this.#root.classList.toggle("is-phone", phone);
    this.#root.classList.toggle("is-open", this.#open);
    if ((phone || this.#full) && this.#open && view && view.scale < 1.05) {
      style.setProperty("--_height", view.height + "px");
      style.setProperty("--_top", view.offsetTop + "px");
    } else {
      style.removeProperty("--_height");
      style.removeProperty("--_top");
    }
    if (phone && this.#open && !this.#full) this.#el.panel.setAttribute("aria-modal", "true");
    else this.#el.panel.removeAttribute("aria-modal");
    if (this.#stuck) this.#toLatest();
  }

  #toLatest() { this.#el.scroll.scrollTop = this.#el.scroll.scrollHeight; }

  // #look says that everything was seen, when somebody can have seen it.
  #look() {
    if (this.#open && !document.hidden) this.#talk.seen();
  }

  #draw() {
    const el = this.#el, w = this.#w, state = this.#talk.state, now = this.#clock();
    this.#look();
    const news = this.#open ? 0 : unseen(this.#talk.state);
    this.#drawLaunch(news);
    if (!this.#open) return;
    const hint = this.#hint(state);
    render(el.head, this.#head(state));
    render(el.notice, hint && h("p", { class: "notice" }, icon("offline"), h("span", { class: "words" }, hint)));
    const live = state.loaded ? "polite" : "off"; // the history is not read aloud
    if (el.log.getAttribute("aria-live") !== live) el.log.setAttribute("aria-live", live);
    render(el.log, this.#rows(state, now));
    render(el.typing, this.#typing(state, now));
    render(el.desk, this.#desk(state));
    el.write.hidden = state.phase === "closed";
    if (this.#stuck) this.#toLatest();
    el.live.textContent = "";
    this.#look();
  }

  #drawLaunch(news) {
    const b = this.#launch, w = this.#w;
    b.setAttribute("aria-expanded", String(this.#open));
    b.setAttribute("aria-label", this.#open ? w.close : w.title + (news ? ", " + w.news(news) : ""));
    let count = b.querySelector(".count");
    if (!count) b.append((count = h("span", { class: "count", "aria-hidden": "true" })));
    count.hidden = !news;
    count.textContent = news > 9 ? "9+" : String(news);
    const said = news ? w.news(news) : "";
    if (said !== this.#said) this.#el.live.textContent = this.#said = said;
  }

  // #hint is what is wrong with the connection, in words that can be believed.
  #hint({ link, fault, session }) {
    if (link.state === "open" || link.state === "idle") return "";
    if (fault === "limited") return this.#w.limited;
    if (link.state === "connecting" && !link.attempt) return "";
    return session ? this.#w.offline : this.#w.unreachable;
  }

  #head(state) {
    const w = this.#w, s = state.session, taken = state.phase === "taken";
    const bot = s?.mode === "answer" && state.phase === "bot" && !asked(state);
    const sub = state.phase === "closed" ? w.ended : taken ? w.person : state.phase === "message" ? w.willAnswer
      : state.phase === "waiting" || asked(state) ? w.inQueue : bot ? w.bot : s ? w.team : state.link.state === "connecting" ? w.connecting : "";
    const name = taken && state.agent ? state.agent : s?.name || w.title;
    return [
      h("div", { class: "face" + (taken ? " is-person" : ""), key: "face", "aria-hidden": "true" }, taken && state.agent ? initials(state.agent) : icon(bot ? "bot" : "person")),
      h("div", { class: "who", key: "who" }, h("h2", { id: "aside-title" }, user("bdi", null, name)), sub && h("p", { class: "words" }, sub)),
      h("button", { class: "round", key: "close", type: "button", "aria-label": w.close, title: w.close, on: { click: () => this.close() } }, icon(this.#phone ? "close" : "fold")),
    ];
  }

  #rows(state, now) {
    const out = [], s = state.session, w = this.#w;
    if (s) {
      const bot = s.mode === "answer";
      out.push(h("div", { class: "turn turn-" + (bot ? "bot" : "team"), key: "greeting" },
        this.#by(bot ? "bot" : "team", s.name),
        user("p", { class: "said" }, s.greeting || (bot ? w.greeting : w.greetingPeople))));
      // The house's own greeting says it in its own words; the lines above say it always.
      if (bot && !s.greeting) out.push(h("p", { class: "line words", key: "disclosure" }, w.disclosure));
      if (!bot && s.open === false) out.push(this.#event("away", "clock", [s.away || w.message, s.opens_at && w.back(when(s.opens_at, now, this.#locale))]));
    }
    let before = null;
    const last = state.entries.findLast((e) => e.kind === "handoff");
    for (const e of state.entries) {
      if (e.kind === "handoff" && e.state === "waiting" && e !== last) continue; // the wait is over
      out.push(e.kind === "turn" ? this.#turn(e, before) : e.kind === "handoff" ? this.#handoff(e, state, now, e === last, before?.role === "bot") : h("p", { class: "line words", key: "closed-" + e.seq }, w.closed));
      before = e.kind === "turn" && e.role !== "system" ? e : null;
    }
    for (const m of state.outbox) out.push(m.type === "turn.add" ? this.#pending(m, state) : this.#asking(m));
    return out;
  }

  // #by says who speaks.
  #by(role, name, at) {
    const w = this.#w, bot = role === "bot";
    return h("p", { class: "by" }, icon(bot ? "bot" : "person"), h("b", null, user("bdi", null, name || (bot ? w.bot : w.team))), h("span", null, "· " + (bot ? w.botMark : w.personMark)), at && h("time", null, "· " + clockTime(at)));
  }

  #turn(e, before) {
    const key = "t-" + (e.external_id || e.seq);
    if (e.role === "system") return user("p", { class: "line", key }, e.text);
    const mine = e.role === "customer";
    const follows = before && before.role === e.role && before.name === e.name && new Date(e.at) - new Date(before.at) < 180_000;
    return h("div", { class: `turn turn-${e.role}` + (mine ? " is-mine" : "") + (follows ? " follows" : ""), key, "data-seq": e.seq },
      mine ? h("span", { class: "sr" }, this.#w.you + ": ") : !follows ? this.#by(e.role, e.name || (e.role === "bot" ? this.#talk.state.session?.name : ""), e.at) : null,
      user("p", { class: "said" }, e.role === "agent" ? linked(e.text, this.#w) : e.text),
      mine && !follows && e.at && h("p", { class: "foot" }, h("time", null, clockTime(e.at))),
      e.role === "bot" && this.#sources(e.sources));
  }

  #sources(sources) {
    const links = (sources ?? []).map((s) => ({ ...s, href: safeHref(s.url) })).filter((s) => s.href);
    if (!links.length) return null;
    return h("div", { class: "sources" }, h("p", { class: "words" }, this.#w.sources),
      h("ul", null, links.map((s) => h("li", { key: s.href }, link(s.href, this.#w, "source", icon("page"), user("span", null, s.title || s.href), icon("open"))))));
  }

  // #handoff is the card of one hand-over; it repeats nothing that the bot has
  // just said as its goodbye.
  #handoff(e, state, now, last, told) {
    const w = this.#w;
    if (e.state === "taken") return this.#event("h-" + e.seq, "person", [h("b", null, w.taken(apart(e.to_name)))]);
    const opens = e.opens_at && w.back(when(e.opens_at, now, this.#locale));
    if (e.state === "message") return this.#event("h-" + e.seq, "clock", [told ? w.willAnswer : w.message, opens]);
    // Numbers are said only while they are true.
    const still = last && state.phase === "waiting";
    const ahead = still && Number.isFinite(e.ahead) ? (e.ahead > 0 ? w.ahead(e.ahead) : w.next) : "";
    const wait = still && e.wait_s > 0 ? w.wait(Math.round(e.wait_s / 60)) : "";
    return this.#event("h-" + e.seq, "clock", [told ? w.waiting : w.waiting + " " + w.seen, (ahead || wait) && h("b", null, [ahead, wait].filter(Boolean).join(" "))]);
  }

  #event(key, pic, lines) {
    return h("div", { class: "event", key }, icon(pic), h("div", null, lines.filter(Boolean).map((x) => h("p", { class: "words" }, x))));
  }

  #pending(m, state) {
    const w = this.#w, failed = m.state === "failed";
    return h("div", { class: "turn turn-customer is-mine " + (failed ? "is-failed" : "is-waiting"), key: "t-" + m.id },
      h("span", { class: "sr" }, w.you + ": "), user("p", { class: "said" }, m.text),
      h("p", { class: "foot", role: failed ? "alert" : null }, failed
        ? [h("span", { class: "words" }, icon("alert"), " ", w.failed, " ", m.error), this.#act(w.retry, () => this.#talk.retry(m.id)), this.#act(w.edit, () => this.#edit(m.id))]
        : h("span", { class: "words" }, state.link.state === "open" ? w.sending : w.keeps)));
  }

  #asking(m) {
    return m.state === "failed" ? this.#event("h-" + m.id, "alert", [`${this.#w.failed} ${m.error}`]) : null;
  }

  #act(label, click) { return h("button", { class: "link", type: "button", on: { click } }, label); }

  #edit(id) {
    const box = this.#el.text;
    box.value = [this.#talk.takeBack(id), box.value].filter(Boolean).join("\n");
    this.#grow();
    box.focus();
  }

  #typing(state, now) {
    const t = typingNow(state, now);
    if (!t) return null;
    const name = t.name || (t.role === "bot" ? state.session?.name || this.#w.bot : state.agent || this.#w.team);
    return [h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), h("span", { class: "words" }, this.#w.typing(apart(name)))];
  }

  // #desk always holds the way to a person, or says how far it has come.
  #desk(state) {
    const w = this.#w;
    if (state.phase === "closed") return h("button", { class: "again", key: "again", type: "button", on: { click: () => this.#fresh() } }, w.again);
    const status = state.phase === "taken" ? w.withName(apart(state.agent)) : state.phase === "message" ? w.willAnswer : state.phase === "waiting" ? w.inQueue : asked(state) ? w.asking : "";
    if (status) return h("div", { class: "person", key: "status" }, icon("person"), h("span", { class: "words" }, status));
    return h("button", { class: "person", key: "person", type: "button", on: { click: () => { this.#stuck = true; this.#talk.person(); } } }, icon("person"), w.talk);
  }

  async #fresh() {
    await this.#talk.fresh();
    this.#el.text.focus();
  }

  #refused(detail) {
    console.warn("aside: the identity token was refused, the visitor stays anonymous:", detail);
    this.#host.dispatchEvent(new CustomEvent("aside:identity-refused", { detail }));
  }
}

function link(href, w, cls, ...children) {
  return h("a", { href, class: cls, target: "_blank", rel: "noopener noreferrer nofollow" }, children, h("span", { class: "sr" }, ` (${w.newTab})`));
}

// linked makes the addresses that a person wrote into links; all else is text.
function linked(text, w) {
  return text.split(/(https?:\/\/[^\s<>"')\]]*[^\s<>"')\].,;:!?])/).map((part, i) => {
    const href = i % 2 ? safeHref(part) : "";
    return href ? link(href, w, null, part) : part;
  });
}

// apart keeps a name's direction out of the sentence around it.
const apart = (name) => (name ? `\u2068${name}\u2069` : "");

const initials = (name) => name.trim().split(/\s+/).map((x) => [...x][0]).filter((_, i, all) => i === 0 || i === all.length - 1).join("").toUpperCase();
