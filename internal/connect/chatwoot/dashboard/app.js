// Aside as a dashboard app of Chatwoot: a tab of each conversation.
//
// Chatwoot says which conversation is open when it is asked, and signs nothing. So
// its word chooses what is shown and never who is looking: the agent signs in here,
// and the server checks that token for everything. Chatwoot takes no words into its
// composer; "Send as me" goes through Aside, with the agent's own token, on their
// click and no other way.

import "/panel.js";

const meta = document.querySelector('meta[name="chatwoot"]');
const CHATWOOT = meta.content, ACCOUNT = Number(meta.dataset.account);
const KEY = "aside.chatwoot.token";
const by = (id) => document.getElementById(id);

let conversation = "", suggestion = "", panel = null;
let token = remembered();

function remembered() {
  try { return sessionStorage.getItem(KEY) ?? ""; } catch { return ""; }
}

function remember(t) {
  token = t;
  try { t ? sessionStorage.setItem(KEY, t) : sessionStorage.removeItem(KEY); } catch { /* for this page's life then */ }
}

addEventListener("message", (e) => {
  if (e.source === parent && parent !== window && e.origin === CHATWOOT) return context(e.data);
  if (e.origin === location.origin && typeof e.data?.asideToken === "string") {
    remember(e.data.asideToken);
    draw();
  }
});

function context(data) {
  let said;
  try { said = typeof data === "string" ? JSON.parse(data) : null; } catch { return; }
  const id = said?.event === "appContext" ? said.data?.conversation?.id : null;
  if (!Number.isSafeInteger(id) || id <= 0) return;
  const next = `chatwoot-${ACCOUNT}-${id}`;
  if (next === conversation) return;
  conversation = next;
  suggestion = "";
  by("words").value = "";
  by("told").textContent = "";
  draw();
}

function draw() {
  by("wait").hidden = Boolean(conversation);
  by("door").hidden = !conversation || Boolean(token);
  by("desk").hidden = by("say").hidden = !conversation || !token;
  if (!conversation || !token) {
    panel?.remove();
    panel = null;
    return;
  }
  if (!panel) {
    panel = document.createElement("aside-panel");
    panel.addEventListener("aside:insert", insert);
    panel.addEventListener("aside:expired", (e) => {
      remember("");
      by("why").textContent = e.detail?.message || "Sign in again.";
      draw();
    });
    panel.setAttribute("token", token);
    panel.setAttribute("conversation", conversation);
    by("desk").append(panel);
    return;
  }
  if (panel.getAttribute("token") !== token) panel.setAttribute("token", token);
  if (panel.getAttribute("conversation") !== conversation) panel.setAttribute("conversation", conversation);
}

// insert puts a suggestion behind what the agent wrote, or in its place when the
// agent asked for that.
function insert(e) {
  e.preventDefault();
  const words = by("words");
  const own = words.value.trim();
  words.value = own && !e.detail.replace ? own + "\n" + e.detail.text : e.detail.text;
  suggestion = e.detail.suggestion_id ?? "";
  words.focus();
}

by("say").addEventListener("submit", async (e) => {
  e.preventDefault();
  const text = by("words").value.trim(), at = conversation, button = e.submitter;
  if (!text || !panel) return;
  if (button) button.disabled = true;
  by("told").textContent = "Sending…";
  try {
    await panel.send(text, suggestion);
    if (at === conversation) {
      by("words").value = suggestion = "";
      by("told").textContent = "Sent.";
    }
  } catch (err) {
    if (at === conversation) by("told").textContent = err.message;
  }
  if (button) button.disabled = false;
});

by("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(by("words").value);
    by("told").textContent = "Copied.";
  } catch {
    by("words").select(); // the browser forbids it in a frame: the keys still work
    by("told").textContent = "Press Ctrl+C.";
  }
});

by("signin").addEventListener("click", () => open("/connect/chatwoot/signin", "aside-signin", "popup,width=420,height=480"));
by("paste").addEventListener("submit", (e) => {
  e.preventDefault();
  remember(by("token").value.trim());
  by("token").value = "";
  draw();
});

draw();
if (parent !== window) parent.postMessage("chatwoot-dashboard-app:fetch-info", CHATWOOT);
