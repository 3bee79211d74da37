// The console's state and how it changes. reduce is pure: the same actions give
// the same state, nothing is fetched, timed or drawn here.
//
// Kept events are applied once and in order of their sequence number: a repeat
// is ignored, and one that comes early waits until the gap before it is filled.

export function initial() {
  return {
    session: { state: "unknown" }, // unknown · signed_out · signed_in {token, sub, name, dev}
    link: { state: "connecting", attempt: 0 }, // connecting · open · waiting {retryAt} · stopped {message}
    status: null, // GET /v1/status
    limits: {},
    queue: { loaded: false, byId: {} },
    seen: {}, // conversation → last seq the agent looked at
    open: "",
    view: "queue", // which pane a narrow window shows: queue · chat · aside
    chats: {},
  };
}

export function newChat(id) {
  return {
    id, lastSeq: 0, opened: false, upTo: 0, early: {}, // upTo: what had happened when it was opened
    entries: [], // what the transcript shows: {kind: turn · handoff · closed, seq, …}
    outbox: [], // replies on their way: {id, text, suggestionID, state: sending · failed, error, seq}
    suggestions: {}, shown: "", next: "", folded: "",
    steps: {}, outcomes: {},
    typing: null, agents: [],
    composing: false, asked: false, answered: null, repliedSeq: 0, closed: false,
  };
}

export function reduce(state, action) {
  switch (action.type) {
    case "session":
      return { ...state, session: action.session };
    case "link":
      return { ...state, link: action.link };
    case "status":
      return { ...state, status: action.status };
    case "view":
      return { ...state, view: action.view };
    case "queue.loaded": {
      const byId = {};
      for (const c of action.conversations) byId[c.id] = c;
      return { ...state, queue: { loaded: true, byId } };
    }
    case "conversation.select":
      return touch(
        { ...state, open: action.id, view: "chat", chats: { [action.id]: newChat(action.id), ...state.chats } },
        action.id,
      );
    case "conversation.opened":
      return chat(state, action.id, (c) => ({ ...c, opened: true, upTo: action.seq ?? 0 }));
    case "conversation.reset": // the server's log is another one than we knew
      return state.chats[action.id] ? { ...state, chats: { ...state.chats, [action.id]: { ...newChat(action.id), outbox: state.chats[action.id].outbox } } } : state;
    case "frame":
      return frame(state, action.frame, action.at);
    case "composing":
      return chat(state, action.id, (c) => composing(c, action.on));
    case "suggestion.asked": // by the agent: what comes next is what they wait for
      return chat(state, action.id, (c) => ({ ...c, asked: true }));
    case "suggestion.show_next":
      return chat(state, action.id, (c) => showNext(c));
    case "suggestion.stop":
      return chat(state, action.id, (c) => suggestion(c, c.shown, (s) => ({ ...s, held: true })));
    case "suggestion.dismiss":
      return chat(state, action.id, (c) => suggestion(c, c.shown, (s) => ({ ...s, dismissed: !s.dismissed })));
    case "sources.changed": // since they were cited
      return chat(state, action.id, (c) => suggestion(c, action.suggestionID, (s) => ({ ...s, hits: s.hits.map((x) => ({ ...x, out_of_date: action.changed.includes(x.passage_id) })) })));
    case "suggestion.lull":
      return chat(state, action.id, (c) => suggestion(c, action.suggestionID, (s) => (s.phase === "drafting" ? { ...s, phase: "checking" } : s)));
    case "feedback":
      return chat(state, action.id, (c) => suggestion(c, action.suggestionID, (s) => ({ ...s, mark: { verdict: action.verdict, reason: action.reason ?? "" } })));
    case "step":
      return chat(state, action.id, (c) => ({ ...c, steps: { ...c.steps, [action.stepID]: action.state } }));
    case "reply.queued":
      return chat(state, action.id, (c) => ({ ...c, outbox: [...c.outbox.filter((r) => r.id !== action.reply.id), { ...action.reply, state: "sending" }] }));
    case "reply.acked":
      return chat(state, action.id, (c) => settle({ ...c, outbox: c.outbox.map((r) => (r.id === action.replyID ? { ...r, state: "sent", seq: action.seq } : r)) }));
    case "reply.failed":
      return chat(state, action.id, (c) => ({ ...c, outbox: c.outbox.map((r) => (r.id === action.replyID ? { ...r, state: "failed", error: action.error } : r)) }));
    case "reply.removed":
      return chat(state, action.id, (c) => ({ ...c, outbox: c.outbox.filter((r) => r.id !== action.replyID) }));
  }
  return state;
}

