// Every state of the console, drawn from fixtures without a server:
// /storybook lists them, ?state=NAME shows one, &theme=dark|light and
// &view=queue|chat|aside choose how.

import { h, render } from "./dom.js";
import { Desk } from "./desk.js";
import { NOW, stories } from "./fixtures/stories.js";

const params = new URLSearchParams(location.search);
const root = document.getElementById("app");
if (params.get("theme")) document.documentElement.dataset.theme = params.get("theme");

const story = stories.find((s) => s.name === params.get("state"));
if (story) show(story);
else {
  render(root, h("main", { class: "stories" }, h("h1", null, "Every state of the console"),
    h("ul", null, stories.map((s) => h("li", null, h("a", { href: "?state=" + s.name }, s.name), h("span", { class: "quiet" }, s.about))))));
}

function show(story) {
  sessionStorage.clear(); // what an earlier story typed
  const never = () => new Promise(() => {});
  const silent = {
    open() {}, typing() {}, reconnect() {}, start() {}, signIn() {}, signOut() {}, resend() {}, forget() {},
    send(id, text, suggestionID) { desk.dispatch({ type: "reply.queued", id, reply: { id: "c-story", text, suggestionID } }); },
    search: async () => story.search ?? [], request: never, take: never, giveBack: never, close: never,
    step: async () => {}, feedback: async () => {},
    check: async (id, text) => story.check?.(text) ?? [],
    suggestion: async () => story.stored ?? desk.state.chats[desk.state.open].suggestions[desk.state.chats[desk.state.open].shown],
  };
  const desk = new Desk(root, silent, () => NOW);
  for (const action of story.actions) desk.dispatch(action);
  if (params.get("view")) desk.dispatch({ type: "view", view: params.get("view") });
  const settled = () => {
    if (story.until && !document.querySelector(story.until)) return void requestAnimationFrame(settled);
    document.body.dataset.ready = story.name;
  };
  requestAnimationFrame(() => {
    story.then?.(desk);
    setTimeout(() => requestAnimationFrame(settled), 20); // a draw may wait for the next frame
  });
}
