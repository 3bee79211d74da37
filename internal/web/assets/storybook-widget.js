// Every state of the customer's chat, drawn from fixtures without a server:
// /storybook/widget lists them, ?state=NAME shows one, &theme=dark|light,
// &lang=de and &dir=rtl choose how.

import { h } from "./dom.js";
import { initial, reduce } from "./widget/state.js";
import { NOW, stories } from "./fixtures/widget.js";

const params = new URLSearchParams(location.search);
const story = stories.find((s) => s.name === params.get("state"));
if (params.get("dir")) document.documentElement.dir = params.get("dir");
document.querySelector(".widget-stories").append(...stories.map((s) => h("li", null, h("a", { href: "?state=" + s.name }, s.name), ": ", s.about)));
if (story) show(story);

function show(story) {
  const none = () => {};
  const talk = {
    state: story.actions.reduce(reduce, initial()), changed: none, remembered: true,
    start: none, typing: none, retry: none, fresh: async () => {}, identify: none, takeBack: () => "", person: () => talk.act({ type: "queued", item: { id: "p", type: "handoff.request" } }),
    say(text) { talk.act({ type: "queued", item: { id: "c-" + text.length, type: "turn.add", text } }); },
    seen() { talk.state = reduce(talk.state, { type: "seen" }); },
    act(action) { talk.state = reduce(talk.state, action); talk.changed(); },
  };
  const script = document.createElement("script");
  script.src = "/widget.js";
  script.dataset.lang = params.get("lang") ?? "en";
  if (params.get("theme")) script.dataset.theme = params.get("theme");
  script.onload = async () => {
    const chat = document.querySelector("aside-chat");
    chat.standIn = { talk, clock: () => NOW };
    await (story.closed ? chat.close() : chat.open());
    if (story.typed) {
      const box = chat.shadowRoot.querySelector("textarea");
      box.value = story.typed;
      box.dispatchEvent(new Event("input"));
    }
    requestAnimationFrame(() => requestAnimationFrame(() => (document.body.dataset.ready = story.name)));
  };
  document.head.append(script);
}