function chat(state, id, change) {
  const c = state.chats[id];
  if (!c) return state;
  const next = change(c);
  return next === c ? state : { ...state, chats: { ...state.chats, [id]: next } };
}

function suggestion(c, id, change) {
  const s = c.suggestions[id];
  return s ? { ...c, suggestions: { ...c.suggestions, [id]: change(s) } } : c;
}

// touch marks the open conversation as looked at.
function touch(state, id) {
  const seq = Math.max(state.queue.byId[id]?.last_seq ?? 0, state.chats[id]?.lastSeq ?? 0);
  return (state.seen[id] ?? 0) >= seq ? state : { ...state, seen: { ...state.seen, [id]: seq } };
}

function frame(state, f, at) {
  if (f.type === "welcome") return { ...state, limits: f.data?.limits ?? {} };
  if (f.type === "queue.changed") {
    const next = { ...state, queue: { ...state.queue, byId: { ...state.queue.byId, [f.data.id]: f.data } } };
    return f.data.id === state.open ? touch(next, f.data.id) : next;
  }
  const next = chat(state, f.conversation, (c) => (f.seq ? keep(c, f, state) : live(c, f, at, state)));
  return f.conversation === state.open ? touch(next, f.conversation) : next;
}

// keep applies a kept event when its turn has come, and then those that waited.
function keep(c, f, state) {
  if (f.seq <= c.lastSeq) return c;
  if (f.seq > c.lastSeq + 1) return { ...c, early: { ...c.early, [f.seq]: f } };
  let next = { ...kept(c, f, state), lastSeq: f.seq };
  const waiting = next.early[f.seq + 1];
  if (!waiting) return next;
  const early = { ...next.early };
  delete early[f.seq + 1];
  return keep({ ...next, early }, waiting, state);
}

// hasGap says that events are missing: the conversation must be opened again
// from its last sequence number.
export const hasGap = (c) => Object.keys(c.early).length > 0;

function kept(c, f, state) {
  const d = f.data ?? {};
  switch (f.type) {
    case "turn.added":
      return turnAdded(c, { ...d, seq: f.seq }, state);
    case "handoff":
      return { ...c, entries: [...c.entries, { kind: "handoff", seq: f.seq, ...d }] };
    case "conversation.closed":
      return { ...c, closed: true, entries: [...c.entries, { kind: "closed", seq: f.seq, ...d }] };
    case "step.changed":
      return { ...c, steps: { ...c.steps, [d.step_id]: d.state } };
    case "suggestion.outcome":
      return outcome(c, d);
    case "suggestion.ready":
    case "suggestion.abstained":
    case "suggestion.failed":
      return done(c, d);
  }
  return c;
}

function turnAdded(c, t, state) {
  const next = settle({ ...c, closed: false, entries: [...c.entries, { kind: "turn", ...t }] });
  if (t.role === "customer") return { ...next, typing: null, answered: null };
  if (t.role !== "agent") return next;
  const mine = !t.author || t.author === state.session.sub;
  return { ...next, typing: null, repliedSeq: t.seq, answered: { seq: t.seq, mine, name: t.name ?? "" } };
}

// settle drops replies from the outbox that stand in the transcript.
function settle(c) {
  if (!c.outbox.length) return c;
  const seqs = new Set(c.entries.map((e) => e.seq));
  return { ...c, outbox: c.outbox.filter((r) => !(r.seq && seqs.has(r.seq))) };
}

function outcome(c, d) {
  const next = { ...c, outcomes: { ...c.outcomes, [d.suggestion_id]: { ...c.outcomes[d.suggestion_id], ...clean(d) } } };
  if (!d.verdict) return next;
  return suggestion(next, d.suggestion_id, (s) => ({ ...s, mark: { verdict: d.verdict, reason: d.reason ?? "" } }));
}

