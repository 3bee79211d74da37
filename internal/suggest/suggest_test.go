package suggest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/llm"
)

const asked = "c: my jacket broke after one wear, can I get a refund for the defective jacket?"

const good = `{"abstain":null,"sentences":[{"text":"I'm sorry about your jacket.","citations":[]},
 {"text":"A product that fails in normal use within 90 days is refunded in full.","citations":[{"passage":%d,"quote":"is refunded in full"}]},
 {"text":"May I have your order number?","citations":[]}],"asks":"order number","anticipates":null,
 "next_steps":[{"kind":"do","text":"Check whether it was worn on the outside","passage":null}],
 "options":[]}`

// goodAnswer cites the passage about defective items by its number in the prompt.
func goodAnswer(r llm.Request) []string {
	n := 0
	for i, part := range strings.Split(r.Messages[1].Content, "\nPassage ") {
		if strings.Contains(part, "is refunded in full") {
			n = i
		}
	}
	return pieces(fmt.Sprintf(good, n), 5)
}

func pieces(s string, n int) (out []string) {
	for s != "" {
		k := min(n, len(s))
		out = append(out, s[:k])
		s = s[k:]
	}
	return out
}

func TestWritten(t *testing.T) {
	model := &llm.Script{Answer: goodAnswer}
	w := &watch{}
	got := suggester(t, shop(), model).Run(t.Context(), momentOf(asked), w)
	if got.State != assist.SuggestionReady || got.Draft.Origin != assist.OriginModel || got.Reason != "" {
		t.Fatalf("%s: %s", got.State, got.Reason)
	}
	want := "I'm sorry about your jacket. A product that fails in normal use within 90 days is refunded in full. May I have your order number?"
	if got.Draft.Text != want {
		t.Errorf("draft %q", got.Draft.Text)
	}
	if w.text.String() != want {
		t.Errorf("streamed %q", w.text.String())
	}
	if w.order() != "passages instant delta" || w.clash {
		t.Errorf("watcher was called %s, clash %v", w.order(), w.clash)
	}
	if got.Standing != assist.StandingReady || got.Dropped != 0 || len(got.Verdicts) != 0 {
		t.Errorf("standing %s, dropped %d, %v", got.Standing, got.Dropped, got.Verdicts)
	}
	if got.ID != "s1" || got.KnowledgeVersion != 7 || got.Model != "script" || got.Usage.Prompt == 0 || got.Usage.Completion == 0 || got.Timings.FirstToken == 0 {
		t.Errorf("%+v", got)
	}
	if got.Prompt == nil || got.Prompt.Name != "reply" || len(got.Prompt.Version) != 12 || !strings.Contains(got.Prompt.Text, "defective jacket") {
		t.Errorf("prompt %+v", got.Prompt)
	}
	if n := len(got.Steps); n != 4 {
		t.Errorf("%d steps: %+v", n, got.Steps)
	}
	if got.Instant == nil || got.Instant.Origin != assist.OriginKnowledge {
		t.Error("the instant draft is gone")
	}
	if w.passages.Instant != nil || len(w.passages.Hits) == 0 || w.instant.Instant == nil || len(w.instant.Steps) == 0 {
		t.Errorf("the watcher saw %+v, then %+v", w.passages, w.instant)
	}
	r := model.Requests()[0]
	if r.Key != "conv_1" || r.SchemaName != "reply" || !json.Valid(r.Schema) || r.MaxTokens == 0 {
		t.Errorf("request %+v", r)
	}
	for _, h := range got.Hits {
		if strings.Contains(r.Messages[1].Content, h.ID) {
			t.Errorf("the model is told the id %s", h.ID)
		}
	}
	hold(t, got)
}

func TestNoModel(t *testing.T) {
	m := momentOf(asked)
	w := &watch{}
	got := suggester(t, shop(), nil).Run(t.Context(), m, w)
	if got.State != assist.SuggestionReady || got.Reason != "" || got.Model != "" || got.Draft == nil || w.order() != "passages instant" {
		t.Errorf("%s %q %q %s", got.State, got.Reason, got.Model, w.order())
	}
	m.SkipModel = "The budget of the day is spent."
	model := &llm.Script{Answer: goodAnswer}
	got = suggester(t, shop(), model).Run(t.Context(), m, &watch{})
	if got.State != assist.SuggestionReady || got.Reason != m.SkipModel || len(model.Requests()) != 0 {
		t.Errorf("%s %q, %d calls", got.State, got.Reason, len(model.Requests()))
	}
}

