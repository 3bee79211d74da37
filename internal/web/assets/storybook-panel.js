// Every state of <aside-panel>, drawn from fixtures without a server: /storybook/panel
// has them all side by side, light and dark; ?state=NAME and &theme=dark|light choose.

import "./embed/panel.js";
import { h } from "./dom.js";
import { NOW, stories as console_ } from "./fixtures/stories.js";

const story = (name) => console_.find((s) => s.name === name);
const ready = story("ready").actions;
const shared = ["listening", "searching", "sources", "instant", "drafting", "checking", "ready", "check", "no-source", "superseded", "superseded-folded", "answered", "typing",
  "model-down", "no-model", "over-budget", "disconnected", "out-of-date"].map((name) => ({ name, about: story(name).about, actions: story(name).actions }));
const stories = [
  { name: "not-set-up", about: "The tool's page names no conversation, or brings no token.", then: null },
  { name: "unreachable", about: "The server is down, or does not list this page's origin.", then: (p) => p.unreachable() },
  { name: "expired", about: "The token is over.", error: "this link has expired: press its button in the chat tool again" },
  { name: "refused", about: "The conversation cannot be opened.", then: (p) => p.stopped("This conversation cannot be opened.", "this token is for another conversation") },
  ...shared,
  { name: "internal", about: "Inserting from an internal source asks first.", actions: story("internal").actions, then: (p) => p.insert() },
  { name: "copied", about: "The tool takes no words: they are copied.", actions: ready, then: (p) => p.say("Copied: paste it into your reply.", true) },
  { name: "not-sent", about: "What was asked of the server was refused.", actions: ready, then: (p) => p.say("Not sent: your role in Libredesk may not answer this conversation.") },
  { name: "bad", about: "A bad mark offers five reasons.", actions: ready, then: (p) => p.mark("bad") },
];

const params = new URLSearchParams(location.search);
const only = params.get("state"), themes = params.get("theme") ? [params.get("theme")] : ["light", "dark"];

// panel gives one panel in the state of s; those that need no stand-in have none.
function panel(s, theme) {
  const p = document.createElement("aside-panel");
  p.setAttribute("theme", theme);
  if (s.error) p.setAttribute("error", s.error);
  if (s.actions || s.then) {
    p.setAttribute("conversation", "conv_dana");
    p.standIn = { ...s, clock: () => NOW };
  }
  return p;
}

document.querySelector(".names").append(...stories.map((s) => h("li", null, h("a", { href: "?state=" + s.name }, s.name))));
const shown = stories.filter((s) => !only || s.name === only);
document.querySelector(".stories").append(...shown.map((s) => h("section", null, h("h2", null, s.name, h("span", null, ": ", s.about)), h("div", { class: "pair" }, themes.map((t) => panel(s, t))))));
// The panels fetch their styles first.
const drawn = () => [...document.querySelectorAll("aside-panel")].every((p) => p.shadowRoot?.adoptedStyleSheets.length === 3 && !p.shadowRoot.querySelector(".embed").hidden);
const settled = () => drawn() ? requestAnimationFrame(() => (document.body.dataset.ready = only ?? "all")) : requestAnimationFrame(settled);
settled();
