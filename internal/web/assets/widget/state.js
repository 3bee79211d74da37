// What the customer's chat knows and how it changes. Pure, like the console's
// store: nothing is fetched, timed or drawn here.

export function initial() {
  return {
    session: null, // the answer of POST /v1/widget/session
    link: { state: "idle" }, // idle · connecting · open · waiting {retryAt} · stopped
    fault: "", // why there is no session: limited · unreachable
    loaded: false, // the history is here
    lastSeq: 0,
    entries: [], // {kind: turn · handoff · closed, seq, …}
    outbox: [], // {id, type, text, at, state: waiting · failed, error, seq}
    phase: "bot", // bot · waiting · message · taken · closed
    handoff: null, // the last one: {state, to_name, ahead, wait_s, opens_at}
    agent: "", // the name of the person who has it
    typing: null,
    seen: 0, // what was looked at, for the count on the button
  };
}

export function reduce(state, action) {
  switch (action.type) {
    case "session":
      return state.session && state.session.conversation !== action.session.conversation
        ? { ...initial(), link: state.link, outbox: state.outbox, session: action.session }
        : { ...state, session: action.session, fault: "", seen: Math.max(state.seen, action.session.seen ?? 0) };
    case "fault":
      return { ...state, fault: action.fault };
    case "link":
      return { ...state, link: action.link, typing: action.link.state === "open" ? state.typing : null };
    case "opened": // the server's log may be another one than we knew
      return action.seq < state.lastSeq ? { ...initial(), session: state.session, link: state.link, outbox: state.outbox } : state;
    case "loaded":
      return { ...state, loaded: true };
    case "queued":
      return { ...state, outbox: [...state.outbox.filter((m) => m.id !== action.item.id), { ...action.item, state: "waiting" }] };
    case "acked":
      return settle({ ...state, outbox: state.outbox.map((m) => (m.id === action.id ? { ...m, seq: action.seq } : m)) });
    case "failed":
      return { ...state, outbox: state.outbox.map((m) => (m.id === action.id ? { ...m, state: "failed", error: action.error } : m)) };
    case "dropped":
      return { ...state, outbox: state.outbox.filter((m) => m.id !== action.id) };
    case "seen":
      return state.seen >= state.lastSeq ? state : { ...state, seen: state.lastSeq };
    case "frame":
      return frame(state, action.frame, action.at);
  }
  return state;
}

function frame(state, f, at) {
  const d = f.data ?? {};
  if (f.type === "typing") return d.role === "customer" ? state : { ...state, typing: { role: d.role, name: d.name ?? "", at } };
  if (f.type === "conversation.erased") return { ...initial(), session: state.session, link: state.link, loaded: true };
  if (!f.seq || f.seq <= state.lastSeq) return state; // a repeat
  const next = { ...state, lastSeq: f.seq };
  switch (f.type) {
    case "turn.added":
      return turnAdded(next, { kind: "turn", ...d, seq: f.seq });
    case "handoff":
      return handedOver(next, { kind: "handoff", ...d, state: d.state ?? (d.to_name ? "taken" : "waiting"), seq: f.seq });
    case "conversation.closed":
      return { ...next, phase: "closed", typing: null, entries: [...state.entries, { kind: "closed", seq: f.seq }] };
  }
  return next;
}

function turnAdded(state, t) {
  const next = settle({ ...state, entries: [...state.entries, t], outbox: state.outbox.filter((m) => !t.external_id || m.id !== t.external_id) });
  if (t.role === "customer") return state.phase === "closed" ? { ...next, phase: "bot" } : next;
  if (t.role !== "agent") return { ...next, typing: null };
  return { ...next, typing: null, phase: "taken", agent: t.name || state.agent };
}

function handedOver(state, e) {
  const before = state.entries.at(-1);
  const same = before?.kind === "handoff" && before.state === e.state; // a newer number, or the same person again
  return settle({
    ...state, phase: e.state, handoff: e, agent: e.to_name || state.agent, typing: null,
    entries: [...(same ? state.entries.slice(0, -1) : state.entries), e],
    outbox: state.outbox.filter((m) => m.type !== "handoff.request"),
  });
}

// settle drops from the outbox what stands in the conversation.
function settle(state) {
  const done = (m) => m.seq && m.seq <= state.lastSeq;
  return state.outbox.some(done) ? { ...state, outbox: state.outbox.filter((m) => !done(m)) } : state;
}

// unseen counts what others wrote since the customer last looked.
export const unseen = (state) => state.entries.filter((e) => e.seq > state.seen && e.kind === "turn" && e.role !== "customer").length;

// asked says that a person was asked for and that the server has not said yet what comes of it.
export const asked = (state) => state.outbox.some((m) => m.type === "handoff.request" && m.state !== "failed");

const TYPING_MS = 7000;
export const typingNow = (state, now) => (state.typing && now - state.typing.at < TYPING_MS ? state.typing : null);
