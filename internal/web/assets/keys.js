// The keyboard: every action has a chord, all can be changed. The defaults are
// Alt with one character, away from the chords of browsers (Alt+D, E, F, Left,
// Right, Home) and of screen readers (Control+Alt, Insert, Caps Lock).

import { h, icon, render } from "./dom.js";
import * as memory from "./memory.js";

export const ACTIONS = [
  { id: "send", group: "Reply", label: "Send the reply", chord: "Mod+Enter" },
  { id: "insert", group: "Reply", label: "Insert the draft at the cursor", chord: "Alt+I" },
  { id: "accept", group: "Reply", label: "Insert the draft, in an empty reply box", chord: "Tab" },
  { id: "replace", group: "Reply", label: "Replace the reply with the draft", chord: "Alt+R" },
  { id: "own_words", group: "Reply", label: "Back to your own words", chord: "Alt+U" },
  { id: "focus_composer", group: "Reply", label: "Go to the reply box", chord: "Alt+C" },
  { id: "dismiss", group: "Aside", label: "Stop the draft, or fold it away", chord: "Escape" },
  { id: "option_1", group: "Aside", label: "First way policy allows", chord: "Alt+1" },
  { id: "option_2", group: "Aside", label: "Second way", chord: "Alt+2" },
  { id: "option_3", group: "Aside", label: "Third way", chord: "Alt+3" },
  { id: "newer", group: "Aside", label: "Show the newer suggestion", chord: "Alt+O" },
  { id: "focus_sources", group: "Aside", label: "Go to the sources", chord: "Alt+S" },
  { id: "focus_draft", group: "Aside", label: "Go to the draft, sentence by sentence", chord: "Alt+L" },
  { id: "focus_steps", group: "Aside", label: "Go to the next steps", chord: "Alt+N" },
  { id: "tick_step", group: "Aside", label: "Tick the current step", chord: "Alt+X" },
  { id: "skip_step", group: "Aside", label: "Skip the current step", chord: "Alt+Shift+X" },
  { id: "ask", group: "Aside", label: "Ask for a change of the draft", chord: "Alt+A" },
  { id: "search", group: "Aside", label: "Search your pages", chord: "Alt+H" },
  { id: "good", group: "Aside", label: "Good suggestion", chord: "Alt+G" },
  { id: "bad", group: "Aside", label: "Bad suggestion", chord: "Alt+B" },
  { id: "why", group: "Aside", label: "Why this?", chord: "Alt+W" },
  { id: "next_conversation", group: "Conversations", label: "Next conversation", chord: "Alt+J" },
  { id: "previous_conversation", group: "Conversations", label: "Previous conversation", chord: "Alt+K" },
  { id: "take", group: "Conversations", label: "Take the conversation", chord: "Alt+T" },
  { id: "give_back", group: "Conversations", label: "Give the conversation back to the queue…", chord: "Alt+Q" },
  { id: "close", group: "Conversations", label: "Close the conversation…", chord: "Alt+Z" },
  { id: "brief", group: "Conversations", label: "What happened before the hand-over", chord: "Alt+V" },
  { id: "latest", group: "Conversations", label: "Jump to the latest message", chord: "Alt+Y" },
  { id: "view", group: "Window", label: "Next pane, in a narrow window", chord: "Alt+P" },
  { id: "theme", group: "Window", label: "Light, dark, automatic", chord: "Alt+Shift+L" },
  { id: "help", group: "Window", label: "This list", chord: "?" },
];

const mac = navigator.platform.startsWith("Mac");

// chordOf names the keys of an event: "Alt+Shift+L". Letters and digits that
// Alt turns into other characters (as on a Mac) are taken from their place.
export function chordOf(e) {
  let key = e.key;
  if (e.altKey && !/^[ -~]$/.test(key) && /^(Key|Digit)./.test(e.code)) key = e.code.replace(/^(Key|Digit)/, "");
  if (["Alt", "Control", "Shift", "Meta"].includes(key)) return "";
  if (key.length === 1) key = key.toUpperCase();
  const parts = [];
  if (mac ? e.metaKey || e.ctrlKey : e.ctrlKey || e.metaKey) parts.push("Mod");
  if (e.altKey) parts.push("Alt");
  if (e.shiftKey && (key.length > 1 || /[A-Z]/.test(key))) parts.push("Shift");
  return [...parts, key === " " ? "Space" : key].join("+");
}

