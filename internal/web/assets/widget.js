// The one script of a host page:
//
//   <script src="https://HOST/widget.js" async></script>
//
// It draws the button and nothing else. The chat itself is loaded when somebody
// reaches for the button, or when they have a conversation already. Options are
// attributes of the tag: data-identity (a token the host site signed), data-lang,
// data-theme (auto, light, dark), data-side (end, start), data-full (a page of its
// own). The look is changed by the CSS variables of README.md on <aside-chat>.
//
// A plain script: only those know their own tag.
(() => {
  const tag = document.currentScript;
  if (!tag?.src) return;
  const place = () => document.querySelector("aside-chat") ?? document.body.append(document.createElement("aside-chat"));
  if (customElements.get("aside-chat")) return void place(); // a page that changes its body without loading anew
  const server = new URL(tag.src).origin;
  const LABELS = { en: "Chat with us", de: "Chat mit uns", fr: "Discuter avec nous", es: "Chatea con nosotros", pt: "Converse connosco" };

  // language is that of the tag, else of the page, else of the visitor.
  function language() {
    const wishes = [tag.dataset.lang, document.documentElement.lang, ...navigator.languages];
    return wishes.map((w) => (w ?? "").slice(0, 2).toLowerCase()).find((w) => LABELS[w]) ?? "en";
  }

  // The host page's rules lose against !important of :host; the top layer (popover)
  // is above every z-index and outside every transform.
  const CSS = `
    :host { all: initial !important; position: fixed !important; inset: auto !important; inline-size: 0 !important; block-size: 0 !important; display: block !important; overflow: visible !important; z-index: 2147483647 !important; color-scheme: light dark !important; }
    :host([theme="light"]) { color-scheme: light !important; }
    :host([theme="dark"]) { color-scheme: dark !important; }
    .root { --accent: var(--aside-accent, #2c5a41); --accent-ink: var(--aside-accent-ink, #fdfbf6); }
    @media (prefers-color-scheme: dark) { :host(:not([theme="light"])) .root { --accent: var(--aside-accent-dark, var(--aside-accent, #9ccaa5)); --accent-ink: var(--aside-accent-ink-dark, var(--aside-accent-ink, #12201a)); } }
    :host([theme="dark"]) .root { --accent: var(--aside-accent-dark, var(--aside-accent, #9ccaa5)); --accent-ink: var(--aside-accent-ink-dark, var(--aside-accent-ink, #12201a)); }
    .launch { position: fixed; inset-block-end: calc(var(--aside-bottom, 20px) + env(safe-area-inset-bottom, 0px)); inset-inline-end: calc(var(--aside-edge, 20px) + env(safe-area-inset-right, 0px)); inline-size: 56px; block-size: 56px; border: 0; border-radius: 50%; margin: 0; padding: 0; display: grid; place-items: center; cursor: pointer; background: var(--accent); color: var(--accent-ink); box-shadow: 0 1px 3px rgb(20 20 10 / 20%), 0 6px 20px rgb(20 20 10 / 18%); transition: transform 0.15s ease; }
    [data-side="start"] .launch { inset-inline: calc(var(--aside-edge, 20px) + env(safe-area-inset-left, 0px)) auto; }
    .launch:hover { transform: translateY(-1px); }
    .launch:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
    .launch svg { inline-size: 26px; block-size: 26px; fill: none; stroke: currentcolor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
    @media (prefers-reduced-motion: reduce) { .launch { transition: none; } }
    @media print { :host { display: none !important; } }`;

  class AsideChat extends HTMLElement {
    #chat = null;
    #button = null;

    connectedCallback() {
      if (this.#button) return this.#raise();
      const { theme, side, full } = tag.dataset;
      if (theme === "light" || theme === "dark") this.setAttribute("theme", theme);
      if (full !== undefined) this.setAttribute("full", "");
      const shadow = this.attachShadow({ mode: "open" });
      const sheet = new CSSStyleSheet(); // a host page's policy may forbid style elements, not this
      sheet.replaceSync(CSS);
      shadow.adoptedStyleSheets = [sheet];
      const root = document.createElement("div");
      root.className = "root";
      root.dataset.side = side === "start" ? "start" : "end";
      root.lang = language();
      root.dir = getComputedStyle(document.documentElement).direction;
      this.#button = document.createElement("button");
      this.#button.type = "button";
      this.#button.className = "launch";
      this.#button.setAttribute("aria-label", LABELS[root.lang]);
      this.#button.setAttribute("aria-expanded", "false");
      this.#button.append(picture("M5 5.5h14a2 2 0 012 2v8a2 2 0 01-2 2h-7l-4.500 3.500v-3.500H5a2 2 0 01-2-2v-8a2 2 0 012-2zM8 10h8M8 13.500h5"));
      this.#button.onpointerenter = this.#button.onfocus = () => this.#load();
      this.#button.onclick = () => this.toggle();
      root.append(this.#button);
      shadow.append(root);
      // What is typed here is not for the host page's shortcuts.
      for (const event of ["keydown", "keyup", "keypress"]) shadow.addEventListener(event, (e) => e.stopPropagation());
      this.#raise();
      if (full !== undefined) this.open();
      else if (remembered()) this.#load();
    }

    open() { return this.#load().then((chat) => chat?.open()); }
    close() { return this.#load().then((chat) => chat?.close()); }
    toggle() { return this.#load().then((chat) => chat?.toggle()); }

    // identify tells who the customer is, once the page knows; "" when they have
    // signed out: the next person at this machine does not see their chat.
    identify(token) {
      tag.dataset.identity = token ?? "";
      return this.#chat?.then((chat) => chat?.identify(token ?? ""));
    }

    #load() {
      this.#chat ??= import(server + "/assets/widget/chat.js").then(
        ({ Chat }) => new Chat(this, { server, identity: tag.dataset.identity ?? "", lang: this.shadowRoot.querySelector(".root").lang, full: tag.dataset.full !== undefined }, this.standIn),
        (err) => {
          this.#chat = null; // the next click tries again
          console.warn("aside: the chat could not be loaded:", err.message);
        });
      return this.#chat;
    }

    #raise() {
      if (!this.showPopover) return;
      this.popover = "manual";
      try {
        this.showPopover();
      } catch {
        // not possible here: the z-index has to do
      }
    }
  }

  function picture(d) {
    const ns = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(ns, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(ns, "path");
    path.setAttribute("d", d);
    svg.append(path);
    return svg;
  }

  // remembered says that this browser has a conversation going.
  function remembered() {
    try {
      return localStorage.getItem("aside.chat." + server) !== null;
    } catch {
      return false;
    }
  }

  customElements.define("aside-chat", AsideChat);
  if (document.body) place();
  else addEventListener("DOMContentLoaded", place, { once: true });
})();
