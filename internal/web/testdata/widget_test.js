// Tests of the widget's pure modules, run in a browser by TestModules. Each
// export is a test; it fails by throwing.

import { asked, initial, reduce, unseen } from "/assets/widget/state.js";
import { LANGUAGES, when, words } from "/assets/widget/words.js";

const NOW = Date.parse("2026-11-22T10:00:00Z");

function equal(got, want, what) {
  const a = JSON.stringify(got), b = JSON.stringify(want);
  if (a !== b) throw new Error(`${what}: got ${a}, want ${b}`);
}

const run = (...actions) => actions.reduce(reduce, initial());
const frame = (type, seq, data = {}) => ({ type: "frame", at: NOW, frame: { type, seq, data } });
const turn = (seq, role, more = {}) => frame("turn.added", seq, { role, text: "t" + seq, ...more });
const session = (conversation, more) => ({ type: "session", session: { conversation, ...more } });
const queued = (id, type = "turn.add") => ({ type: "queued", item: { id, type, text: id } });
const texts = (s) => s.entries.map((e) => e.text ?? e.state ?? e.kind);

export function aRepeatIsOneTurn() {
  equal(texts(run(turn(1, "customer"), turn(3, "bot"), turn(3, "bot"), turn(1, "customer"))), ["t1", "t3"], "entries");
}

export function whatIsStoredLeavesTheOutbox() {
  equal(run(queued("a"), queued("b"), turn(1, "customer", { external_id: "a" })).outbox.map((m) => m.id), ["b"], "by id");
  equal(run(queued("a"), { type: "acked", id: "a", seq: 2 }).outbox.length, 1, "acked, not yet seen");
  equal(run(queued("a"), { type: "acked", id: "a", seq: 2 }, turn(2, "customer")).outbox.length, 0, "acked and seen");
  equal(run(turn(2, "customer"), queued("a"), { type: "acked", id: "a", seq: 2 }).outbox.length, 0, "seen, then acked");
}

export function aNewConversationKeepsWhatIsNotSent() {
  const s = run(session("one"), turn(1, "customer"), frame("conversation.closed", 2), queued("a"), session("two"));
  equal([s.entries.length, s.phase, s.outbox.map((m) => m.id), s.lastSeq], [0, "bot", ["a"], 0], "after a new session");
}

export function aHandOverGoesItsWay() {
  let s = run(queued("p", "handoff.request"));
  equal(asked(s), true, "asked");
  s = reduce(s, frame("handoff", 1, { state: "waiting", ahead: 2 }));
  equal([asked(s), s.phase, s.handoff.ahead], [false, "waiting", 2], "waiting");
  s = reduce(s, frame("handoff", 2, { state: "waiting", ahead: 1 }));
  equal([s.entries.length, s.handoff.ahead], [1, 1], "a newer number is the same card");
  s = reduce(s, frame("handoff", 3, { state: "taken", to_name: "Maya" }));
  equal([s.phase, s.agent, texts(s)], ["taken", "Maya", ["waiting", "taken"]], "taken");
  s = reduce(s, frame("handoff", 4, { state: "waiting" }));
  equal([s.phase, texts(s)], ["waiting", ["waiting", "taken", "waiting"]], "given back");
  s = reduce(s, turn(5, "agent", { name: "Tom" }));
  equal([s.phase, s.agent], ["taken", "Tom"], "who answers has it");
  equal(run(frame("handoff", 1, { to_name: "Maya" })).phase, "taken", "without a state");
  equal(run(frame("handoff", 1, { state: "message", opens_at: "x" })).phase, "message", "out of hours");
}

export function whatWasLookedAtIsNotNew() {
  const s = run(session("one", { seen: 2 }), turn(1, "customer"), turn(2, "bot"), turn(4, "agent"), turn(5, "customer"));
  equal(unseen(s), 1, "one from another");
  equal(unseen(reduce(s, { type: "seen" })), 0, "after a look");
}

export function anotherLogStartsAgain() {
  const s = run(session("one"), turn(5, "bot"), queued("a"), { type: "opened", seq: 2 });
  equal([s.lastSeq, s.entries.length, s.outbox.length, s.session.conversation], [0, 0, 1, "one"], "a shorter log");
  equal(run(turn(5, "bot"), { type: "opened", seq: 5 }).lastSeq, 5, "the same log");
}

export function everyLanguageHasEveryWord() {
  const names = Object.keys(LANGUAGES.en).sort();
  for (const [lang, table] of Object.entries(LANGUAGES)) {
    equal(Object.keys(table).sort(), names, lang);
    for (const name of names) {
      const word = typeof table[name] === "function" ? [table[name](1), table[name](5)] : [table[name]];
      for (const text of word) if (!text || /undefined|NaN/.test(text)) throw new Error(`${lang} ${name}: ${text}`);
      if (lang !== "en" && name !== "log" && typeof table[name] === "string" && table[name] === LANGUAGES.en[name]) throw new Error(`${lang} ${name} is English: ${table[name]}`);
    }
  }
  equal(words("xx") === LANGUAGES.en, true, "an unknown language");
}

export function opensAtIsSaidAsPeopleDo() {
  equal(when("2026-11-23T08:00:00Z", NOW, "en"), "tomorrow, 8:00 AM", "tomorrow");
  equal(when("2026-11-22T12:30:00Z", NOW, "de"), "heute, 12:30", "today");
  equal(when("2026-11-24T08:00:00Z", NOW, "fr").startsWith("mardi"), true, "this week: " + when("2026-11-24T08:00:00Z", NOW, "fr"));
  equal(when("2026-12-24T08:00:00Z", NOW, "pt").includes("24 de dezembro"), true, "later: " + when("2026-12-24T08:00:00Z", NOW, "pt"));
  equal(when("nonsense", NOW, "en"), "", "no time at all");
}
