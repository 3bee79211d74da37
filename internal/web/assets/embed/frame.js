// The page at /panel, for tools that embed by iframe:
//
//   <iframe src="https://ASIDE/panel#conversation=42&token=…" allow="clipboard-write">
//
// The token comes in the fragment, which no server sees and which is gone from the
// address at once, or by postMessage. Messages are objects with a key "aside":
//
//   host → panel   {aside: "hello"}                            who embeds us; optional where browsers say it
//                  {aside: "open", conversation, token}        another conversation, or a new token
//                  {aside: "send", id, text, suggestion_id}    on the agent's click in the tool
//                  {aside: "composing", on}
//   panel → host   {aside: "ready" | "insert" | "sent" | "expired", …}   as the element's events
//                  {aside: "sending", id, seq} or {aside: "sending", id, error}   the answer to "send"
//
// Only the window that embeds us is listened to, and only when its origin is one
// of those the server lists; nothing is said to any other.

import "./panel.js";

const allowed = new Set((document.querySelector('meta[name="aside-origins"]')?.content ?? "").split(" ").filter(Boolean));
const panel = document.createElement("aside-panel");
const framed = parent !== window;
let host = framed ? known(location.ancestorOrigins?.[0]) : "";

function known(origin) { return origin && (allowed.has(origin) || origin === location.origin) ? origin : ""; }

function tell(message) {
  if (framed && host) parent.postMessage(message, host);
}

addEventListener("message", async (e) => {
  if (!framed || e.source !== parent || !known(e.origin) || typeof e.data?.aside !== "string") return;
  host = e.origin;
  const m = e.data;
  switch (m.aside) {
    case "hello":
      return tell({ aside: "hello" });
    case "open":
      return open(m.conversation, m.token);
    case "composing":
      return panel.composing(m.on);
    case "send":
      try {
        tell({ aside: "sending", id: m.id, seq: await panel.send(String(m.text ?? ""), String(m.suggestion_id ?? "")) });
      } catch (err) {
        tell({ aside: "sending", id: m.id, error: err.message });
      }
  }
});

for (const name of ["ready", "insert", "sent", "expired"]) {
  panel.addEventListener("aside:" + name, (e) => {
    if (!framed || !host) return; // nobody takes the words: they are copied
    if (name === "insert") e.preventDefault();
    tell({ aside: name, ...e.detail });
  });
}

function open(conversation, token, theme) {
  if (typeof conversation === "string" && conversation) panel.setAttribute("conversation", conversation);
  if (typeof token === "string" && token) panel.setAttribute("token", token);
  if (theme === "light" || theme === "dark") panel.setAttribute("theme", theme);
}

function take() {
  const q = new URLSearchParams(location.hash.slice(1));
  if (q.has("error")) panel.setAttribute("error", q.get("error")); // why a tool's link did not open
  if (q.size) history.replaceState(null, "", location.pathname);
  open(q.get("conversation"), q.get("token"), q.get("theme"));
}

addEventListener("hashchange", take);
take();
document.querySelector("main").append(panel);
if (framed) tell({ aside: "hello" });
