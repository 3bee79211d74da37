// Building and updating the page. Data becomes text nodes and attributes, never
// markup (a test holds that).

const SVG = "http://www.w3.org/2000/svg";

// h makes an element. Props: class, key (identity among siblings), on ({event:
// handler}), style (custom properties), value/checked/disabled and attributes.
// Children that are null, undefined or false are left out.
export function h(tag, props, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "key") el.__key = value;
    else if (name === "on") {
      el.__on = value;
      for (const event of Object.keys(value)) el["on" + event] = value[event];
    } else if (name === "style") {
      for (const [k, v] of Object.entries(value)) el.style.setProperty(k, v);
    } else if (name === "checked" || name === "value") {
      el[name] = value;
      el.__live = { ...el.__live, [name]: value };
    } else el.setAttribute(name, value === true ? "" : String(value));
  }
  append(el, children);
  return el;
}

function append(el, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    el.append(child instanceof Node ? child : String(child));
  }
}

// user marks text that people wrote: its direction is its own.
export function user(tag, props, ...children) {
  return h(tag, { dir: "auto", ...props }, ...children);
}

// render makes host's children equal to nodes, changing only what differs, so
// that focus, selection and scroll position stay where the agent left them. When
// what had the focus is gone, "focuslost" bubbles up to whoever has another place.
export function render(host, ...nodes) {
  const next = document.createDocumentFragment();
  append(next, nodes);
  const focused = host.getRootNode().activeElement;
  const inside = focused && focused !== host && host.contains(focused);
  children(host, next);
  if (inside && (!focused.isConnected || focused.disabled)) host.dispatchEvent(new Event("focuslost", { bubbles: true }));
}

// soon gives a function that draws once however many things changed: at once, but
// no more often than a screen shows. Opening a long chat is hundreds of events.
export function soon(draw) {
  const FRAME_MS = 16;
  let due = false, last = -Infinity;
  const now = () => {
    due = false;
    draw();
    last = performance.now();
  };
  return () => {
    if (due) return;
    due = true;
    if (performance.now() - last < FRAME_MS) setTimeout(now, FRAME_MS);
    else queueMicrotask(now);
  };
}

function same(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.__key === b.__key;
}

