// Tests of the pure modules, run in a browser by TestModules. Each export is a
// test; it fails by throwing.

import { hasGap, initial, reduce } from "/assets/store.js";
import { announcement, groups, loading, question, sentences, shownDraft, spelled, standing, unread, waitingNote } from "/assets/select.js";
import { h, render, safeHref, span } from "/assets/dom.js";
import { backoff } from "/assets/socket.js";
import { chordOf, Keys } from "/assets/keys.js";

const ID = "c1";
const NOW = Date.parse("2026-11-22T10:00:00Z");

function equal(got, want, what) {
  const a = JSON.stringify(got), b = JSON.stringify(want);
  if (a !== b) throw new Error(`${what}: got ${a}, want ${b}`);
}

const run = (actions, from = initial()) => actions.reduce((s, a) => reduce(freeze(s), a), from);

// freeze makes a reducer that writes into its input fail.
function freeze(o) {
  if (o && typeof o === "object" && !Object.isFrozen(o)) {
    Object.freeze(o);
    Object.values(o).forEach(freeze);
  }
  return o;
}

const frame = (type, data, seq) => ({ type: "frame", at: NOW, frame: { type, conversation: ID, seq, data } });
const turn = (seq, role, text = "t" + seq, more = {}) => frame("turn.added", { role, text, at: "2026-11-22T09:59:00Z", ...more }, seq);
const start = [{ type: "session", session: { state: "signed_in", sub: "maya" } }, { type: "conversation.select", id: ID }, turn(1, "customer")];
const draft = (origin, text = origin) => ({ origin, text, sentences: [{ text }] });
const begun = [
  frame("suggestion.started", { suggestion_id: "s1", for_seq: 1 }),
  frame("suggestion.passages", { suggestion_id: "s1", for_seq: 1, question: { text: "q" }, hits: [{ passage_id: "p" }] }),
  frame("suggestion.instant", { suggestion_id: "s1", for_seq: 1, draft: draft("knowledge"), standing: "ready" }),
];
const ready = (seq, more = {}) => frame("suggestion.ready", { id: "s1", for_seq: 1, state: "ready", standing: "ready", hits: [], draft: draft("model"), instant: draft("knowledge"), ...more }, seq);
const chat = (s) => s.chats[ID];
const word = (s) => standing(s, chat(s), NOW).word;

export function keptEventsApplyOnceAndInOrder() {
  const s = run([...start, turn(3, "customer"), turn(3, "customer"), turn(1, "customer")]);
  equal(chat(s).entries.map((e) => e.seq), [1], "before the gap is filled");
  equal(hasGap(chat(s)), true, "gap");
  const t = run([turn(2, "agent"), turn(2, "agent")], s);
  equal(chat(t).entries.map((e) => e.seq), [1, 2, 3], "after");
  equal(hasGap(chat(t)), false, "gap after");
}

export function anotherLogStartsAgain() {
  const s = run([...start, turn(2, "customer"), { type: "conversation.reset", id: ID }, turn(1, "customer", "new")]);
  equal([chat(s).lastSeq, chat(s).entries.map((e) => e.text)], [1, ["new"]], "reset");
}

export function stagesOfASuggestion() {
  let s = run([...start, begun[0]]);
  equal(word(s), "Searching", "started");
  s = run([begun[1]], s);
  equal(word(s), "1 source found", "passages");
  s = run([begun[2]], s);
  equal([word(s), shownDraft(chat(s).suggestions.s1).origin], ["Drafting", "knowledge"], "instant");
  s = run([frame("suggestion.delta", { suggestion_id: "s1", text: "a" }), frame("suggestion.delta", { suggestion_id: "s1", text: "b" })], s);
  equal(chat(s).suggestions.s1.text, "ab", "deltas");
  equal(word(run([{ type: "suggestion.lull", id: ID, suggestionID: "s1" }], s)), "Checking", "lull");
  s = run([ready(2), frame("suggestion.delta", { suggestion_id: "s1", text: "late" })], s);
  equal([word(s), shownDraft(chat(s).suggestions.s1).origin, chat(s).suggestions.s1.text], ["Ready", "model", ""], "ready");
  equal(word(run([...start, ready(2, { standing: "check", check_count: 2 })])), "Check 2 facts", "check");
  equal(word(run([...start, frame("suggestion.abstained", { id: "s1", for_seq: 1, state: "abstained", standing: "no_source", hits: [] }, 2)])), "No source", "abstained");
}

export function theCardStaysWhileTheAgentWrites() {
  let s = run([...start, ...begun, { type: "composing", id: ID, on: true }, ready(2)]);
  equal([shownDraft(chat(s).suggestions.s1).origin, waitingNote(chat(s))], ["knowledge", "A written draft is ready"], "held");
  s = run([turn(3, "customer"), frame("suggestion.superseded", { suggestion_id: "s1", by_seq: 3 }), frame("suggestion.started", { suggestion_id: "s2", for_seq: 3 })], s);
  equal([chat(s).shown, chat(s).next], ["s1", "s2"], "next waits");
  const asked = run([{ type: "suggestion.show_next", id: ID }], s);
  equal([chat(asked).shown, chat(asked).folded, chat(asked).next], ["s2", "s1", ""], "asked for");
  const done = run([{ type: "composing", id: ID, on: false }], s);
  equal(chat(done).shown, "s2", "no longer writing");
}

