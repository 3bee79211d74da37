// What the browser remembers. Drafts, replies on their way and the token live as
// long as the tab; theme and keys stay. A browser that refuses storage costs
// only the remembering.

function read(storage, key, otherwise) {
  try {
    return JSON.parse(storage().getItem("aside." + key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(storage, key, value) {
  try {
    if (value === null) storage().removeItem("aside." + key);
    else storage().setItem("aside." + key, JSON.stringify(value));
  } catch {
    // full or forbidden: the value lives on in memory
  }
}

const tab = () => sessionStorage;
const browser = () => localStorage;

export const token = { get: () => read(tab, "token", ""), set: (t) => write(tab, "token", t || null) };

// A composer's contents: {text, suggestionID, own: [texts before each insert]}.
export const draft = {
  get: (conversation) => read(tab, "draft." + conversation, { text: "", suggestionID: "", own: [] }),
  set: (conversation, d) => write(tab, "draft." + conversation, d.text || d.own.length ? d : null),
};

// Replies not yet known to be stored: [{conversation, id, text, suggestionID}].
export const outbox = { get: () => read(tab, "outbox", []), set: (list) => write(tab, "outbox", list.length ? list : null) };

export const seen = { get: () => read(tab, "seen", {}), set: (s) => write(tab, "seen", s) };
export const open = { get: () => read(tab, "open", ""), set: (id) => write(tab, "open", id || null) };
export const keys = { get: () => read(browser, "keys", {}), set: (k) => write(browser, "keys", k) };
export const theme = { get: () => read(browser, "theme", "auto"), set: (t) => write(browser, "theme", t) };