func TestQuiet(t *testing.T) {
	for _, text := range []string{"c: hello", "c: thanks!", "c: one moment please"} {
		w := &watch{}
		model := &llm.Script{}
		got := suggester(t, shop(), model).Run(t.Context(), momentOf(text), w)
		if got.Question.Quiet == "" || w.order() != "" || len(model.Requests()) != 0 {
			t.Errorf("%q: %+v, watcher %s", text, got, w.order())
		}
	}
}

func TestInstruction(t *testing.T) {
	m := momentOf(asked, "c: thanks")
	m.Instruction = "offer the refund, shorter"
	model := &llm.Script{Answer: goodAnswer}
	got := suggester(t, shop(), model).Run(t.Context(), m, &watch{})
	if got.State != assist.SuggestionReady || got.Instruction != m.Instruction || got.Question.Quiet != "" {
		t.Fatalf("%s %+v", got.State, got.Question)
	}
	if !strings.Contains(model.Requests()[0].Messages[1].Content, m.Instruction) {
		t.Error("the model is not told what the agent asked for")
	}
}

func TestAbstain(t *testing.T) {
	model := &llm.Script{Answer: goodAnswer}
	w := &watch{}
	got := suggester(t, shop(), model).Run(t.Context(), momentOf("c: do you sponsor mountaineering expeditions?"), w)
	if got.State != assist.SuggestionAbstained || got.Standing != assist.StandingNoSource || got.Draft != nil || len(model.Requests()) != 0 || w.order() != "passages" {
		t.Errorf("%s %s, %d calls, watcher %s", got.State, got.Standing, len(model.Requests()), w.order())
	}
	model = &llm.Script{Deltas: []string{`{"abstain":"No passage says how long boots last.","sentences":[]}`}}
	got = suggester(t, shop(), model).Run(t.Context(), momentOf(asked), &watch{})
	if got.State != assist.SuggestionAbstained || !strings.Contains(got.Reason, "how long boots last") || len(got.Hits) == 0 || got.Draft != nil {
		t.Errorf("%s %q", got.State, got.Reason)
	}
}

func TestFailures(t *testing.T) {
	whole := func(s string) []string { return []string{s} }
	tests := map[string]struct {
		model *llm.Script
		want  string
	}{
		"cut":                            {&llm.Script{Deltas: whole(`{"sentences":[{"text":"You get`), Err: fmt.Errorf("read: %w", llm.ErrCut)}, "was cut off"},
		"no token":                       {&llm.Script{Err: llm.ErrFirstToken}, "did not start to answer in time"},
		"stalled":                        {&llm.Script{Err: llm.ErrStalled}, "stopped in the middle"},
		"rate":                           {&llm.Script{Err: llm.ErrRateLimited}, "asks to slow down"},
		"down":                           {&llm.Script{Err: llm.ErrDown}, "does not answer"},
		"rejected":                       {&llm.Script{Err: llm.ErrRejected}, "refused the request"},
		"not a model":                    {&llm.Script{Err: llm.ErrNotAModel}, "is not a model's server"},
		"too long":                       {&llm.Script{Err: llm.ErrTooLong}, "longer than allowed"},
		"unknown":                        {&llm.Script{Err: errors.New("disk on fire at 10.0.0.7")}, "could not write a draft"},
		"empty":                          {&llm.Script{}, "could not be read"},
		"no sentences":                   {&llm.Script{Deltas: whole(`{"sentences":[]}`)}, "could not be read"},
		"other schema":                   {&llm.Script{Deltas: whole(`{"answer":"yes"}`)}, "could not be read"},
		"text, though JSON was promised": {&llm.Script{Deltas: whole(`You get a refund.`)}, "could not be read"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := suggester(t, shop(), tt.model).Run(t.Context(), momentOf(asked), &watch{})
			if got.State != assist.SuggestionFailed || !strings.Contains(got.Reason, tt.want) || strings.Contains(got.Reason, "10.0.0.7") {
				t.Errorf("%s: %s", got.State, got.Reason)
			}
			if got.Draft == nil || got.Draft.Origin != assist.OriginKnowledge || len(got.Hits) == 0 || len(got.Steps) == 0 {
				t.Error("passages, steps or instant draft are gone")
			}
			if d := cmp.Diff(got.Instant, got.Draft); d != "" {
				t.Errorf("the draft is not the instant one:\n%s", d)
			}
		})
	}
}

