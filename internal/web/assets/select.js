// Questions the views ask of the state. Pure, like the store.

// groups sorts the queue: your own customers who wait, then who waits longest for a person.
export function groups(state) {
  const me = state.session.sub;
  const all = Object.values(state.queue.byId);
  const by = (test, order) => all.filter(test).sort(order);
  const longest = (a, b) => time(a.waiting_since) - time(b.waiting_since);
  const waitingFirst = (a, b) => Boolean(b.waiting_since) - Boolean(a.waiting_since) || (a.waiting_since ? longest(a, b) : time(b.updated_at) - time(a.updated_at));
  const newest = (a, b) => time(b.updated_at) - time(a.updated_at);
  return [
    { id: "yours", title: "Waiting for you", items: by((c) => c.status === "open" && c.agent === me && c.waiting_since, longest) },
    { id: "waiting", title: "Waiting for a person", items: by((c) => c.status === "waiting", longest) },
    { id: "mine", title: "With you", items: by((c) => c.status === "open" && c.agent === me && !c.waiting_since, waitingFirst) },
    { id: "others", title: "With colleagues", items: by((c) => c.status === "open" && c.agent !== me, waitingFirst) },
    { id: "bot", title: "With the bot", items: by((c) => c.status === "bot", newest) },
    { id: "closed", title: "Closed", items: by((c) => c.status === "closed", newest).slice(0, 20) },
  ].filter((g) => g.items.length);
}

// waiting counts the customers who wait: for the agent, and for anyone.
export function waiting(state) {
  const count = (id) => groups(state).find((g) => g.id === id)?.items.length ?? 0;
  return { yours: count("yours"), anyone: count("waiting") };
}

const time = (at) => (at ? new Date(at).getTime() : 0);

export const unread = (state, c) =>
  c.id !== state.open && c.status !== "closed" && (c.last_role === "customer" || c.status === "waiting") && c.last_seq > (state.seen[c.id] ?? 0);

// neighbour is the conversation before (-1) or after (+1) the open one.
export function neighbour(state, step) {
  const ids = groups(state).flatMap((g) => g.items.map((c) => c.id));
  const at = ids.indexOf(state.open);
  if (at < 0) return ids[0] ?? "";
  return ids[at + step] ?? "";
}

export const customerName = (conversation, chat) =>
  conversation?.customer_name || chat?.entries.find((e) => e.kind === "turn" && e.role === "customer" && e.name)?.name || (conversation ? "Visitor" : "");

// givenName is the name they go by, where there is one.
export const givenName = (state, chat) => state.queue.byId[chat.id]?.customer_name || customerName(null, chat);

// briefing is the newest hand-over that says what happened so far.
export const briefing = (chat) => chat?.entries.findLast((e) => e.kind === "handoff" && (e.summary || e.tried?.length));

const TYPING_MS = 6000;
export const typingNow = (chat, now) => (chat?.typing && now - chat.typing.at < TYPING_MS ? chat.typing : null);

// shownDraft is the draft on the card: the model's, or the instant one while
// the model's is written, was stopped, or waits because the agent is typing.
export function shownDraft(s) {
  if (!s) return null;
  if (s.held && s.instant) return s.instant;
  return s.draft ?? s.instant ?? null;
}

// streaming says that the model's words are being shown as they come.
export const streaming = (s) => Boolean(s && !s.held && s.text && (s.phase === "drafting" || s.phase === "checking"));

// shownVerdicts are the checks of the draft on the card.
export function shownVerdicts(s) {
  if (!s) return [];
  const draft = shownDraft(s);
  if (s.held && s.draft && s.draft !== draft && s.draft.origin !== draft?.origin) return [];
  return (s.verdicts ?? []).filter((v) => v.outcome !== "pass");
}

// waitingNote says that something newer waits behind the card, and what.
export function waitingNote(chat) {
  if (!chat) return "";
  const s = chat.suggestions[chat.shown];
  const n = chat.suggestions[chat.next];
  if (n) return n.phase === "ready" ? "The newer suggestion is ready" : "A newer suggestion is coming";
  if (s?.held && s.draft && s.instant && s.draft.origin !== s.instant.origin) return "A written draft is ready";
  return "";
}

// question is what the suggestion answers, in the customer's words. Where secrets
// were hidden from the search ("[MAIL_1]"), it is what they wrote since the answer
// before.
export function question(chat, s) {
  const text = s?.question?.text ?? "";
  if (text && !/\[[A-Z]+_\d+\]/.test(text)) return text;
  const turns = chat.entries.filter((e) => e.kind === "turn" && e.seq <= s?.for_seq && !e.action && e.role !== "system");
  const answer = turns.findLastIndex((e) => e.role !== "customer");
  return turns.slice(answer + 1).map((e) => e.text).join(" ") || text;
}

export const lastCustomerTurn = (chat) => chat.entries.findLast((e) => e.kind === "turn" && e.role === "customer");