function children(host, next) {
  const wanted = new Set([...next.childNodes].map((c) => c.__key));
  const keyed = new Map();
  for (const c of [...host.childNodes]) {
    if (c.__key === undefined) continue;
    if (wanted.has(c.__key)) keyed.set(c.__key, c);
    else c.remove(); // first, so that what stays need not move: moving loses focus
  }
  let at = host.firstChild;
  for (const want of [...next.childNodes]) {
    let have = want.__key !== undefined ? keyed.get(want.__key) : at;
    if (!have || !same(have, want)) have = null;
    if (!have) {
      host.insertBefore(want, at);
      continue;
    }
    if (have === at) at = at.nextSibling;
    else if (host.moveBefore) host.moveBefore(have, at);
    else host.insertBefore(have, at);
    morph(have, want);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function morph(have, want) {
  if (have.nodeType !== Node.ELEMENT_NODE) {
    if (have.data !== want.data) have.data = want.data;
    return;
  }
  for (const { name } of [...have.attributes]) {
    if (!want.hasAttribute(name) && name !== "open") have.removeAttribute(name);
  }
  for (const { name, value } of want.attributes) {
    if (name !== "style" && have.getAttribute(name) !== value) have.setAttribute(name, value);
  }
  if (have.style && have.style.cssText !== want.style.cssText) have.style.cssText = want.style.cssText;
  for (const event of Object.keys(have.__on ?? {})) if (!want.__on?.[event]) have["on" + event] = null;
  for (const [event, fn] of Object.entries(want.__on ?? {})) have["on" + event] = fn;
  have.__on = want.__on;
  if (have.localName === "input" && have.type === "checkbox") have.checked = want.checked;
  else if (want.__live && "value" in want.__live && have.value !== want.value) have.value = want.value;
  if (!have.localName.includes("-")) children(have, want);
}

const PATHS = {
  check: "M3.5 8.5l3 3 6-7",
  alert: "M8 2.5l6 11H2zM8 6.5v3.2M8 11.6v.1",
  lock: "M4.5 7.5V5.4a3.5 3.5 0 017 0v2.1M3.5 7.5h9v6h-9z",
  globe: "M8 2.2a5.8 5.8 0 100 11.6A5.8 5.8 0 008 2.2zM2.4 8h11.2M8 2.2c3.4 3.6 3.4 8 0 11.6M8 2.2c-3.4 3.6-3.4 8 0 11.6",
  open: "M6.5 3.5h-3v9h9v-3M9.5 3h3.5v3.5M12.8 3.2L7.5 8.5",
  up: "M5.3 7.2L8 2.2c1.300 0 1.900.9 1.700 2.100L9.300 6.500h3.200c.800 0 1.300.700 1.100 1.500l-1 4.200c-.2.700-.7 1.100-1.400 1.100H5.300zM5.300 7.200v6.100H2.600V7.200z",
  down: "M10.700 8.800L8 13.800c-1.300 0-1.900-.9-1.700-2.100l.4-2.200H3.500c-.8 0-1.300-.7-1.100-1.500l1-4.200c.2-.7.7-1.100 1.400-1.100h5.900zM10.700 8.800V2.700h2.700v6.100z",
  undo: "M6 3.500L3 6.500l3 3M3.200 6.500h6a3.500 3.500 0 010 7H6.500",
  arrow: "M8 3v9.500M4 8.700l4 4 4-4",
  chevron: "M6 4l4 4-4 4",
  close: "M4 4l8 8M12 4l-8 8",
  offline: "M2 2l12 12M4.500 8.600A5 5 0 018 7.200M2.300 6.200a8 8 0 012.600-1.700M8.200 4a8 8 0 015.500 2.200M10.600 8.200l.9.600M8 11.800v.1",
  clock: "M8 2.200a5.800 5.800 0 100 11.600A5.800 5.800 0 008 2.200zM8 5v3.200l2.200 1.300",
  gear: "M2.500 4.500h6M11.500 4.500h2M10 3v3M2.500 11.500h2M7.500 11.500h6M6 10v3",
  search: "M7 2.500a4.500 4.500 0 100 9 4.500 4.500 0 000-9zM10.300 10.300l3.400 3.400",
  flag: "M4 14V2.500h7.500L10 5.500l1.500 3H4",
  send: "M2.500 8L13.500 3l-3 10-3-4zM7.500 9l3-3",
  pen: "M3 13l.7-3L11 2.700 13.300 5 6 12.300z",
  dot: "M8 6.200a1.800 1.800 0 100 3.600 1.800 1.800 0 000-3.600z",
  stop: "M4.500 4.500h7v7h-7z",
  pause: "M6 4v8M10 4v8",
  bot: "M4 6.500a1.500 1.500 0 011.500-1.500h5A1.500 1.500 0 0112 6.500v4a1.500 1.500 0 01-1.500 1.500h-5A1.500 1.500 0 014 10.500zM8 5V2.800M6.500 8v.6M9.500 8v.6M2.300 7.800v1.600M13.700 7.800v1.600",
  person: "M8 2.700a2.500 2.500 0 100 5 2.500 2.500 0 000-5zM3.300 13.300a4.700 4.700 0 019.400 0",
  page: "M4 2.500h5l3 3v8H4zM9 2.500v3h3M6 8.500h4M6 10.800h4",
  fold: "M4 6l4 4 4-4",
  up_arrow: "M8 13V3.500M4 7l4-4 4 4",
};

// icon draws a small line picture; the words beside it carry the meaning.
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon icon-" + name);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

// kbd shows a key as a small cap, hidden from screen readers (the button's own
// aria-keyshortcuts says it).
export function kbd(chord) {
  return chord ? h("kbd", { "aria-hidden": "true" }, chord) : null;
}

// safeHref lets only http and https through; anything else is no link.
export function safeHref(url) {
  if (!url) return "";
  try {
    const u = new URL(url);
    return u.protocol === "https:" || u.protocol === "http:" ? u.href : "";
  } catch {
    return "";
  }
}

// span turns a byte range of text, as the server counts, into string indices.
// Where the range does not hold the words, the first place that does is taken.
// It gives null when the words are nowhere.
export function span(text, startByte, endByte, words) {
  let bytes = 0, start = -1, end = -1, i = 0;
  for (const ch of text) {
    if (bytes === startByte) start = i;
    if (bytes === endByte) end = i;
    const c = ch.codePointAt(0);
    bytes += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    i += ch.length;
  }
  if (bytes === startByte) start = i;
  if (bytes === endByte) end = i;
  if (start >= 0 && end > start && (!words || text.slice(start, end) === words)) return [start, end];
  if (!words) return null;
  const found = text.indexOf(words);
  return found < 0 ? null : [found, found + words.length];
}

const timeOfDay = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const dayThisYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayOtherYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

export const clockTime = (at) => timeOfDay.format(new Date(at));

export function shortDate(at, now) {
  const d = new Date(at);
  return (d.getFullYear() === new Date(now).getFullYear() ? dayThisYear : dayOtherYear).format(d);
}

export function dayName(at, now) {
  const d = new Date(at), n = new Date(now);
  const midnight = (x) => new Date(x.getFullYear(), x.getMonth(), x.getDate()).getTime();
  const days = Math.round((midnight(n) - midnight(d)) / 864e5);
  return days === 0 ? "Today" : days === 1 ? "Yesterday" : weekday.format(d);
}

// waited says a duration as people read it on a clock: 0:14, 12:30, 2 h, 3 d.
export function waited(since, now) {
  const s = Math.max(0, Math.floor((now - new Date(since)) / 1000));
  if (s < 3600) return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
  return s < 86400 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}

export const plural = (n, one, many = one + "s") => `${n} ${n === 1 ? one : many}`;
export const millis = (ms) => (ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms)} ms`);