func TestSearchFails(t *testing.T) {
	k := shop()
	k.err = errors.New("connection refused 10.0.0.7")
	got := suggester(t, k, nil).Run(t.Context(), momentOf(asked), &watch{})
	if got.State != assist.SuggestionFailed || strings.Contains(got.Reason, "10.0.0.7") || got.Reason == "" {
		t.Errorf("%s %q", got.State, got.Reason)
	}
}

func TestMended(t *testing.T) {
	const one = `{"sentences":[{"text":"Hello.","citations":[]}]}`
	tests := map[string]struct {
		answer string
		format llm.Format
		want   string
	}{
		"plain":          {one, llm.FormatSchema, "Hello."},
		"code fence":     {"```json\n" + one + "\n```", llm.FormatObject, "Hello."},
		"words around":   {"Here it is: " + one + " Enjoy!", llm.FormatObject, "Hello."},
		"commas":         {`{"sentences":[{"text":"Hello.","citations":[],},],}`, llm.FormatObject, "Hello."},
		"end is missing": {`{"sentences":[{"text":"Hello.","citations":[]},{"text":"You get a`, llm.FormatObject, "Hello."},
		"text":           {"Hello there. Thank you [1].", llm.FormatText, "Hello there. Thank you."},
		"json as text":   {one, llm.FormatText, "Hello."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			model := &llm.Script{Deltas: pieces(tt.answer, 3), Format: tt.format}
			got := suggester(t, shop(), model).Run(t.Context(), momentOf(asked), &watch{})
			if got.State != assist.SuggestionReady || got.Draft.Text != tt.want {
				t.Errorf("%s (%s): %q", got.State, got.Reason, got.Draft.Text)
			}
		})
	}
}

func TestTextAnswerCites(t *testing.T) {
	model := &llm.Script{Format: llm.FormatText, Answer: func(r llm.Request) []string {
		return []string{"A product that fails in normal use within 90 days is refunded in full [1][2][3]. We also pay $500 [1]."}
	}}
	w := &watch{}
	got := suggester(t, shop(), model).Run(t.Context(), momentOf(asked), w)
	if got.State != assist.SuggestionReady || len(got.Draft.Sentences) != 2 || len(got.Draft.Sentences[0].Citations) == 0 {
		t.Fatalf("%s %+v", got.State, got.Draft)
	}
	if got.Standing != assist.StandingCheck || strings.Contains(w.text.String(), "[") {
		t.Errorf("standing %s, streamed %q", got.Standing, w.text.String())
	}
	hold(t, got)
}

// TestHostile: whatever the model does, no citation is false, no foreign link is
// in the draft or in the stream, and what is not proven is marked.
func TestHostile(t *testing.T) {
	honest := suggester(t, shop(), nil).Run(t.Context(), momentOf(asked), &watch{})
	for _, mood := range llm.Moods() {
		t.Run("mood "+string(mood), func(t *testing.T) {
			w := &watch{}
			got := suggester(t, shop(), llm.Hostile{Mood: mood}).Run(t.Context(), momentOf(asked), w)
			hold(t, got)
			if len(got.Hits) != len(honest.Hits) || got.Instant == nil || got.Instant.Text != honest.Instant.Text {
				t.Fatalf("passages or the instant draft are not those without a model: %+v", got.Instant)
			}
			if got.State != assist.SuggestionReady && got.State != assist.SuggestionFailed {
				t.Fatalf("state %s", got.State)
			}
			if got.Draft == nil || got.Instant == nil || len(got.Hits) == 0 || len(got.Steps) == 0 {
				t.Error("passages, steps or drafts are gone")
			}
			shown := w.text.String()
			for _, s := range got.Draft.Sentences {
				shown += "\n" + s.Text
			}
			for _, s := range got.Steps {
				shown += "\n" + s.Text
			}
			for _, o := range got.Options {
				shown += "\n" + o.Title + o.Detail + o.Cost + o.Authority
			}
			shown += "\n" + got.Anticipates
			for i, h := range got.Hits {
				if h.Title != honest.Hits[i].Title || h.Text != honest.Hits[i].Text {
					t.Errorf("hit %+v is not what the knowledge holds", h)
				}
			}
			for _, bad := range []string{"evil.example/", "](h", "](/", "![", "<img", "<b>", "\u202e", "\u2066", "\u2067", "\u200b", "\u200f", "\U000E0069", "passage 99"} {
				if strings.Contains(shown, bad) {
					t.Errorf("%q reaches the agent", bad)
				}
			}
			if got.State == assist.SuggestionReady && got.Draft.Origin == assist.OriginModel {
				marked := map[int]bool{}
				for _, v := range got.Verdicts {
					marked[v.Sentence] = true
				}
				for i, s := range got.Draft.Sentences {
					if !s.Courtesy && len(s.Citations) == 0 && !marked[i] {
						t.Errorf("not marked: %q", s.Text)
					}
				}
				if got.Standing == assist.StandingReady {
					t.Error("a hostile draft stands as ready")
				}
			}
		})
	}
}