export function whatTheAgentAskedForIsShown() {
  let s = run([...start, ...begun, ready(2), { type: "composing", id: ID, on: true }, { type: "suggestion.asked", id: ID }, frame("suggestion.started", { suggestion_id: "s2", for_seq: 1 })]);
  equal([chat(s).shown, chat(s).next, chat(s).folded], ["s2", "", "s1"], "asked");
  s = run([frame("suggestion.instant", { suggestion_id: "s2", draft: draft("knowledge") }), ready(3, { id: "s2" })], s);
  equal(shownDraft(chat(s).suggestions.s2).origin, "model", "not held back");
}

export function aServerMayLeaveListsOut() {
  const s = run([...start, ready(2, { hits: null, draft: { origin: "model", text: "a", sentences: null }, instant: null })]);
  equal([chat(s).suggestions.s1.hits, shownDraft(chat(s).suggestions.s1).sentences], [[], [{ text: "a" }]], "nulls");
}

export function anAnsweredDraftIsNotFoldedAway() {
  const s = run([...start, ready(2), turn(3, "agent", "x", { author: "maya" }), turn(4, "customer"), ready(5, { id: "s2", for_seq: 4 })]);
  equal([chat(s).shown, chat(s).folded], ["s2", ""], "answered");
}

export function stoppingKeepsTheInstantDraft() {
  const s = run([...start, ...begun, frame("suggestion.delta", { suggestion_id: "s1", text: "x" }), { type: "suggestion.stop", id: ID }, ready(2)]);
  equal(shownDraft(chat(s).suggestions.s1).origin, "knowledge", "stopped");
  equal(shownDraft(chat(run([{ type: "suggestion.show_next", id: ID }], s)).suggestions.s1).origin, "model", "shown on demand");
}

export function aReplyStandsOnceWhateverComesFirst() {
  const queued = { type: "reply.queued", id: ID, reply: { id: "r", text: "hi", after: 1 } };
  const acked = { type: "reply.acked", id: ID, replyID: "r", seq: 2 };
  const said = turn(2, "agent", "hi", { author: "maya" });
  for (const order of [[queued, acked, said], [queued, said, acked]]) {
    const c = chat(run([...start, ...order]));
    equal([c.outbox.length, c.entries.length, c.answered.mine], [0, 2, true], "settled");
  }
  const failed = chat(run([...start, queued, { type: "reply.failed", id: ID, replyID: "r", error: "no" }]));
  equal([failed.outbox[0].state, failed.outbox[0].error], ["failed", "no"], "failed");
}

export function whoAnswered() {
  equal(word(run([...start, ready(2), turn(3, "agent", "x", { author: "jonas", name: "Jonas" })])), "Answered by Jonas", "colleague");
  equal(word(run([...start, ready(2), turn(3, "agent", "x", { author: "maya" })])), "You replied", "me");
}

export function theQueueIsSortedByWaiting() {
  const c = (id, status, waiting_since, agent) => ({ id, status, waiting_since, agent, last_seq: 1, last_role: "customer", updated_at: "2026-11-22T09:00:00Z" });
  const s = run([start[0], { type: "queue.loaded", conversations: [c("b", "waiting", "2026-11-22T09:50:00Z"), c("mine", "open", undefined, "maya"), c("a", "waiting", "2026-11-22T09:40:00Z"), c("other", "open", undefined, "jonas")] }]);
  equal(groups(s).map((g) => [g.id, g.items.map((x) => x.id)]), [["waiting", ["a", "b"]], ["mine", ["mine"]], ["others", ["other"]]], "groups");
  equal(unread(s, s.queue.byId.a), true, "unread");
  const seen = run([{ type: "conversation.select", id: "a" }, { type: "conversation.select", id: "b" }], s);
  equal([unread(seen, seen.queue.byId.a), unread(seen, seen.queue.byId.b)], [false, false], "seen");
}

export function termsAreSpelledAsWritten() {
  const text = "Hola, ¿cuánto por flying lessons? Quick!";
  equal(["hol", "fli", "cuant", "refund", "q"].map((x) => spelled(x, text)), ["hola", "flying", "cuánto", "refund", "q"], "terms");
  equal(spelled("refund", undefined), "refund", "no text");
}

export function byteRangesBecomeIndices() {
  equal(span("héllo €5", 7, 11, "€5"), [6, 8], "two and three bytes");
  equal(span("a😀b$", 5, 6, "b"), [3, 4], "four bytes");
  equal(span("pay $40", 0, 3, "$40"), [4, 7], "wrong range, right words");
  equal(span("pay", 0, 3, "nowhere"), null, "nowhere");
  const d = { text: "Ünter. Pay $40.", sentences: [{ text: "Ünter." }, { text: "Pay $40." }] };
  equal(sentences(d, [{ words: "$40", start: 12, end: 15, sentence: 1 }], span)[1].marks.map((m) => [m.start, m.end]), [[4, 7]], "in its sentence");
}

