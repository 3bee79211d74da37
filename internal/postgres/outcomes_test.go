package postgres_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

func TestOutcomes(t *testing.T) {
	db := testdb.Open(t)
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	sent := map[string]string{"asis": "You can return it within 30 days.", "edited": "You can return it within 60 days.", "other": "Let me look."}
	for _, id := range []string{"asis", "edited", "other", "open", "gone"} {
		add(t, db, source, turn(id, "1", assist.RoleCustomer, "can I return it?"))
		state := assist.SuggestionReady
		if id == "gone" {
			state = assist.SuggestionSuperseded
		}
		s := suggestion(id, "s-"+id, 1, state)
		s.Prompt.Name = "reply@short"
		if id == "open" {
			s.Prompt, s.Draft.Origin, s.CreatedAt = nil, assist.OriginKnowledge, made.Add(time.Hour)
		}
		if _, err := db.AddSuggestion(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if sent[id] == "" {
			continue
		}
		named := "s-" + id
		if id == "other" {
			named = ""
		}
		if _, err := db.SendReply(t.Context(), ann, assist.NewReply{Conversation: id, ClientID: "r", Text: sent[id], SuggestionID: named}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.SetFeedback(t.Context(), ann, "edited", assist.Feedback{SuggestionID: "s-edited", Verdict: "bad", Reason: "wrong_fact"}); err != nil {
		t.Fatal(err)
	}

	short := postgres.Outcome{Prompt: "reply@short", Version: "v1", Origin: assist.OriginModel, At: made}
	want := func(o postgres.Outcome, id string, state assist.SuggestionState, edit int) postgres.Outcome {
		o.Conversation, o.Suggestion, o.State, o.EditDistance = id, "s-"+id, state, edit
		return o
	}
	edited := want(short, "edited", assist.SuggestionEdited, 1)
	edited.Verdict, edited.Reason = "bad", "wrong_fact"
	all := []postgres.Outcome{
		want(short, "asis", assist.SuggestionAccepted, 0), edited, want(short, "other", assist.SuggestionDismissed, 0),
		want(postgres.Outcome{Origin: assist.OriginKnowledge, At: made.Add(time.Hour)}, "open", assist.SuggestionReady, 0),
	}
	got, err := db.Outcomes(t.Context(), made, 10)
	if d := cmp.Diff(all, got); d != "" || err != nil {
		t.Error(d, err)
	}
	if got, err := db.Outcomes(t.Context(), made.Add(time.Minute), 10); err != nil || len(got) != 1 {
		t.Errorf("since later: %+v, %v", got, err)
	}
	if got, err := db.Outcomes(t.Context(), made, 2); err != nil || len(got) != 2 {
		t.Errorf("two of them: %+v, %v", got, err)
	}

	edits, err := db.Edits(t.Context(), made, 10)
	if err != nil || len(edits) != 2 {
		t.Fatalf("%+v, %v", edits, err)
	}
	e := edits[0]
	if e.Outcome != edited || e.Reply != sent["edited"] || e.Draft.Text != sent["asis"] || len(e.Hits) != 1 || len(e.Turns) != 1 || e.Turns[0].Text != "can I return it?" {
		t.Errorf("%+v", e)
	}
	if edits[1].Outcome.State != assist.SuggestionDismissed || edits[1].Reply != sent["other"] {
		t.Errorf("%+v", edits[1])
	}
}