func TestSupersede(t *testing.T) {
	newer := errors.New("a newer turn")
	t.Run("during the search", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		k := shop()
		k.during = func(ctx context.Context) { cancel(newer); <-ctx.Done() }
		w := &watch{}
		got := suggester(t, k, &llm.Script{}).Run(ctx, momentOf(asked), w)
		if got.State != assist.SuggestionSuperseded || w.order() != "" {
			t.Errorf("%s, watcher %s", got.State, w.order())
		}
	})
	t.Run("during the search for the instant draft", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		k, searches := shop(), 0
		k.during = func(context.Context) {
			if searches++; searches == 2 {
				cancel(newer)
			}
		}
		w := &watch{}
		got := suggester(t, k, nil).Run(ctx, momentOf("c: How long does a refund take? And what does shipping to Germany cost?"), w)
		if got.State != assist.SuggestionSuperseded || got.Instant != nil || w.order() != "passages" || searches != 2 {
			t.Errorf("%s after %d searches, watcher %s", got.State, searches, w.order())
		}
	})
	t.Run("during the hold", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			m := momentOf(asked)
			m.Hold = 1200 * time.Millisecond
			model := &llm.Script{Answer: goodAnswer}
			time.AfterFunc(time.Second, func() { cancel(newer) })
			start := time.Now()
			w := &watch{}
			got := suggester(t, shop(), model).Run(ctx, m, w)
			if took := time.Since(start); got.State != assist.SuggestionSuperseded || took != time.Second || len(model.Requests()) != 0 || w.order() != "passages instant" {
				t.Errorf("%s after %v, %d calls, watcher %s", got.State, took, len(model.Requests()), w.order())
			}
			if got.Instant == nil || len(got.Hits) == 0 {
				t.Error("what there was is gone")
			}
		})
	})
	t.Run("during the stream", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		shown := make(chan struct{})
		model := &llm.Script{Answer: goodAnswer, Before: func(ctx context.Context, i int) {
			if i == 20 { // there are words by then; the rest comes when they are shown
				<-shown
			}
		}}
		w := &watch{onDelta: func(n int) {
			switch n {
			case 1:
				close(shown)
			case 2:
				cancel(newer)
			}
		}}
		got := suggester(t, shop(), model).Run(ctx, momentOf(asked), w)
		if got.State != assist.SuggestionSuperseded || model.Running() != 0 || w.deltas != 2 {
			t.Errorf("%s, %d calls running, %d deltas", got.State, model.Running(), w.deltas)
		}
	})
	t.Run("while the model is silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			model := &llm.Script{Before: func(ctx context.Context, _ int) { <-ctx.Done() }}
			time.AfterFunc(3*time.Second, func() { cancel(newer) })
			start := time.Now()
			got := suggester(t, shop(), model).Run(ctx, momentOf(asked), &watch{})
			if took := time.Since(start); got.State != assist.SuggestionSuperseded || took != 3*time.Second || model.Running() != 0 {
				t.Errorf("%s after %v, %d calls running", got.State, took, model.Running())
			}
		})
	})
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := momentOf(asked)
		m.Hold = 1200 * time.Millisecond
		start := time.Now()
		got := suggester(t, shop(), &llm.Script{Answer: goodAnswer}).Run(t.Context(), m, &watch{})
		if took := time.Since(start); took != m.Hold || got.Draft.Origin != assist.OriginModel || got.Timings.FirstToken != 1200 {
			t.Errorf("took %v, first token after %v ms", took, got.Timings.FirstToken)
		}
	})
}

func TestFirstTokenTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := &llm.Script{Before: func(ctx context.Context, _ int) { <-ctx.Done() }}
		s := New(Options{Knowledge: shop(), Model: silent, Prompts: prompting(t), FirstTokenTimeout: 8 * time.Second})
		start := time.Now()
		got := s.Run(t.Context(), momentOf(asked), &watch{})
		if took := time.Since(start); took != 8*time.Second || got.State != assist.SuggestionFailed || !strings.Contains(got.Reason, "did not start") {
			t.Errorf("%s after %v: %s", got.State, took, got.Reason)
		}
		slow := &llm.Script{Answer: goodAnswer, Before: func(_ context.Context, i int) { time.Sleep(5 * time.Second) }}
		s = New(Options{Knowledge: shop(), Model: slow, Prompts: prompting(t), FirstTokenTimeout: 8 * time.Second})
		if got := s.Run(t.Context(), momentOf(asked), &watch{}); got.State != assist.SuggestionReady {
			t.Errorf("a slow model failed: %s", got.Reason)
		}
	})
}

// TestInstantFirst: the model is asked before the instant draft is out, and what
// it says waits for it.
func TestInstantFirst(t *testing.T) {
	started := make(chan struct{})
	model := &llm.Script{Answer: goodAnswer, Before: func(_ context.Context, i int) {
		if i == 3 {
			close(started)
		}
	}}
	w := &gate{watch: &watch{}, started: started}
	got := suggester(t, shop(), model).Run(t.Context(), momentOf(asked), w)
	if w.order() != "passages instant delta" || got.State != assist.SuggestionReady {
		t.Errorf("watcher was called %s, %s", w.order(), got.State)
	}
}

// gate holds the run at the instant draft until the model has begun to write.
type gate struct {
	*watch
	started chan struct{}
}

func (g *gate) Instant(s assist.Suggestion) { <-g.started; g.watch.Instant(s) }

func TestPublicEyes(t *testing.T) {
	m := momentOf(asked, "c: something broke, any store credit for customers, approval of a team lead?")
	m.Audience = ""
	model := &llm.Script{Answer: goodAnswer}
	got := suggester(t, shop(), model).Run(t.Context(), m, &watch{})
	for _, h := range got.Hits {
		if h.Audience != assist.AudiencePublic {
			t.Errorf("saw %s", h.ID)
		}
	}
	if len(got.Steps) > 1 { // the model's own
		t.Errorf("internal steps: %+v", got.Steps)
	}
	if text := model.Requests()[0].Messages[1].Content; strings.Contains(text, "$25") {
		t.Error("the model was told an internal passage")
	}
}

func TestLongChat(t *testing.T) {
	var lines []string
	for i := range 50 {
		lines = append(lines, fmt.Sprintf("c: message number %d about the jacket", i), fmt.Sprintf("a: answer number %d", i))
	}
	lines = append(lines, asked)
	model := &llm.Script{Answer: goodAnswer}
	suggester(t, shop(), model).Run(t.Context(), momentOf(lines...), &watch{})
	text := model.Requests()[0].Messages[1].Content
	if !strings.Contains(text, "(61 older turns are left out.)") || strings.Contains(text, "answer number 3\n") || !strings.Contains(text, "answer number 49\n") || !strings.Contains(text, "after one wear") {
		t.Errorf("the chat was not trimmed as it should be:\n%.600s", text[strings.Index(text, "# The chat"):])
	}
	huge, omitted := promptTurns(talk("c: "+strings.Repeat("word ", 5000), "c: "+strings.Repeat("late ", 5000), "c: "+strings.Repeat("last ", 5000), "c: "+strings.Repeat("now ", 5000)))
	if omitted != 2 || len(huge) != 2 || len(huge[1].Text) > maxPromptTurn+4 {
		t.Errorf("%d told, %d left out", len(huge), omitted)
	}
}

func TestOptions(t *testing.T) {
	var r reply
	err := json.Unmarshal([]byte(`{"options":[
	 {"title":"Refund","detail":"refunded in full","cost":"","authority":"you","passage":1},
	 {"title":"Express","detail":"one business day","cost":"$12","authority":"you","passage":2},
	 {"title":"Gift","detail":"costs $99","cost":"","authority":"you","passage":2},
	 {"title":"Other","detail":"","cost":"","authority":"","passage":9}],
	 "anticipates":"Express shipping takes one business day.",
	 "next_steps":[{"kind":"offer","text":"Offer express","passage":2},{"kind":"x","text":"offer EXPRESS","passage":0},{"kind":"do","text":"See evil.example/x","passage":1}]}`), &r)
	if err != nil {
		t.Fatal(err)
	}
	k := shop()
	hits := []assist.Hit{
		{Passage: k.docs[0].Passages[1], Title: "Returns", Audience: assist.AudiencePublic},
		{Passage: k.docs[2].Passages[0], Title: "Shipping", Audience: assist.AudiencePublic},
	}
	options := r.options(hits, "s1")
	if len(options) != 2 || options[1].Policy.PassageID != "shipping-a" || options[1].ID != "s1/option/2" {
		t.Errorf("options %+v", options)
	}
	if got := r.anticipates(hits, nil); got == "" {
		t.Error("a proven next answer is gone")
	}
	steps := r.steps(nil, hits, "s1")
	if len(steps) != 1 || steps[0].Kind != assist.StepOffer || !steps[0].Current || steps[0].Policy.Title != "Shipping" {
		t.Errorf("steps %+v", steps)
	}
}

