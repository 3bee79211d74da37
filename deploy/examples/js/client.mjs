// A small client of Aside, for Node 22 and for pages of an origin that
// ASIDE_ORIGINS lists: it reports what a customer wrote, as a chat tool does, gives
// an agent the suggestion, and sends what the agent made of it. Take it as a start
// of your own.
//
//   export ASIDE_SERVER=http://127.0.0.1:7400
//   export ASIDE_SOURCE_TOKEN=$(aside token --role source)
//   export ASIDE_AGENT_TOKEN=$(aside token --role agent --name Ada)
//   node deploy/examples/js/client.mjs conv_1 "When do I get my refund?"

const KEPT = ["suggestion.ready", "suggestion.abstained", "suggestion.failed"];

export class Aside {
  #server; #token; #conversation; #ws = null; #waiting = new Map(); #last = 0; #stopped = false; #wait = 500;

  // onEvent gets every event of the conversation, the kept ones once and in order.
  constructor({ server, token, conversation, onEvent }) {
    this.#server = server;
    this.#token = token;
    this.#conversation = conversation;
    this.onEvent = onEvent;
  }

  connect() {
    const url = this.#server.replace(/^http/, "ws") + "/v1/ws";
    // A page cannot set headers on a WebSocket: there the token is a subprotocol.
    const page = typeof window !== "undefined";
    const ws = new WebSocket(url, page ? ["aside.v1", "bearer." + this.#token] : { protocols: ["aside.v1"], headers: { Authorization: "Bearer " + this.#token } });
    this.#ws = ws;
    ws.onmessage = (e) => this.#take(JSON.parse(e.data));
    ws.onclose = (e) => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the connection was lost: ask again, with the same id"));
      this.#waiting.clear();
      if (this.#stopped) return;
      if (e.code >= 4400) return this.onEvent({ type: "refused", data: { code: e.code, reason: e.reason } }); // these do not get better by trying
      setTimeout(() => this.connect(), this.#wait * (0.5 + Math.random() / 2));
      this.#wait = Math.min(15_000, this.#wait * 2);
    };
  }

  close() {
    this.#stopped = true;
    this.#ws?.close();
  }

  // ask sends a frame and gives its ack. The id makes it safe to repeat.
  ask(type, data, id = crypto.randomUUID()) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#ws.send(JSON.stringify({ type, id, conversation: this.#conversation, data }));
    });
  }

  // reply sends the agent's words to the customer: only when the agent said so.
  reply(text, suggestionID) { return this.ask("reply.send", { text, ...(suggestionID && { suggestion_id: suggestionID }) }); }

  #take(f) {
    if (f.type === "welcome") { // also after a lost connection: go on where we were
      this.#wait = 500;
      return this.ask("conversation.open", { after: this.#last }).catch((err) => this.onEvent({ type: "refused", data: { reason: err.message } }));
    }
    if (f.type === "ack" || f.type === "error") {
      const asked = this.#waiting.get(f.id);
      this.#waiting.delete(f.id);
      return f.type === "ack" ? asked?.resolve(f.data) : asked?.reject(new Error(f.error.message));
    }
    if (f.seq && f.seq <= this.#last) return; // a repeat
    if (f.seq) this.#last = f.seq;
    this.onEvent(f);
  }
}

// report tells Aside what the customer wrote. The same external_id is the same
// turn, however often it is sent.
export async function report({ server, token, conversation, text, externalID }) {
  const res = await fetch(`${server}/v1/conversations/${encodeURIComponent(conversation)}/turns`, {
    method: "POST",
    headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" },
    body: JSON.stringify({ role: "customer", text, external_id: externalID }),
  });
  const answer = await res.json();
  if (!res.ok) throw new Error(answer.detail);
  return answer.seq;
}

// suggestion is the one for the turn of seq, or for a later one.
export function suggestion(event, seq) {
  return KEPT.includes(event.type) && event.data.for_seq >= seq ? event.data : null;
}

// On the command line: the agent takes the draft as it is.
if (typeof process !== "undefined" && process.argv[1]?.endsWith("client.mjs")) {
  const { ASIDE_SERVER: server, ASIDE_SOURCE_TOKEN, ASIDE_AGENT_TOKEN } = process.env;
  const [conversation, text] = process.argv.slice(2);
  if (typeof WebSocket === "undefined") throw new Error(`Node 22 or newer is needed, this is ${process.version}`);
  const seq = await report({ server, token: ASIDE_SOURCE_TOKEN, conversation, text, externalID: "example-1" });
  const aside = new Aside({ server, token: ASIDE_AGENT_TOKEN, conversation, onEvent: async (event) => {
    const s = suggestion(event, seq);
    if (!s) return;
    for (const hit of s.hits ?? []) console.log(`${hit.title}: ${hit.quote}`);
    console.log("\n" + s.draft?.text);
    await aside.reply(s.draft?.text ?? "One moment, please.", s.id);
    console.log("\nsent");
    aside.close();
  } });
  aside.connect();
}
