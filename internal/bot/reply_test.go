package bot

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/llm"
)

// pages answers everything that mentions returns, and nothing else.
type pages struct{ runs int }

func (p *pages) Run(_ context.Context, m assist.Moment, _ assist.Watcher) assist.Suggestion {
	p.runs++
	if m.Audience != assist.AudiencePublic || m.Agent.Subject != "" {
		panic("the bot must read with a customer's eyes")
	}
	last := m.Turns[len(m.Turns)-1].Text
	h := assist.Hit{Passage: assist.Passage{ID: "p", DocumentID: "returns", Text: "Returns are free within 30 days."}, Title: "Returns", Kind: assist.KindFAQ, Section: "returns",
		Audience: assist.AudiencePublic, URL: "https://shop.example/returns"}
	text := h.Text
	evidence := 0.9
	switch low := strings.ToLower(last); {
	case strings.Contains(low, "exchange"):
		h.Text = "Exchanges are free within 60 days."
		text = h.Text
	case strings.Contains(low, "broken"):
		return assist.Suggestion{State: assist.SuggestionFailed}
	case strings.Contains(low, "perhaps"):
		evidence = 0.7
	case strings.Contains(low, "moon"):
		text = "Keep it for free forever."
	case !strings.Contains(low, "return"):
		return assist.Suggestion{State: assist.SuggestionAbstained}
	}
	d := assist.NewDraft(assist.OriginModel, []assist.Sentence{{Text: text, Citations: []assist.Citation{{PassageID: "p", Quote: text}}}})
	return assist.Suggestion{ID: "s", State: assist.SuggestionReady, Hits: []assist.Hit{h}, Evidence: evidence, Draft: &d}
}

type full string

func (f full) Count(context.Context, assist.Moment, Limits) (string, error) {
	if f == "down" {
		return "", errors.New("down")
	}
	return string(f), nil
}

// chat makes turns: c: is the customer, b: the bot.
func talk(lines ...string) assist.Moment {
	m := assist.Moment{Conversation: "c"}
	for i, l := range lines {
		t := assist.Turn{Seq: int64(i + 1), Role: assist.RoleCustomer, Text: l[3:]}
		if l[0] == 'b' {
			t.Role = assist.RoleBot
			t.Sources = []assist.Source{{Title: "Returns", URL: "https://shop.example/returns"}}
		}
		m.Turns = append(m.Turns, t)
	}
	return m
}