func FuzzReply(f *testing.F) {
	f.Add(fmt.Sprintf(good, 1), 5)
	f.Add(`{"sentences":[{"text":"a\u00e9\ud83d\ude00 \"b\"","citations":[{"passage":1,"quote":"text"}]}],"text":"no"}`, 1)
	f.Add("```json\n{\"sentences\":[{\"text\":\"x\"", 2)
	f.Add("plain text [1].", 3)
	k := shop()
	hits := []assist.Hit{{Passage: k.docs[0].Passages[0], Audience: assist.AudiencePublic}}
	f.Fuzz(func(t *testing.T, answer string, n int) {
		n = max(1, min(n, 64))
		var whole, cut extractor
		a, okA := whole.write(answer)
		b, okB := "", true
		for _, p := range pieces(answer, n) {
			s, ok := cut.write(p)
			b += s
			okB = okB && ok
		}
		if okA != okB || okA && a != b {
			t.Fatalf("in one piece %q, in pieces of %d %q", a, n, b)
		}
		for _, format := range []llm.Format{llm.FormatSchema, llm.FormatText} {
			r, err := parseReply(answer, format)
			if err != nil {
				continue
			}
			r.draft(hits)
			r.steps(nil, hits, "s")
			r.options(hits, "s")
			r.anticipates(hits, nil)
		}
	})
}

func TestExtractor(t *testing.T) {
	tests := map[string]string{
		`{"abstain":null,"sentences":[{"text":"One.","citations":[{"passage":1,"quote":"no"}]},{"citations":[],"text":"Two."}],"asks":"no"}`: "One. Two.",
		` { "sentences" : [ { "text" : "a\u00e9\ud83d\ude00 \"b\"\n\\c" } ] , "text" : "no" } and more {"sentences":[{"text":"no"}]}`:        "aé😀 \"b\" \\c",
		"```json\n{\"sentences\":[{\"text\":\"x\"}]}\n```":                      "x",
		`{"x":{"sentences":[{"text":"no"}]},"sentences":[{"y":{"text":"no"}}]}`: "",
		`{"sentences":[{"text":"half a sen`:                                     "half a sen",
		`{"sentences":[{"text":"\ud83d!"}]}`:                                    "\uFFFD!",
		"Plain text, [1].":                                                      "Plain text, [1].",
		"[1, 2]":                                                                "[1, 2]",
	}
	for answer, want := range tests {
		for _, n := range []int{1, 2, 3, 1000} {
			var e extractor
			got := ""
			for _, p := range pieces(answer, n) {
				s, ok := e.write(p)
				if !ok {
					t.Fatal("too long")
				}
				got += s
			}
			if got != want {
				t.Errorf("pieces of %d: %q gives %q, want %q", n, answer, got, want)
			}
		}
	}
	var e extractor
	if _, ok := e.write(strings.Repeat("x", maxAnswer+1)); ok {
		t.Error("a flood was taken")
	}
}

func BenchmarkRun(b *testing.B) {
	s := suggester(b, shop(), nil)
	m := momentOf(asked)
	hits, err := shop().Search(b.Context(), scopeOf(m), question(m))
	if err != nil {
		b.Fatal(err)
	}
	s.opt.Knowledge = found{shop(), hits}
	b.ReportAllocs()
	for b.Loop() {
		s.Run(b.Context(), m, &watch{})
	}
}

// panicking is a model whose client has a bug.
type panicking struct{ llm.Script }

func (*panicking) Chat(context.Context, llm.Request, func(string)) (llm.Response, error) {
	panic("a bug")
}

// TestWriterSurvives: what breaks while the model writes costs its draft and no more.
func TestWriterSurvives(t *testing.T) {
	got := suggester(t, shop(), &panicking{}).Run(t.Context(), momentOf(asked), &watch{})
	if got.State != assist.SuggestionFailed || got.Draft == nil || len(got.Hits) == 0 {
		t.Errorf("%s: %+v", got.State, got.Draft)
	}
}