export function linksAreHTTPOnly() {
  equal(["https://a.example/x", "http://a.example/", "javascript:alert(1)", "data:text/html,x", "//a.example", "x", ""].map(safeHref),
    ["https://a.example/x", "http://a.example/", "", "", "", "", ""], "safeHref");
}

export function renderingKeepsWhatDidNotChange() {
  const host = document.createElement("div");
  document.body.append(host);
  const row = (id, text) => h("p", { key: id }, h("input", { "aria-label": id }), text);
  render(host, row("a", "1"), row("b", "2"));
  const input = host.children[1].firstChild;
  input.focus();
  render(host, row("c", "0"), row("b", "3"));
  equal([document.activeElement === input, host.textContent, host.children.length], [true, "03", 2], "focus and text");
  render(host, "<b>x</b>");
  equal([host.children.length, host.textContent], [0, "<b>x</b>"], "text only");
  host.remove();
}

export function erasedIsForgotten() {
  const s = run([...start, ...begun, ready(2), frame("conversation.erased", {})]);
  equal([chat(s).entries.map((e) => e.kind), Object.keys(chat(s).suggestions), chat(s).lastSeq, chat(s).closed], [["closed"], [], 0, true], "after");
  const again = run([turn(1, "customer", "anew")], s);
  equal([chat(again).entries.at(-1).text, chat(again).closed], ["anew", false], "it begins anew");
}

export function leftOutIsSaid() {
  const s = run([...start, frame("suggestion.failed", { id: "s9", for_seq: 1, state: "failed", reason: "Too many customers are writing at once." })]);
  equal([chat(s).suggestions.s9.phase, chat(s).suggestions.s9.reason, chat(s).lastSeq], ["failed", "Too many customers are writing at once.", 1], "the card");
}

export function whatWasBeforeIsNoNews() {
  const opened = run([{ type: "conversation.select", id: ID }, { type: "conversation.opened", id: ID, seq: 2 }]);
  equal([loading(chat(opened)), loading(chat(run([turn(1, "customer")], opened))), loading(chat(run([turn(1, "customer"), turn(2, "agent")], opened)))], [true, true, false], "while it comes in");
}

export function announcedInWords() {
  const said = (more) => announcement(chat(run([...start, ready(2, more)])).suggestions.s1);
  equal([said({ hits: [{}] }), said({ standing: "check", check_count: 2, hits: [{}, {}] }), said({ state: "abstained" }), said({ state: "abstained", question: { quiet: "thanks" } }), said({ draft: null, instant: null })],
    ["Draft ready, 1 source", "Draft with 2 facts to check, 2 sources", "No source answers this", "", ""], "said");
}

export function theQuestionHidesNothingFromTheAgent() {
  const s = run([...start, turn(2, "agent"), turn(3, "customer", "It is a@b.example."), turn(4, "customer", "Can I change it?"), turn(5, "customer", "Later.")]);
  equal([question(chat(s), { for_seq: 4, question: { text: "It is [MAIL_1]. Can I change it?" } }), question(chat(s), { for_seq: 4, question: { text: "Can I?" } }), question(chat(s), { for_seq: 1 })],
    ["It is a@b.example. Can I change it?", "Can I?", "t1"], "asked");
}

export function lostFocusIsTold() {
  const host = h("div", null);
  document.body.append(host);
  let lost = 0;
  host.addEventListener("focuslost", () => lost++);
  const draw = (...nodes) => render(host, nodes);
  draw(h("button", { key: "a" }, "a"), h("button", { key: "b" }, "b"));
  host.firstChild.focus();
  draw(h("button", { key: "a" }, "c"));
  equal([lost, document.activeElement.textContent], [0, "c"], "kept");
  draw(h("button", { key: "a", disabled: true }, "c"));
  equal(lost, 1, "disabled");
  host.remove();
}

export function waitsGrowAndAreJittered() {
  equal([1, 2, 3, 9].map((n) => backoff(n, () => 0)), [250, 500, 1000, 7500], "shortest");
  equal([1, 2, 3, 9].map((n) => backoff(n, () => 1)), [500, 1000, 2000, 15000], "longest");
}

export function chords() {
  const key = (init) => new KeyboardEvent("keydown", init);
  equal(chordOf(key({ key: "j", code: "KeyJ", altKey: true })), "Alt+J", "letter");
  equal(chordOf(key({ key: "∆", code: "KeyJ", altKey: true })), "Alt+J", "a Mac's Alt");
  equal(chordOf(key({ key: "?", shiftKey: true })), "?", "a sign needs no Shift in its name");
  equal(chordOf(key({ key: "L", altKey: true, shiftKey: true })), "Alt+Shift+L", "with Shift");
  equal(chordOf(key({ key: "Alt", altKey: true })), "", "a modifier alone");
  equal(new Keys().set("why", "Alt+J"), "Next conversation", "taken");
}
