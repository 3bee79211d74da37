package suggest

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/llm"
)

func TestAheadIsTheSameSuggestion(t *testing.T) {
	secret := "c: my card is 4111 1111 1111 1111"
	stored := momentOf(secret, "a: I see", asked)
	stored.Agent = assist.Identity{Subject: "a1", Actor: assist.ActorAgent, Name: "Maya"}
	unstored := momentOf(secret, "a: I see", asked)
	unstored.Turns[2].Seq, unstored.ForSeq = 0, 0
	other := momentOf(secret, "a: I see", asked, "c: it is the blue one")
	unlike := momentOf(secret, "a: I see", "c: how long does standard shipping take?")

	for _, c := range []struct {
		name  string
		m     assist.Moment
		again int // searches more than Run's
	}{{"stored", stored, 0}, {"somebody spoke before it", other, 1}, {"other words", unlike, 1}} {
		t.Run(c.name, func(t *testing.T) {
			model := &llm.Script{Answer: goodAnswer}
			shelf, searches := shop(), 0
			shelf.during = func(context.Context) { searches++ }
			want := suggester(t, shelf, &llm.Script{Answer: goodAnswer}).Run(t.Context(), c.m, &watch{})
			most := searches + c.again
			searches = 0
			s, w := suggester(t, shelf, model), &watch{}
			rest := s.Ahead(t.Context(), unstored)
			if len(w.calls) > 0 || len(model.Requests()) > 0 {
				t.Fatalf("before the turn was stored: shown %v, %d model calls", w.calls, len(model.Requests()))
			}
			got := rest(t.Context(), c.m, w)
			if searches != most {
				t.Errorf("%d searches, want %d", searches, most)
			}
			if d := cmp.Diff(want, got, cmpopts.IgnoreFields(assist.Suggestion{}, "Timings", "CreatedAt")); d != "" {
				t.Errorf("(-Run +Ahead):\n%s", d)
			}
			if order := w.order(); order != "passages instant delta" {
				t.Errorf("shown %s", order)
			}
			for _, r := range model.Requests() {
				if strings.Contains(r.Messages[1].Content, "4111") {
					t.Error("the model was told a card's number")
				}
			}
		})
	}
}

func TestAheadAfterAFailedSearchSearchesAgain(t *testing.T) {
	shelf := shop()
	shelf.err = context.DeadlineExceeded
	s := suggester(t, shelf, nil)
	rest := s.Ahead(t.Context(), momentOf(asked))
	shelf.err = nil
	if got := rest(t.Context(), momentOf(asked), &watch{}); got.State != assist.SuggestionReady || len(got.Hits) == 0 {
		t.Errorf("%s with %d passages: %s", got.State, len(got.Hits), got.Reason)
	}
}
