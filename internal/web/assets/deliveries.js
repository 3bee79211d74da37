// What goes out to chat tools: its state, why it failed, and a button that sends it
// anew.

import { h, render } from "./dom.js";
import * as memory from "./memory.js";

const EVERY_MS = 3000;
const STATES = [["", "All"], ["dead", "Given up"], ["pending", "Waiting"], ["sent", "Sent"], ["skipped", "Not needed"]];
const NAMES = { dead: "given up", pending: "waiting", sent: "sent", skipped: "not needed" };
const host = document.getElementById("app");
const view = { state: "", list: null, trouble: "", busy: new Set() };

async function token() {
  const kept = memory.token.get();
  if (kept) return kept;
  const res = await fetch("/v1/session", { headers: { Accept: "application/json" }, cache: "no-store" });
  return res.ok ? (await res.json()).token : "";
}

async function ask(path, method = "GET") {
  const t = await token();
  if (!t) throw new Error("Sign in at the console first, then open this page in the same tab.");
  const res = await fetch(path, { method, headers: { Authorization: "Bearer " + t, Accept: "application/json" }, cache: "no-store" });
  const body = await res.json().catch(() => ({}));
  if (!res.ok) throw new Error(body.detail || "The server answered " + res.status + ".");
  return body;
}

async function load() {
  const state = view.state;
  try {
    const { deliveries } = await ask("/v1/deliveries" + (state && "?state=" + state));
    if (state !== view.state) return;
    view.list = deliveries;
    view.trouble = "";
  } catch (e) {
    view.trouble = e instanceof TypeError ? "The server cannot be reached." : e.message;
  }
  draw();
}

async function replay(id) {
  view.busy.add(id);
  draw();
  try {
    await ask("/v1/deliveries/" + encodeURIComponent(id) + "/replay", "POST");
    view.trouble = "";
  } catch (e) {
    view.trouble = e.message;
  }
  view.busy.delete(id);
  await load();
}

function when(t) {
  return t && h("time", { datetime: t }, new Date(t).toLocaleString());
}

function row(d) {
  // What a customer read is not said twice.
  const again = d.state !== "pending" && !(d.tool !== "generic" && d.kind === "reply") && !(d.kind === "answer" && d.state === "sent");
  return h("tr", { key: d.id, "data-id": d.id },
    h("td", null, h("span", { class: "state", "data-state": d.state }, NAMES[d.state] ?? d.state),
      d.error && h("div", { class: "why" }, d.error)),
    h("td", null, d.tool, " · ", d.kind, h("div", { class: "why" }, d.conversation)),
    h("td", null, when(d.created_at)),
    h("td", null, d.attempts + (d.attempts === 1 ? " try" : " tries"), h("div", null, d.state === "pending" && ["next ", when(d.next_at)])),
    h("td", null, again && h("button", { type: "button", disabled: view.busy.has(d.id), on: { click: () => replay(d.id) }, "aria-label": "Send again: " + d.kind + " of " + d.conversation }, "Send again")));
}

function draw() {
  const filters = STATES.map(([state, name]) => h("button", { key: state, type: "button", "aria-pressed": String(view.state === state), on: { click: () => { view.state = state; load(); draw(); } } }, name));
  render(host, h("main", null,
    h("header", null, h("h1", null, "Deliveries"), h("a", { href: "/" }, "Console"), h("nav", { "aria-label": "State" }, filters)),
    view.trouble && h("p", { class: "trouble", role: "alert" }, view.trouble),
    view.list?.length === 0 && h("p", { class: "empty" }, "Nothing here. What goes out to a connected chat tool is listed for a week, what was given up for 30 days."),
    view.list?.length > 0 && h("table", null,
      h("thead", null, h("tr", null, ["State", "What", "Made", "Tries", ""].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", null, view.list.map(row)))));
}

draw();
load();
setInterval(load, EVERY_MS);