// standing is the panel's state in few words: kind picks colour and icon.
export function standing(state, chat, now) {
  const s = chat?.suggestions[chat.shown];
  if (!chat) return { kind: "idle", word: "Quiet", detail: "" };
  if (chat.closed) return { kind: "idle", word: "Closed" };
  if (chat.answered && !(s && s.for_seq > chat.answered.seq) && !chat.next) {
    if (!chat.answered.mine) return { kind: "answered", word: `Answered by ${chat.answered.name || "a colleague"}` };
    return typingNow(chat, now)?.role === "customer" ? { kind: "listening", word: "Listening" } : { kind: "idle", word: "You replied" };
  }
  if (!s) return typingNow(chat, now)?.role === "customer" ? { kind: "listening", word: "Listening" } : { kind: "idle", word: "Quiet" };
  if (chat.next) return { kind: "superseded", word: "The customer wrote again" };
  if (s.held && s.instant) return s.phase === "superseded" ? { kind: "superseded", word: "The customer wrote again" } : { kind: "instant", word: "Instant draft" };
  switch (s.phase) {
    case "searching": return { kind: "searching", word: "Searching" };
    case "sources": return { kind: "sources", word: `${count(s.hits.length, "source")} found` };
    case "instant": return modelWrites(state) ? { kind: "drafting", word: "Drafting" } : { kind: "instant", word: "Instant draft" };
    case "drafting": return { kind: "drafting", word: "Drafting" };
    case "checking": return { kind: "checking", word: "Checking" };
    case "superseded": return { kind: "superseded", word: "The customer wrote again" };
    case "abstained": return s.question?.quiet ? { kind: "idle", word: "Nothing to look up" } : { kind: "none", word: "No source" };
  }
  if (s.standing === "no_source") return { kind: "none", word: "No source" };
  if (s.standing === "check") return { kind: "check", word: `Check ${count(s.check_count || 1, "fact")}` };
  if (s.phase === "failed") return { kind: "instant", word: "Instant draft" };
  return { kind: "ready", word: "Ready" };
}

// loading: what happened before it was opened is still coming in. None of it is news.
export const loading = (chat) => !chat.opened || chat.lastSeq < chat.upTo;

// announcement is what screen readers say of a suggestion, once.
export function announcement(s) {
  if (s.phase === "abstained" && !s.question?.quiet) return "No source answers this";
  if (s.phase !== "ready" || !shownDraft(s)) return "";
  const sources = count(s.hits.length, "source");
  return s.standing === "check" ? `Draft with ${count(s.check_count || 1, "fact")} to check, ${sources}` : `Draft ready, ${sources}`;
}

const count = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;
const modelWrites = (state) => !state.status || state.status.model?.state === "ready";

// spelled gives a term of a question, which is a word cut to its stem, as the
// customer wrote it where they did.
export function spelled(term, text) {
  const words = (text ?? "").match(/[\p{L}\p{N}]+/gu) ?? [];
  const plain = (w) => w.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
  const shared = (word) => { const w = plain(word); let n = 0; while (n < term.length && w[n] === term[n]) n++; return n; };
  const enough = Math.max(2, term.length - 1); // "fli" is "flying"
  return words.filter((w) => shared(w) >= enough).sort((a, b) => shared(b) - shared(a))[0]?.toLowerCase() ?? term;
}

// sentences places the draft's sentences, and the words to check in each, as
// string indices within the sentence.
export function sentences(draft, verdicts, span) {
  let at = 0;
  const places = draft.sentences.map((s) => {
    const found = draft.text.indexOf(s.text, at);
    const start = found < 0 ? at : found;
    at = start + s.text.length;
    return { ...s, start, marks: [] };
  });
  for (const v of verdicts) {
    if (!v.words) continue;
    const range = span(draft.text, v.start, v.end, v.words);
    const p = range && places.find((x) => range[0] >= x.start && range[1] <= x.start + x.text.length);
    if (p) p.marks.push({ start: range[0] - p.start, end: range[1] - p.start, verdict: v });
    else if (places[v.sentence]?.text.includes(v.words)) {
      const i = places[v.sentence].text.indexOf(v.words);
      places[v.sentence].marks.push({ start: i, end: i + v.words.length, verdict: v });
    }
  }
  for (const p of places) p.marks = apart(p.marks);
  return places;
}

// apart sorts marks and drops those that overlap one before them.
export function apart(marks) {
  let end = -1;
  return [...marks].sort((a, b) => a.start - b.start || b.end - a.end).filter((m) => m.start >= end && (end = m.end));
}

// internalSources are the internal pages that these sentences stand on.
export function internalSources(s, sentenceList) {
  const ids = new Set(sentenceList.flatMap((x) => (x.citations ?? []).map((c) => c.passage_id)));
  return (s.hits ?? []).filter((hit) => hit.audience === "internal" && ids.has(hit.passage_id));
}

// internalWords are the verdicts that words of these sentences are internal.
export function internalWords(s, sentenceList) {
  return shownVerdicts(s).filter((v) => v.check === "audience" && v.words && sentenceList.some((x) => x.text.includes(v.words)));
}

export const sourceName = (hit) => [hit.title, hit.heading].filter(Boolean).join(" › ");

// checklist is the next steps as they stand: those of the newest suggestion that
// has any, for they outlive it, with what agents ticked since.
export function checklist(chat) {
  const shown = chat.suggestions[chat.shown];
  const s = shown?.steps?.length ? shown : Object.values(chat.suggestions).findLast((x) => x.steps?.length);
  if (!s) return null;
  const list = s.steps.map((x) => ({ ...x, state: chat.steps[x.id] ?? x.state }));
  const left = list.filter((x) => x.state === "todo");
  return { list, left: left.length, current: left.find((x) => x.current) ?? left[0] };
}
