package bot

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/assist"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDecide(t *testing.T) {
	page := assist.Hit{Passage: assist.Passage{ID: "p", Text: "Returns are free within 30 days. See https://shop.example/returns or https://evil.example/x for the form. Write to returns@shop.example or returns@evil.example."},
		Title: "Returns", Audience: assist.AudiencePublic, URL: "https://shop.example/returns"}
	inside := page
	inside.Audience = assist.AudienceInternal
	draft := func(text, quote string) *assist.Draft {
		s := assist.Sentence{Text: text}
		if quote != "" {
			s.Citations = []assist.Citation{{PassageID: "p", Quote: quote}}
		}
		d := assist.NewDraft(assist.OriginModel, []assist.Sentence{s})
		return &d
	}
	good := draft("Returns are free within 30 days.", "Returns are free within 30 days.")
	tests := []struct {
		name   string
		s      assist.Suggestion
		answer string
		quiet  bool
	}{
		{"proven", assist.Suggestion{State: assist.SuggestionReady, Hits: []assist.Hit{page}, Draft: good}, good.Text, false},
		{"the model's is not, the instant one is", assist.Suggestion{State: assist.SuggestionReady, Hits: []assist.Hit{page}, Draft: draft("Keep it for free forever.", "free"), Instant: good}, good.Text, false},
		{"model failed, instant proven", assist.Suggestion{State: assist.SuggestionFailed, Hits: []assist.Hit{page}, Instant: good}, good.Text, false},
		{"internal passage", assist.Suggestion{State: assist.SuggestionReady, Hits: []assist.Hit{inside}, Draft: good}, "", false},
		{"nothing cited", assist.Suggestion{State: assist.SuggestionReady, Hits: []assist.Hit{page}, Draft: draft("Hello!", "")}, "", false},
		{"only the customer said so", assist.Suggestion{State: assist.SuggestionReady, Hits: []assist.Hit{page}, Draft: draft("Returns are free within 90 days.", "Returns are free")}, "", false},
		{"a deed", assist.Suggestion{State: assist.SuggestionReady, Hits: []assist.Hit{page}, Draft: draft("I have refunded your returns within 30 days.", "Returns are free within 30 days.")}, "", false},
		{"its own page", assist.Suggestion{State: assist.SuggestionReady, Hits: []assist.Hit{page}, Draft: draft("See https://shop.example/returns for the form.", "See https://shop.example/returns")}, "See https://shop.example/returns for the form.", false},
		{"a link in a poisoned page", assist.Suggestion{State: assist.SuggestionReady, Hits: []assist.Hit{page}, Draft: draft("See https://evil.example/x for the form.", "https://evil.example/x for the form.")}, "", false},
		{"the house's own address", assist.Suggestion{State: assist.SuggestionReady, Hits: []assist.Hit{page}, Draft: draft("Write to returns@shop.example.", "Write to returns@shop.example")}, "Write to returns@shop.example.", false},
		{"an address in a poisoned page", assist.Suggestion{State: assist.SuggestionReady, Hits: []assist.Hit{page}, Draft: draft("Write to returns@evil.example.", "returns@evil.example.")}, "", false},
		{"nothing found", assist.Suggestion{State: assist.SuggestionAbstained}, "", false},
		{"small talk", assist.Suggestion{State: assist.SuggestionAbstained, Question: assist.Question{Quiet: "a greeting"}}, "", true},
	}
	for _, tt := range tests {
		got := Decide(tt.s, Topics{})
		if got.Answer != tt.answer || got.Quiet != tt.quiet || (got.Reason == "") != (tt.answer != "" || tt.quiet) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}
