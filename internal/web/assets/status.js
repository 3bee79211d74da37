// The top bar, the connection's banner and the sign-in page.

import { h, icon, kbd, render, user } from "./dom.js";
import { waiting } from "./select.js";
import { ariaChord, pretty } from "./keys.js";

const MODEL = {
  ready: ["ready", "Model ready"],
  none: ["off", "No model"],
  down: ["down", "Model not answering"],
  over_budget: ["down", "Budget used up"],
};
const THEMES = { auto: "Automatic", light: "Light", dark: "Dark" };

export function drawTop(host, state, actions, theme) {
  const { yours, anyone } = waiting(state), all = yours + anyone;
  const m = state.status?.model;
  const [kind, words] = MODEL[m?.state] ?? ["off", ""];
  const docs = state.status?.knowledge?.documents;
  render(host,
    h("p", { class: "wordmark", "aria-label": "Aside" }, h("i", null, "a"), "side"),
    state.queue.loaded && h("p", { class: "pill" + (all ? " is-waiting" : ""), title: all ? `${yours} for you, ${anyone} for whoever takes them` : "" }, h("b", null, String(all)), " waiting"),
    words && h("p", { class: "pill is-" + kind, title: [m.name, m.detail].filter(Boolean).join(": ") }, h("i", { class: "light", "aria-hidden": "true" }), words, m.name && kind === "ready" && h("span", { class: "quiet" }, m.name)),
    docs === 0 && h("p", { class: "pill is-down", title: "Ask a maintainer to run: aside ingest FOLDER" }, icon("alert"), "No knowledge loaded"),
    h("span", { class: "spring" }),
    drawDeliveries(state.status?.deliveries),
    h("button", { class: "pill-button", "aria-label": `Theme: ${THEMES[theme]}. Change`, title: `Theme: ${THEMES[theme]}`, on: { click: () => actions.theme() } }, h("i", { class: "theme-dot is-" + theme, "aria-hidden": "true" }), h("span", { class: "wide-only" }, "Theme")),
    h("button", { class: "pill-button", "aria-keyshortcuts": ariaChord(actions.chord("help")), on: { click: () => actions.help() } }, kbd(pretty(actions.chord("help"))), "Keys"),
    state.session.state === "signed_in" && h("p", { class: "me" }, user("span", { class: "me-name" }, state.session.name || state.session.sub), state.session.dev ? h("span", { class: "quiet" }, "development") : h("button", { class: "link", on: { click: () => actions.signOut() } }, "sign out")));
}

// drawDeliveries leads to what goes out to chat tools, and says when some of it
// never arrived. The server tells only those who may see that page.
function drawDeliveries(d) {
  if (!d) return null;
  return h("a", { class: "pill-button" + (d.given_up ? " is-down" : " wide-only"), href: "/deliveries", key: "deliveries" },
    d.given_up ? [icon("alert"), h("b", null, String(d.given_up)), " not delivered"] : "Deliveries");
}

// drawLink says when there is no connection, and when the next try is.
export function drawLink(host, state, actions, now) {
  const l = state.link;
  if (state.session.state !== "signed_in" || l.state === "open" || (l.state === "connecting" && !l.attempt)) return render(host);
  if (l.state === "stopped") {
    return render(host, h("div", { class: "link-banner is-stopped", key: "link" }, icon("alert"), h("p", null, h("b", null, "The server ended this connection."), " ", l.message || "It will not be tried again by itself."),
      h("button", { class: "button small", on: { click: () => location.reload() } }, "Reload")));
  }
  const left = l.state === "waiting" ? Math.max(0, Math.ceil((l.retryAt - now) / 1000)) : 0;
  render(host, h("div", { class: "link-banner", key: "link" }, icon("offline"),
    h("p", null, h("b", null, "Connection lost."), " You can read and write on; nothing is lost. ", h("span", { class: "countdown", "aria-hidden": "true" }, left ? `Trying again in ${left} s` : "Connecting…")),
    h("button", { class: "button small", disabled: l.state !== "waiting", on: { click: () => actions.reconnect() } }, "Try now")));
}

export function drawSignIn(host, state, actions) {
  const s = state.session;
  if (s.state === "unknown") {
    return render(host, h("div", { class: "sign-in", key: "wait" }, s.error
      ? [h("p", { class: "form-error", role: "alert" }, icon("offline"), s.error), h("button", { class: "button", on: { click: () => actions.start() } }, "Try again")]
      : h("p", { class: "quiet", role: "status" }, "Opening your desk…")));
  }
  const form = tokenForm(s, actions, !s.provider);
  if (!s.provider) return render(host, form);
  render(host, h("div", { class: "sign-in", key: "provider" },
    h("p", { class: "wordmark is-large", "aria-hidden": "true" }, h("i", null, "a"), "side"),
    h("h1", null, "Sign in to your desk"),
    s.error && h("p", { class: "form-error", role: "alert" }, icon("alert"), s.error),
    h("a", { class: "button primary", href: s.provider }, "Sign in with your company account"),
    h("details", { class: "sign-in-token", key: "token" }, h("summary", null, icon("chevron"), "Use a token instead"), form)));
}

// tokenForm asks for a pasted token; alone on the page it is the whole sign-in.
function tokenForm(s, actions, alone) {
  return h("form", { class: "sign-in" + (alone ? "" : " is-inside"), key: "form", on: { submit: (e) => { e.preventDefault(); actions.signIn(new FormData(e.target).get("token").trim()); } } },
    alone && h("p", { class: "wordmark is-large", "aria-hidden": "true" }, h("i", null, "a"), "side"),
    alone && h("h1", null, "Sign in to your desk"),
    h("p", null, "Paste a token for an agent. On the server’s machine, this makes one:"),
    h("pre", { class: "command", tabindex: "0" }, "aside token --role agent"),
    h("label", { for: "token" }, "Token"),
    h("input", { id: "token", name: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "token-note" }),
    alone && s.error && h("p", { class: "form-error", role: "alert" }, icon("alert"), s.error),
    h("p", { id: "token-note", class: "quiet" }, "It is kept until this tab is closed, and only in it."),
    h("button", { class: alone ? "button primary" : "button", type: "submit" }, "Sign in"));
}