// pretty writes a chord as it stands on the keyboard.
export function pretty(chord) {
  const names = mac ? { Mod: "⌘", Alt: "⌥", Shift: "⇧" } : { Mod: "Ctrl" };
  return chord.split("+").map((k) => names[k] ?? { Escape: "Esc", Enter: "Enter" }[k] ?? k).join(" ");
}

export const ariaChord = (chord) => chord.replace("Mod", mac ? "Meta" : "Control");

export class Keys {
  #own = memory.keys.get();

  chord(id) {
    return this.#own[id] ?? ACTIONS.find((a) => a.id === id)?.chord ?? "";
  }

  // set gives an action another chord; it says whose chord that was, if taken.
  set(id, chord) {
    const taken = ACTIONS.find((a) => a.id !== id && this.chord(a.id) === chord);
    if (taken) return taken.label;
    this.#own = { ...this.#own, [id]: chord };
    memory.keys.set(this.#own);
    return "";
  }

  reset() {
    this.#own = {};
    memory.keys.set({});
  }

  // match is the action of a key event, "" when there is none. Chords without a
  // modifier are left alone while somebody types.
  match(e) {
    if (e.isComposing) return "";
    const chord = chordOf(e);
    if (!chord) return "";
    const typing = e.target.closest?.("input, textarea, select, [contenteditable]");
    const bare = chord.length === 1;
    if (bare && typing) return "";
    return ACTIONS.find((a) => this.chord(a.id) === chord)?.id ?? "";
  }
}

// KeysDialog lists the keys and lets the agent change them.
export class KeysDialog {
  #dialog; #keys; #changed; #editing = ""; #said = "";

  constructor(keys, changed) {
    this.#keys = keys;
    this.#changed = changed;
    this.#dialog = h("dialog", { class: "dialog keys-dialog", "aria-labelledby": "keys-title" });
    this.#dialog.onclose = () => { this.#editing = this.#said = ""; };
    this.#dialog.onkeydown = (e) => this.#capture(e);
    document.body.append(this.#dialog);
  }

  show() {
    this.#draw();
    this.#dialog.showModal();
  }

  #capture(e) {
    if (!this.#editing) return;
    const chord = chordOf(e);
    if (!chord) return;
    e.preventDefault();
    e.stopPropagation();
    if (chord !== "Escape" || this.#editing === "dismiss") {
      const taken = this.#keys.set(this.#editing, chord);
      this.#said = taken ? `${pretty(chord)} is already “${taken}”.` : "";
      if (taken) return this.#draw();
    }
    this.#editing = "";
    this.#draw();
    this.#changed();
  }

  #draw() {
    const groups = [...new Set(ACTIONS.map((a) => a.group))];
    render(this.#dialog,
      h("header", { class: "dialog-head" },
        h("h2", { id: "keys-title" }, "Keys"),
        h("button", { class: "icon-button", "aria-label": "Close", on: { click: () => this.#dialog.close() } }, icon("close"))),
      h("p", { class: "dialog-lead" }, "Press a key’s button, then the new keys. They are kept in this browser. On a sentence of the draft, Enter inserts just that one. In the next steps, arrows move, Space ticks and S skips."),
      h("p", { class: "dialog-said", role: "status" }, this.#said),
      h("div", { class: "keys-groups" }, groups.map((g) => h("section", { class: "keys-group", key: g },
        h("h3", null, g),
        h("ul", null, ACTIONS.filter((a) => a.group === g).map((a) => h("li", { key: a.id },
          h("span", null, a.label),
          h("button", {
            class: "key-button" + (this.#editing === a.id ? " is-editing" : ""),
            "aria-label": `${a.label}: ${pretty(this.#keys.chord(a.id))}. Change`,
            on: { click: () => { this.#editing = a.id; this.#said = ""; this.#draw(); } },
          }, this.#editing === a.id ? "press keys…" : pretty(this.#keys.chord(a.id))))))))),
      h("footer", { class: "dialog-foot" },
        h("button", { class: "button", on: { click: () => { this.#keys.reset(); this.#draw(); this.#changed(); } } }, "Restore all")));
  }
}
