// <aside-queue>: who waits, who is with whom.

import { h, icon, render, user, waited } from "./dom.js";
import { groups, unread } from "./select.js";

// Reasons of a hand-over, in the words of the desk. Unknown codes are shown
// with their underscores taken out.
const REASONS = {
  asked_for_person: "asked for a person",
  no_evidence: "no page answers this",
  blocked: "an answer did not pass the checks",
  upset: "the customer is upset",
  rephrased: "had to ask again",
  account_specific: "about their own account",
  not_allowed_topic: "a topic for people",
  model_fault: "the bot could not answer",
  limit: "the bot’s limit was reached",
  out_of_hours: "written out of hours",
  bot_off: "straight to a person",
  returned: "given back to the queue",
  taken: "taken from the bot",
};
export const reasonWords = (h) => REASONS[h.reason_code || h.reason] ?? (h.reason_code || h.reason || "").replaceAll("_", " ");

// fromBot says whether the bot passed it on; else nobody had it, or a colleague.
export const fromBot = (h) => (!h.from || h.from === "bot") && !["bot_off", "returned"].includes(h.reason_code || h.reason);

class Queue extends HTMLElement {
  update(state, actions, now) {
    const list = groups(state);
    render(this,
      !state.queue.loaded && h("div", { class: "queue-skeleton", "aria-label": "The queue is loading", role: "status" },
        [1, 2, 3].map(() => h("div", { class: "skeleton-row" }, h("i"), h("i")))),
      state.queue.loaded && !list.length && h("div", { class: "queue-empty" },
        h("p", { class: "empty-title" }, "Nobody is waiting"),
        h("p", null, "New conversations appear here by themselves.")),
      list.map((g) => h("section", { class: "queue-group", key: g.id, "aria-labelledby": "queue-" + g.id },
        h("h2", { id: "queue-" + g.id }, g.title, h("span", { class: "count" }, String(g.items.length))),
        h("ul", null, g.items.map((c) => h("li", { key: c.id }, row(state, c, actions, now)))))));
  }
}

// handedOver: the bot spoke last, and only to say so. What the customer wants is
// told by the summary.
const handedOver = (c) => c.status === "waiting" && c.last_role === "bot" && c.handoff?.summary;

function row(state, c, actions, now) {
  const isUnread = unread(state, c);
  const late = c.waiting_since && now - new Date(c.waiting_since) > 3 * 60_000;
  const mine = c.agent && c.agent === state.session.sub;
  return h("button", {
    class: "queue-row" + (c.id === state.open ? " is-open" : "") + (isUnread ? " is-unread" : ""),
    "aria-current": c.id === state.open ? "true" : null,
    "data-conversation": c.id,
    on: { click: () => actions.select(c.id) },
  },
    h("span", { class: "queue-top" },
      user("span", { class: "queue-name" }, c.customer_name || "Visitor"),
      isUnread && h("span", { class: "unread" }, h("span", { class: "sr" }, "unread")),
      c.waiting_since && h("time", { class: "queue-wait" + (late ? " is-late" : ""), title: "waiting for an answer" }, waited(c.waiting_since, now))),
    handedOver(c) ? user("span", { class: "queue-preview" }, c.handoff.summary) : user("span", { class: "queue-preview" }, c.last_role === "agent" ? h("span", { class: "quiet" }, mine ? "You: " : "Agent: ") : c.last_role === "bot" ? h("span", { class: "quiet" }, "Bot: ") : null, c.preview || "No messages yet"),
    c.status === "waiting" && c.handoff && h("span", { class: "queue-note" }, icon("arrow"), [fromBot(c.handoff) && "from the bot", reasonWords(c.handoff)].filter(Boolean).join(" · ")),
    c.status === "bot" && h("span", { class: "queue-note is-quiet" }, icon("bot"), "the bot answers"),
    c.status === "open" && c.agent && !mine && h("span", { class: "queue-note is-quiet" }, "with ", user("bdi", null, c.agent_name || "a colleague")),
    c.status === "closed" && c.resolution && h("span", { class: "queue-note is-quiet" }, c.resolution));
}

customElements.define("aside-queue", Queue);
