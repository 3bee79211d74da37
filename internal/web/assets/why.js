// "Why this?": the stored suggestion, everything behind it.

import { h, icon, millis, plural, render, user } from "./dom.js";
import { sourceName, spelled } from "./select.js";

export class WhyDialog {
  #dialog = h("dialog", { class: "dialog why", "aria-labelledby": "why-title" });
  #asked = 0;

  // host is where the dialog stands: the page, or a shadow tree with our styles.
  constructor(host = document.body) {
    host.append(this.#dialog);
  }

  // show opens at once with what is known and fills in the rest when load
  // brings the stored suggestion.
  async show(known, load) {
    const asked = ++this.#asked;
    this.#draw(known, "loading");
    if (!this.#dialog.open) this.#dialog.showModal();
    try {
      const stored = await load(known.id);
      if (asked === this.#asked) this.#draw(stored, "");
    } catch (err) {
      if (asked === this.#asked) this.#draw(known, `The prompt could not be loaded: ${err.message}`);
    }
  }

  #draw(s, note) {
    render(this.#dialog,
      h("header", { class: "dialog-head" }, h("h2", { id: "why-title" }, "Why this?"),
        h("button", { class: "icon-button", "aria-label": "Close", on: { click: () => this.#dialog.close() } }, icon("close"))),
      h("div", { class: "dialog-body", tabindex: "0", role: "region", "aria-label": "Details" },
        part("What was asked", user("p", { class: "why-question" }, s.question?.text || "–"), s.instruction && h("p", { class: "quiet" }, "with the request: ", user("bdi", null, s.instruction))),
        (s.question?.terms ?? []).length > 0 && part("What was looked for", terms(s.question)),
        part(`What was found (${plural((s.hits ?? []).length, "passage")})`, hits(s.hits ?? []), s.evidence > 0 && h("p", { class: "quiet" }, `evidence ${s.evidence.toFixed(2)} of 1: how sure it is that they answer`)),
        part("Checks", checks(s)),
        s.timings && part("Time", timings(s.timings)),
        part("Prompt", s.prompt
          ? [h("p", { class: "quiet" }, `${s.prompt.name} · version ${s.prompt.version}`), s.prompt.text ? h("details", { class: "prompt" }, h("summary", null, icon("chevron"), "Show the whole prompt"), user("pre", { tabindex: "0" }, s.prompt.text)) : null]
          : h("p", { class: "quiet" }, "No model was asked.")),
        h("p", { class: "why-foot" }, [s.model && `model ${s.model}`, s.usage && `${s.usage.prompt} + ${s.usage.completion} tokens`, s.knowledge_version && `knowledge ${s.knowledge_version}`, `suggestion ${s.id}`].filter(Boolean).join(" · ")),
        note && h("p", { class: "quiet", role: "status" }, note === "loading" ? "Loading the rest…" : note)));
  }
}

const part = (title, ...body) => h("section", { class: "why-part", key: title.replace(/\d+/, "") }, h("h3", null, title), body);

function terms({ terms: list, text }) {
  const most = Math.max(...list.map((t) => t.weight), 1e-9);
  return h("ul", { class: "bars" }, list.slice(0, 12).map((t) => h("li", { key: t.text }, user("span", null, spelled(t.text, text)), bar(t.weight / most), h("span", { class: "num" }, t.weight.toFixed(2)))));
}

const bar = (share) => h("span", { class: "bar", "aria-hidden": "true" }, h("i", { style: { "inline-size": Math.round(share * 100) + "%" } }));

function hits(list) {
  if (!list.length) return h("p", { class: "quiet" }, "Nothing.");
  const rank = (n, score) => (n ? `${n}` + (score ? ` (${score.toFixed(2)})` : "") : "–");
  return h("div", { class: "table-scroll" }, h("table", null,
    h("thead", null, h("tr", null, ["", "Passage", "Words", "Meaning", "Score"].map((x) => h("th", { scope: "col" }, x || h("span", { class: "sr" }, "Number"))))),
    h("tbody", null, list.map((x, i) => h("tr", { key: x.passage_id }, h("td", { class: "num" }, String(i + 1)), h("td", null, user("span", null, sourceName(x)), x.audience !== "public" && h("span", { class: "tag is-internal" }, icon("lock"), "internal"), x.out_of_date && h("span", { class: "tag is-stale" }, icon("alert"), "out of date")),
      h("td", { class: "num" }, rank(x.ranks?.lexical, x.ranks?.lexical_score)), h("td", { class: "num" }, rank(x.ranks?.dense, x.ranks?.dense_score)), h("td", { class: "num" }, (x.score ?? 0).toFixed(3)))))));
}

function checks(s) {
  const list = s.verdicts ?? [];
  const pic = { pass: "check", warn: "alert", block: "stop" };
  return [
    list.length ? h("ul", { class: "checks" }, list.map((v, i) => h("li", { key: i, class: "is-" + v.outcome }, icon(pic[v.outcome] ?? "dot"), h("span", null, h("b", null, v.check), " ", v.words ? user("q", null, v.words) : null, " ", v.reason || (v.outcome === "pass" ? "passed" : v.outcome))))) : h("p", { class: "quiet" }, "Nothing to object to."),
    s.dropped ? h("p", { class: "quiet" }, `${plural(s.dropped, "citation")} did not hold and ${s.dropped === 1 ? "was" : "were"} dropped.`) : null,
  ];
}

function timings(t) {
  const rows = [["Sources", t.passages_ms], ["Instant draft", t.instant_ms], ["First word", t.first_token_ms], ["Ready", t.ready_ms]].filter(([, v]) => v);
  const most = Math.max(...rows.map(([, v]) => v), 1);
  return h("ul", { class: "bars" }, rows.map(([name, v]) => h("li", { key: name }, h("span", null, name), bar(v / most), h("span", { class: "num" }, millis(v)))));
}