func TestReply(t *testing.T) {
	monday := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	answering := Settings{Mode: Answer, Name: "Wren", Limits: DefaultLimits}
	with := func(edit func(*Settings)) Settings { s := answering; edit(&s); return s }
	nightly, err := readHoursText("zone: Europe/Berlin\ndays: {tue: [\"09:00-17:00\"]}")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		set     Settings
		counter Counter
		m       assist.Moment
		code    assist.HandoffCode
		text    string // part of what the customer hears; "-": nothing
	}{
		{"answers", answering, nil, talk("c: How do I return it?"), "", "Returns are free within 30 days."},
		{"weak evidence", answering, nil, talk("c: Perhaps my boat can be returned?"), assist.HandoffNoEvidence, "can't answer that reliably"},
		{"a threshold of its own", with(func(s *Settings) { s.Threshold = 0.7 }), nil, talk("c: Perhaps my boat can be returned?"), "", "Returns are free"},
		{"a stricter one", with(func(s *Settings) { s.Threshold = 0.95 }), nil, talk("c: How do I return it?"), assist.HandoffNoEvidence, "can't answer that reliably"},
		{"no evidence", answering, nil, talk("c: Do you sell boats?"), assist.HandoffNoEvidence, "can't answer that reliably"},
		{"blocked", answering, nil, talk("c: What about the moon?"), assist.HandoffBlocked, "passing you to a person"},
		{"fault", answering, nil, talk("c: Something broken happened"), assist.HandoffFault, "passing you to a person"},
		{"a person", answering, nil, talk("c: can I talk to someone"), assist.HandoffAsked, "Of course"},
		{"a person, in German", answering, nil, talk("c: Ich möchte mit einem Menschen sprechen"), assist.HandoffAsked, "Natürlich"},
		{"a person, in Italian", answering, nil, talk("c: vorrei parlare con una persona"), assist.HandoffAsked, "Certo"},
		{"a person, in Dutch", answering, nil, talk("c: ik wil graag een medewerker spreken"), assist.HandoffAsked, "Natuurlijk"},
		{"upset", answering, nil, talk("c: This is ridiculous, how do I return it?"), assist.HandoffUpset, "sorry"},
		{"account", answering, nil, talk("c: Where is my order 123?"), assist.HandoffAccount, "look that up"},
		{"greeting", answering, nil, talk("c: Hello"), "", "I'm Wren, an automated assistant"},
		{"greeting again", answering, nil, talk("c: Hello", "b: Hello! I'm Wren, an automated assistant. Ask me anything, or say that you would like to talk to a person.", "c: hi"), "", "-"},
		{"thanks", answering, nil, talk("c: How do I return it?", "b: Returns are free within 30 days.", "c: thanks!"), "", "You're welcome!"},
		{"thanks, in German", answering, nil, talk("c: Danke"), "", "Gern geschehen!"},
		{"says it is a bot", answering, nil, talk("c: Are you a real person?"), "", "automated assistant, not a person"},
		{"the first rephrase", answering, nil, talk("c: exchange the jacket?", "b: Exchanges are free within 60 days.", "c: how long to return the jacket"), "", "Returns are free"},
		{"the second rephrase", answering, nil, talk("c: return the jacket how long", "b: A.", "c: how long return a jacket?", "b: B.", "c: jacket return, how long exactly?"), assist.HandoffRephrased, "passing you"},
		{"no help, twice", answering, nil, talk("c: return", "b: A.", "c: that's not what I asked, returns abroad", "b: B.", "c: you didn't answer, can I return from Spain"), assist.HandoffRephrased, "passing you"},
		{"the same answer", answering, nil, talk("c: How do I return it?", "b: Returns are free within 30 days.", "c: and returning shoes?"), assist.HandoffRephrased, "passing you"},
		{"enough said", with(func(s *Settings) { s.Limits.Conversation = 2 }), nil, talk("c: a boat", "b: x", "c: a car", "b: y", "c: how to return"), assist.HandoffLimit, "passing you"},
		{"the customer's limit", answering, full("customer"), talk("c: How do I return it?"), assist.HandoffLimit, "passing you"},
		{"limits unknown", answering, full("down"), talk("c: How do I return it?"), assist.HandoffFault, "passing you"},
		{"topic denied", with(func(s *Settings) { s.Topics.Deny.Collections = []string{"returns"} }), nil, talk("c: How do I return it?"), assist.HandoffTopic, "passing you"},
		{"topic not allowed", with(func(s *Settings) { s.Topics.Allow.Kinds = []assist.Kind{assist.KindPolicy} }), nil, talk("c: How do I return it?"), assist.HandoffTopic, "passing you"},
		{"topic allowed", with(func(s *Settings) { s.Topics.Allow.Documents = []string{"returns"} }), nil, talk("c: How do I return it?"), "", "Returns are free"},
		{"off", with(func(s *Settings) { s.Mode = Off }), nil, talk("c: How do I return it?"), assist.HandoffBotOff, "-"},
		{"off at night", with(func(s *Settings) { s.Mode, s.Hours = Off, nightly }), nil, talk("c: How do I return it?"), assist.HandoffHours, "away until Tuesday 2026-11-24 09:00 CET"},
		{"suggests", with(func(s *Settings) { s.Mode = Suggest }), nil, talk("c: How do I return it?"), assist.HandoffBotOff, "-"},
		{"answers at night", with(func(s *Settings) { s.Hours = nightly }), nil, talk("c: How do I return it?"), "", "Returns are free"},
		{"a person at night", with(func(s *Settings) { s.Hours = nightly }), nil, talk("c: agent please"), assist.HandoffAsked, "Leave your message here"},
		{"another language than it speaks", with(func(s *Settings) { s.Languages = []string{"de"} }), nil, talk("c: human please"), assist.HandoffAsked, "Natürlich"},
	} {
		b := New(Options{Suggester: &pages{}, Counter: tt.counter, Now: func() time.Time { return monday }})
		b.Configure(tt.set)
		got := b.Reply(t.Context(), tt.m)
		code := assist.HandoffCode("")
		if got.Handoff != nil {
			code = got.Handoff.Code
			if got.Handoff.Reason == "" || got.Handoff.From != assist.FromBot {
				t.Errorf("%s: %+v", tt.name, got.Handoff)
			}
		}
		if code != tt.code || !strings.Contains(got.Text, strings.TrimPrefix(tt.text, "-")) || tt.text == "-" && got.Text != "" {
			t.Errorf("%s: %q, code %q; want %q, code %q", tt.name, got.Text, code, tt.text, tt.code)
		}
	}
}

func readHoursText(text string) (*Hours, error) {
	s, err := Parse([]byte("mode: answer\nhours:\n  " + strings.ReplaceAll(text, "\n", "\n  ")))
	return s.Hours, err
}

func TestHandoverSaysWhatWasTried(t *testing.T) {
	b := New(Options{Suggester: &pages{}})
	b.Configure(Settings{Mode: Answer, Limits: DefaultLimits})
	got := b.Reply(t.Context(), talk("c: How do I return it?", "b: Returns are free within 30 days.", "c: And to the moon, by boat?", "b: No.", "c: let me talk to a human")).Handoff
	if got == nil || len(got.Tried) != 2 || !strings.Contains(got.Summary, "return it? · And to the moon") || strings.Contains(got.Summary, "human") {
		t.Errorf("%+v", got)
	}
	b.Configure(Settings{Mode: Suggest, Limits: DefaultLimits})
	if got := b.Reply(t.Context(), talk("c: How do I return it?")).Handoff; !strings.Contains(got.Summary, "would have answered: Returns are free") {
		t.Errorf("%+v", got)
	}
}

