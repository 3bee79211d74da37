// The look of the open chat. In a sheet made by script, because a host page's
// policy may forbid styles; in pixels, because the host page owns the rem. Names
// that begin with --aside- belong to the host page and are documented in README.md.

export const CSS = `
*, ::before, ::after { box-sizing: border-box; }
.root {
  font: 400 15px/1.5 var(--aside-font, -apple-system, BlinkMacSystemFont, "Segoe UI Variable Text", "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", system-ui, sans-serif);
  -webkit-font-smoothing: antialiased; -webkit-text-size-adjust: 100%; text-align: start;
  --paper: var(--aside-paper, #faf7f1); --raised: var(--aside-raised, #fffefb); --ink: var(--aside-ink, #211f1a);
  --ink-2: #58534a; --ink-3: #6b6559; --line: #e6dfd2; --line-strong: #cbc2b1; --soft: #e8efe3; --stop: #a02e20; --stop-soft: #fae5df; --check: #7a4a00; --check-soft: #fbecce;
  --radius: var(--aside-radius, 18px);
  color: var(--ink);
}
@media (prefers-color-scheme: dark) { :host(:not([theme="light"])) .root {
  --paper: var(--aside-paper-dark, #1a1916); --raised: var(--aside-raised-dark, #25241f); --ink: var(--aside-ink-dark, #ece8de);
  --ink-2: #b4aea0; --ink-3: #a09a8c; --line: #35332c; --line-strong: #4d4a40; --soft: #243329; --stop: #f29a87; --stop-soft: #3a211c; --check: #ebb75e; --check-soft: #332914;
} }
:host([theme="dark"]) .root {
  --paper: var(--aside-paper-dark, #1a1916); --raised: var(--aside-raised-dark, #25241f); --ink: var(--aside-ink-dark, #ece8de);
  --ink-2: #b4aea0; --ink-3: #a09a8c; --line: #35332c; --line-strong: #4d4a40; --soft: #243329; --stop: #f29a87; --stop-soft: #3a211c; --check: #ebb75e; --check-soft: #332914;
}
[hidden] { display: none !important; }
h2, p, ul { margin: 0; padding: 0; font: inherit; }
ul { list-style: none; }
button, textarea { font: inherit; color: inherit; letter-spacing: inherit; }
button { background: none; border: 0; padding: 0; margin: 0; cursor: pointer; text-align: start; touch-action: manipulation; -webkit-tap-highlight-color: transparent; }
a { color: inherit; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.sr { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.icon { inline-size: 1em; block-size: 1em; flex: none; fill: none; stroke: currentcolor; stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round; }
.words { unicode-bidi: plaintext; text-align: match-parent; }

.launch .count { position: absolute; inset-block-start: -3px; inset-inline-end: -3px; min-inline-size: 22px; block-size: 22px; padding-inline: 6px; border-radius: 11px; background: #b3261e; color: #fff; font: 600 12px/22px var(--aside-font, system-ui, sans-serif); text-align: center; box-shadow: 0 0 0 2px #fff; }

.panel {
  position: fixed; display: grid; grid-template: auto auto minmax(0, 1fr) auto auto / minmax(0, 1fr); overflow: hidden;
  inset-block-end: calc(var(--aside-bottom, 20px) + 70px + env(safe-area-inset-bottom, 0px)); inset-inline-end: var(--aside-edge, 20px);
  inline-size: min(var(--aside-width, 392px), calc(100vw - 2 * var(--aside-edge, 20px)));
  block-size: min(var(--aside-height, 640px), calc(100vh - var(--aside-bottom, 20px) - 90px));
  background: var(--paper); border: 1px solid var(--line); border-radius: var(--radius);
  box-shadow: 0 2px 6px rgb(30 26 14 / 8%), 0 18px 60px rgb(30 26 14 / 20%);
}
@supports (height: 100dvh) { .panel { block-size: min(var(--aside-height, 640px), calc(100dvh - var(--aside-bottom, 20px) - 90px)); } }
[data-side="start"] .panel { inset-inline: var(--aside-edge, 20px) auto; }
.panel.opens { animation: rise 0.18s ease-out; }
@keyframes rise { from { opacity: 0; transform: translateY(10px); } }

.head { display: flex; align-items: center; gap: 12px; padding: 14px 10px 13px 18px; background: var(--raised); border-block-end: 1px solid var(--line); }
[dir="rtl"] .head { padding: 14px 18px 13px 10px; }
.face { position: relative; flex: none; display: grid; place-items: center; inline-size: 38px; block-size: 38px; border-radius: 12px; background: var(--soft); color: var(--accent); font-size: 21px; }
.face.is-person { border-radius: 50%; background: var(--accent); color: var(--accent-ink); font-size: 16px; font-weight: 600; }
.who { flex: 1; min-inline-size: 0; line-height: 1.3; }
.who h2 { font-weight: 650; font-size: 16px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; letter-spacing: -0.005em; }
.who p { font-size: 13px; color: var(--ink-2); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.round { display: grid; place-items: center; flex: none; inline-size: 40px; block-size: 40px; border-radius: 50%; color: var(--ink-2); font-size: 18px; }
.round:hover { background: var(--paper); color: var(--ink); }

.notice { display: flex; gap: 8px; align-items: baseline; padding: 8px 18px; font-size: 13px; line-height: 1.4; background: var(--check-soft); color: var(--ink); }
.notice .icon { color: var(--check); position: relative; inset-block-start: 2px; }

.scroll { overflow-y: auto; overscroll-behavior: contain; padding: 18px 16px 8px; outline-offset: -3px; scrollbar-width: thin; scrollbar-color: var(--line-strong) transparent; }
.log { display: flex; flex-direction: column; gap: 14px; }
.turn { display: flex; flex-direction: column; align-items: flex-start; max-inline-size: 88%; }
.turn.is-mine { align-self: flex-end; align-items: flex-end; }
.turn.follows { margin-block-start: -9px; }
.by { display: flex; align-items: center; gap: 5px; max-inline-size: 100%; font-size: 12px; color: var(--ink-3); padding-inline: 3px; margin-block-end: 4px; }
.by b { font-weight: 600; color: var(--ink-2); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.by .icon { font-size: 14px; color: var(--ink-2); }
.said { max-inline-size: 100%; padding: 9px 14px; border-radius: 16px; border: 1px solid var(--line); background: var(--raised); white-space: pre-wrap; overflow-wrap: anywhere; }
.turn-bot .said, .turn-agent .said { border-end-start-radius: 5px; }
.turn-agent .said { background: var(--soft); border-color: transparent; }
.is-mine .said { background: var(--accent); color: var(--accent-ink); border-color: transparent; border-end-end-radius: 5px; }
.is-mine.is-waiting .said { background: none; color: var(--ink); border: 1px dashed var(--accent); }
.is-mine.is-failed .said { background: var(--stop-soft); color: var(--ink); border-color: var(--stop); }
.foot { display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: center; font-size: 12px; color: var(--ink-3); padding: 3px 3px 0; }
.is-failed .foot { color: var(--stop); }
.foot .icon { vertical-align: -2px; }
.link { text-decoration: underline; text-underline-offset: 3px; padding-block: 3px; color: inherit; font-weight: 550; }
.sources { margin-block-start: 6px; display: flex; flex-direction: column; gap: 5px; inline-size: 100%; }
.sources ul { display: flex; flex-direction: column; gap: 6px; }
.sources > p { font-size: 12px; color: var(--ink-3); padding-inline: 3px; }
.source { display: flex; gap: 8px; align-items: center; padding: 7px 11px; border: 1px solid var(--line); border-radius: 10px; background: var(--raised); font-size: 13px; line-height: 1.35; text-decoration: none; color: var(--ink); }
a.source:hover { border-color: var(--accent); }
.source .icon { color: var(--accent); font-size: 15px; }
.source span { flex: 1; min-inline-size: 0; overflow-wrap: anywhere; }
.source i { font-style: normal; color: var(--ink-3); }
.event { display: flex; gap: 10px; padding: 11px 13px; border-radius: 12px; border: 1px solid var(--line); font-size: 13.5px; line-height: 1.45; color: var(--ink-2); }
.event .icon { font-size: 17px; margin-block-start: 1px; color: var(--accent); }
.event b { color: var(--ink); font-weight: 600; }
.event p + p { margin-block-start: 3px; }
.line { align-self: center; text-align: center; font-size: 12.5px; color: var(--ink-3); padding-inline: 8%; text-wrap: balance; overflow-wrap: anywhere; }
.day { align-self: center; font-size: 12px; color: var(--ink-3); }
.typing { min-block-size: 28px; padding: 7px 3px 0; display: flex; gap: 8px; align-items: center; font-size: 12.5px; color: var(--ink-3); }
.dots { display: inline-flex; gap: 3px; }
.dots i { inline-size: 5px; block-size: 5px; border-radius: 50%; background: currentcolor; animation: breathe 1.2s infinite; }
.dots i:nth-child(2) { animation-delay: 0.15s; } .dots i:nth-child(3) { animation-delay: 0.3s; }
@keyframes breathe { 50% { opacity: 0.25; } }

.desk { padding: 8px 16px 0; }
.person { display: flex; justify-content: center; align-items: center; gap: 8px; inline-size: 100%; padding: 8px 14px; border: 1px solid var(--line-strong); border-radius: 12px; background: none; font-size: 14px; font-weight: 550; color: var(--ink); }
button.person:hover { border-color: var(--accent); color: var(--accent); }
.person .icon { font-size: 17px; }
div.person { border-color: transparent; background: var(--soft); font-weight: 500; color: var(--ink); }
.again { display: flex; justify-content: center; align-items: center; inline-size: 100%; padding: 12px; border-radius: 12px; background: var(--accent); color: var(--accent-ink); font-weight: 600; margin-block: 8px calc(16px + env(safe-area-inset-bottom, 0px)); }

.write { padding: 10px 16px calc(14px + env(safe-area-inset-bottom, 0px)); }
.root:not(.is-phone) .write { padding-block-end: 14px; }
.box { display: flex; align-items: flex-end; gap: 6px; padding: 4px 4px 4px 14px; border: 1px solid var(--line-strong); border-radius: 22px; background: var(--raised); }
[dir="rtl"] .box { padding: 4px 14px 4px 4px; }
.box:focus-within { border-color: var(--accent); outline: 1px solid var(--accent); }
.box textarea { flex: 1; min-inline-size: 0; border: 0; outline: 0; background: none; resize: none; padding: 6px 0; margin: 0; max-block-size: 132px; block-size: 36px; line-height: 24px; font-size: 16px; }
.box textarea::placeholder { color: var(--ink-3); opacity: 1; }
.send { display: grid; place-items: center; flex: none; inline-size: 36px; block-size: 36px; border-radius: 50%; background: var(--accent); color: var(--accent-ink); font-size: 17px; }
.send[aria-disabled="true"] { background: var(--line); color: var(--ink-3); cursor: default; }
[dir="rtl"] .send .icon { scale: -1 1; }
.over { font-size: 12.5px; color: var(--stop); padding: 4px 14px 0; }

.is-phone.is-open .launch { display: none; }
.is-phone .panel { inset: auto 0 auto 0; inset-block-start: var(--_top, 0px); inline-size: 100vw; block-size: var(--_height, 100dvh); border: 0; border-radius: 0; box-shadow: none; }
.is-phone .head { padding-block-start: calc(12px + env(safe-area-inset-top, 0px)); }
.is-phone .panel { padding-inline: env(safe-area-inset-left, 0px) env(safe-area-inset-right, 0px); }
.is-phone .round { inline-size: 44px; block-size: 44px; }

:host([full]) .launch { display: none; }
:host([full]) .panel { inset: 0; inline-size: 100%; block-size: var(--_height, 100dvh); border: 0; border-radius: 0; box-shadow: none; }
:host([full]) .panel > * { inline-size: 100%; max-inline-size: 720px; justify-self: center; }
:host([full]) .head { border-radius: 0; background: none; }
:host([full]) .head .round { display: none; }

@media (prefers-reduced-motion: reduce) { .panel.opens, .dots i { animation: none; } }
@media (forced-colors: active) { .said, .source, .event, .person, .face, .launch, .send { border: 1px solid CanvasText; } }
`;
