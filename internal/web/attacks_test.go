package web_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit"

	"github.com/aside-project/aside/internal/testkit/chrome"
)

// attackTexts are strings that try to become HTML or script: a few of our own,
// and the recorded ones where a developer has them.
func attackTexts(t *testing.T) []string {
	texts := []string{
		`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `<svg/onload=alert(1)>`, `<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>`,
		`[x](javascript:alert(1))`, `![x](https://evil.example/p.png)`, `<a href="javascript:alert(1)">x</a>`, `"><b onmouseover=alert(1)>`, "\u202egnp.exe", `{{constructor.constructor('alert(1)')()}}`,
	}
	found := func() (dir string) { // the own ones are tried also where there is no data
		t.Run("data", func(t *testing.T) { dir = testkit.Dir(t) })
		return dir
	}()
	for _, name := range []string{"attacks-web", "attacks"} {
		f, err := os.Open(filepath.Join(found, "dev", name, "attacks.jsonl"))
		if found == "" || err != nil {
			continue
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for n := 0; lines.Scan() && n < 80; n++ {
			var l struct{ Text string }
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
				t.Fatal(err)
			}
			if len(l.Text) > 2000 {
				l.Text = l.Text[:2000]
			}
			texts = append(texts, l.Text)
		}
	}
	return texts
}

// TestAttacksStayText shows every attack as turn, name, title, passage, quote,
// draft, step and reason: nothing of it may become an element, run or load.
func TestAttacksStayText(t *testing.T) {
	texts := attackTexts(t)
	browser := chrome.Start(t)
	d := newDesk(t)
	d.customer = texts[1]
	tab := openDesk(t, browser, d)
	chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](`(() => {
		window.ran = [];
		for (const f of ["alert", "confirm", "prompt", "eval", "print"]) window[f] = () => window.ran.push(f);
		document.addEventListener("securitypolicyviolation", (e) => window.ran.push("policy: " + e.violatedDirective + " " + e.blockedURI));
	})()`))
	s := suggestion("s1", 1)
	s.Hits, s.Steps, s.Verdicts = nil, nil, nil
	var sentences []assist.Sentence
	for i, text := range texts[:min(len(texts), 40)] {
		id := fmt.Sprint("p", i)
		s.Hits = append(s.Hits, assist.Hit{Passage: assist.Passage{ID: id, DocumentID: text, Heading: text, Text: text}, Title: text, Audience: assist.AudiencePublic, URL: text, Quote: text})
		sentences = append(sentences, assist.Sentence{Text: text, Citations: []assist.Citation{{PassageID: id, Quote: text}}})
		s.Steps = append(s.Steps, assist.NextStep{ID: id, Kind: assist.StepDo, Text: text, State: assist.StepTodo, Policy: assist.PolicyRef{Title: text}})
		s.Verdicts = append(s.Verdicts, assist.Verdict{Check: "links", Outcome: assist.Block, Sentence: i, Words: text, Reason: text})
	}
	draft := assist.NewDraft(assist.OriginModel, sentences)
	s.Draft, s.Instant, s.Question.Text, s.Anticipates = &draft, &draft, texts[0], texts[1]
	s.Options[0].Title, s.Options[0].Cost = texts[1], texts[2]
	d.begin(s)
	d.emitKept("suggestion.ready", s)
	chrome.Run(t, tab, chrome.Eventually(`document.querySelectorAll(".source").length > 0 && document.querySelectorAll(".draft .cite").length >= 10`))
	for _, text := range texts {
		d.turn(assist.RoleCustomer, text)
	}
	chrome.Run(t, tab, chrome.Eventually(fmt.Sprintf(`document.querySelectorAll(".turn-customer").length > %d`, min(len(texts), 100)-1)))
	made := chrome.Ask[[]string](t, tab, `[...document.querySelectorAll("script:not([src]), img, iframe, object, embed, form[action], base, link[href^=http], svg script, [srcdoc]")].map((el) => el.outerHTML.slice(0, 120))
		.concat([...document.querySelectorAll("*")].filter((el) => [...el.attributes].some((a) => a.name.startsWith("on"))).map((el) => el.outerHTML.slice(0, 120)))
		.concat([...document.querySelectorAll("a[href]")].filter((a) => !/^https?:$/.test(a.protocol)).map((a) => a.outerHTML.slice(0, 120)))`)
	for _, m := range made {
		t.Errorf("an attack became an element: %s", m)
	}
	for _, r := range chrome.Ask[[]string](t, tab, `window.ran`) {
		t.Errorf("an attack ran: %s", r)
	}
	if n := chrome.Ask[int](t, tab, `document.querySelectorAll(".turn-customer").length`); n == 0 {
		t.Error("no turn was shown: is the test in its place?")
	}
}