func TestParse(t *testing.T) {
	good := `mode: answer
name: Wren
languages: [de, en]
topics: {allow: {kinds: [faq]}, deny: {documents: [x]}}
hours:
  zone: America/New_York
  days: {monday: ["09:00-12:00", "13:00-17:30"], tue: ["00:00-24:00"]}
  closed: [2026-12-25]
limits: {day: 5}
threshold: 0.2
`
	s, err := Parse([]byte(good))
	if err != nil || s.Limits.Day != 5 || s.Limits.Customer != DefaultLimits.Customer || s.Threshold != 0.2 || len(s.Languages) != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
	for in, want := range map[string]string{
		"":                                    "line 1: the file is empty",
		"mode: maybe":                         "line 1: the mode must be off, suggest or answer",
		"name: x\nmod: answer":                "line 2",
		"mode: answer\nthreshold: 7":          "line 2: the threshold must be",
		"mode: answer\nlanguages: [xx]":       "line 2: the bot has no words in",
		"mode: answer\nlimits: {day: 0}":      "line 2: limits must be 1 or more",
		"mode: answer\nlimits:\n  dya: 3":     "line 3: limits: field dya not found",
		"mode: answer\ntopics: [a]":           "line 2: topics must be a table",
		"mode: answer\nhours: {zone: Berlin}": "line 2: hours: zone must be a time zone",
		"mode: answer\nhours: {zone: UTC, days: {mon: [\"9-5\"]}}":                              "must be from-to",
		"mode: answer\nhours: {zone: UTC, days: {}}":                                            "names no hours",
		"mode: answer\nhours: {zone: UTC, days: {mon: [\"09:00-17:00\"]}, closed: [christmas]}": "must be a date",
		"mode: answer\ntopics: {deny: {kinds: [poem]}}":                                         "is no kind of document",
	} {
		if _, err := Parse([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

func TestHours(t *testing.T) {
	h, err := readHoursText("zone: Europe/Berlin\ndays: {mon: [\"09:00-12:00\", \"13:00-17:00\"], sun: [\"10:00-11:00\"]}\nclosed: [2026-03-30]")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{
		"2026-11-23T10:00:00Z": "open", "2026-11-23T11:30:00Z": "2026-11-23T13:00:00+01:00", "2026-11-23T16:00:00Z": "2026-11-29T10:00:00+01:00",
		"2026-03-29T08:30:00Z": "open", // the clocks have changed that night
		"2026-03-29T09:30:00Z": "2026-04-05T10:00:00+02:00",
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		open, opens := h.Open(now)
		got := opens.Format(time.RFC3339)
		if open {
			got = "open"
		}
		if got != want {
			t.Errorf("at %s: %s, want %s", at, got, want)
		}
	}
	if open, _ := (*Hours)(nil).Open(time.Now()); !open {
		t.Error("without hours people are always there")
	}
}

// purse is a Purse in memory.
type purse struct{ reserved, spent int64 }

func (p *purse) ReserveTokens(_ context.Context, _ time.Time, n, most int64) (bool, error) {
	if p.spent+p.reserved+n > most {
		return false, nil
	}
	p.reserved += n
	return true, nil
}

func (p *purse) SettleTokens(_ context.Context, _ time.Time, reserved, spent int64) error {
	p.reserved, p.spent = p.reserved-reserved, p.spent+spent
	return nil
}

type fixedModel struct {
	out llm.Response
	err error
}

func (m fixedModel) Name() string { return "fixed" }
func (m fixedModel) Chat(context.Context, llm.Request, func(string)) (llm.Response, error) {
	return m.out, m.err
}

func TestMeter(t *testing.T) {
	ask := llm.Request{Messages: []llm.Message{{Role: "user", Content: strings.Repeat("x", 100)}}, MaxTokens: 50}
	for name, tt := range map[string]struct {
		model fixedModel
		spent int64
	}{
		"as reported":            {fixedModel{llm.Response{Text: "a", Prompt: 20, Completion: 5}, nil}, 25},
		"not reported: the most": {fixedModel{llm.Response{Text: "a"}, nil}, 214},
		"cut off: the most":      {fixedModel{llm.Response{Text: "a"}, llm.ErrCut}, 214},
		"down: nothing":          {fixedModel{llm.Response{}, llm.ErrDown}, 0},
		"stalled without a word": {fixedModel{llm.Response{}, llm.ErrStalled}, 214},
	} {
		p := &purse{}
		m := Meter{Model: tt.model, Purse: p, Most: func() int64 { return 1000 }, Now: time.Now}
		if _, err := m.Chat(t.Context(), ask, nil); !errors.Is(err, tt.model.err) || p.spent != tt.spent || p.reserved != 0 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	m := Meter{Model: fixedModel{}, Purse: &purse{spent: 900}, Most: func() int64 { return 1000 }, Now: time.Now}
	if _, err := m.Chat(t.Context(), ask, nil); !errors.Is(err, ErrSpent) {
		t.Error(err)
	}
}