const clean = (d) => Object.fromEntries(Object.entries(d).filter(([, v]) => v !== "" && v !== undefined));

function live(c, f, at, state) {
  const d = f.data ?? {};
  switch (f.type) {
    case "suggestion.started":
      return begin(c, { id: d.suggestion_id, for_seq: d.for_seq, phase: "searching", hits: [], text: "" });
    case "suggestion.passages":
      return suggestion(c, d.suggestion_id, (s) => over(s) ? s : { ...s, phase: "sources", question: d.question ?? s.question, hits: d.hits ?? [] });
    case "suggestion.instant":
      return suggestion(c, d.suggestion_id, (s) => over(s) ? s : {
        ...s, phase: "instant", instant: whole(d.draft), steps: d.steps, options: d.options,
        verdicts: d.verdicts, standing: d.standing, check_count: d.check_count,
      });
    case "suggestion.delta":
      return suggestion(c, d.suggestion_id, (s) => over(s) ? s : { ...s, phase: "drafting", text: s.text + d.text });
    case "suggestion.superseded":
      return suggestion(c, d.suggestion_id, (s) => over(s) ? s : { ...s, phase: "superseded", superseded_by: d.by_seq });
    case "suggestion.failed": // not in the log: it could not be kept, or was left out under load
      return done(c, d);
    case "conversation.erased":
      return { ...newChat(c.id), opened: c.opened, closed: true, entries: [{ kind: "closed", seq: 0, resolution: "erased" }] };
    case "typing":
      return { ...c, typing: d.role === "agent" && (!d.name || d.name === state.session.name) ? c.typing : { role: d.role, name: d.name ?? "", text: d.text ?? "", at } };
    case "presence":
      return { ...c, agents: (d.agents ?? []).map((a) => (typeof a === "string" ? a : a.name || a.sub || "")) };
  }
  return c;
}

const over = (s) => ["ready", "abstained", "failed", "superseded"].includes(s.phase);

// begin takes in a new suggestion. While the agent writes, it waits: the card
// that is being read stays.
function begin(c, s) {
  const known = c.suggestions[s.id];
  const next = { ...c, suggestions: { ...c.suggestions, [s.id]: { ...known, ...s } } };
  if (c.shown === s.id || c.next === s.id) return next;
  const shown = c.suggestions[c.shown];
  if (c.asked) next.suggestions[s.id].asked = true;
  else if (c.composing && shown && hasDraft(shown)) return { ...next, next: s.id };
  return { ...next, shown: s.id, next: "", asked: false, folded: shown && hasDraft(shown) && shown.for_seq > c.repliedSeq ? c.shown : "" };
}

const hasDraft = (s) => Boolean(s.draft || s.instant);

// done takes in a finished suggestion. It may never have been started here: it
// was replayed, or its beginning was lost with a connection.
function done(c, d) {
  const before = c.suggestions[d.id];
  const s = { ...before, ...d, hits: d.hits ?? [], draft: whole(d.draft), instant: whole(d.instant), phase: d.state === "abstained" || d.state === "failed" ? d.state : "ready", text: "" };
  // A draft that is being read or used stays until the agent asks for the other.
  if (before && before.instant && (before.held || (c.composing && c.shown === d.id && !before.asked)) && d.draft && d.draft.origin !== before.instant.origin) {
    s.held = true;
    s.instant = before.instant;
  }
  return before ? { ...c, suggestions: { ...c.suggestions, [d.id]: s } } : begin(c, s);
}

// whole gives a draft its sentences, also where a server sent none.
function whole(draft) {
  if (!draft?.text) return undefined;
  return draft.sentences?.length ? draft : { ...draft, sentences: [{ text: draft.text }] };
}

function composing(c, on) {
  if (c.composing === on) return c;
  if (!on) return c.next ? showNext({ ...c, composing: false }) : { ...c, composing: false };
  return suggestion({ ...c, composing: true }, c.shown, (s) => (["instant", "drafting", "checking"].includes(s.phase) ? { ...s, held: true } : s));
}

function showNext(c) {
  if (c.next) return { ...c, folded: c.shown, shown: c.next, next: "" };
  return suggestion(c, c.shown, (s) => ({ ...s, held: false }));
}
