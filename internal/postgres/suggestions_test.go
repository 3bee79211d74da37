package postgres_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

func TestAddSuggestion(t *testing.T) {
	db := testdb.Open(t)
	add(t, db, source, turn("c1", "1", assist.RoleCustomer, "can I return it?"))
	s := suggestion("c1", "s1", 1, assist.SuggestionReady)
	s.Reason = "a model wrote \x00 and \xff"
	e, err := db.AddSuggestion(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if e.Type != assist.EventSuggestionReady || e.Seq != 2 || e.Public != nil || strings.Contains(string(e.Data), "rendered prompt") {
		t.Errorf("event %+v %s", e, e.Data)
	}
	if s.Prompt.Text == "" {
		t.Error("the caller's suggestion was changed")
	}
	again, err := db.AddSuggestion(t.Context(), s)
	if d := cmp.Diff(e, again); d != "" || err != nil {
		t.Error(d, err)
	}
	failed := s
	failed.State = assist.SuggestionFailed // the first one counts
	again, err = db.AddSuggestion(t.Context(), failed)
	if d := cmp.Diff(e, again); d != "" || err != nil {
		t.Error(d, err)
	}
	other := s
	other.ForSeq = 7
	_, err = db.AddSuggestion(t.Context(), other)
	wantCode(t, err, assist.Conflict)
	_, err = db.AddSuggestion(t.Context(), suggestion("none", "s2", 1, assist.SuggestionReady))
	wantCode(t, err, assist.NotFound)
	_, err = db.AddSuggestion(t.Context(), suggestion("c1", "s2", 1, assist.SuggestionDrafting))
	wantCode(t, err, assist.Invalid)
	none, err := db.AddSuggestion(t.Context(), suggestion("c1", "s3", 1, assist.SuggestionSuperseded))
	if d := cmp.Diff(assist.Event{}, none); d != "" || err != nil {
		t.Error(d, err)
	}

	events, err := db.Events(t.Context(), ann, "c1", 1, 0)
	if d := cmp.Diff([]assist.Event{e}, events); d != "" || err != nil {
		t.Error(d, err)
	}
	got, err := db.Suggestion(t.Context(), "s1")
	if err != nil || got.Prompt.Text != "the rendered prompt" || got.State != assist.SuggestionReady || got.Draft.Text != s.Draft.Text {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = db.Suggestion(t.Context(), "none")
	wantCode(t, err, assist.NotFound)
	c, err := db.Conversation(t.Context(), "c1")
	if err != nil || c.LastSeq != 2 {
		t.Errorf("last seq %d, %v; superseded ones take no number", c.LastSeq, err)
	}
}

func outcome(t *testing.T, events []assist.Event) (o assist.SuggestionOutcome) {
	t.Helper()
	if len(events) != 2 || events[0].Type != assist.EventTurnAdded || events[1].Type != assist.EventSuggestionOutcome || events[1].Seq != events[0].Seq+1 {
		t.Fatalf("events %+v", events)
	}
	if err := json.Unmarshal(events[1].Data, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestOutOfDate: a stored suggestion keeps what it cited, and says when the
// document has changed since.
func TestOutOfDate(t *testing.T) {
	db := testdb.Open(t)
	add(t, db, source, turn("c1", "1", assist.RoleCustomer, "can I return it?"))
	was, same, gone := document("was", assist.AudiencePublic, "Returns take 30 days."), document("same", assist.AudiencePublic, "Gear is used."), document("gone", assist.AudiencePublic, "It is on us.")
	put(t, db, was, same, gone)
	s := suggestion("c1", "s1", 1, assist.SuggestionReady)
	s.Hits = nil
	for _, d := range []assist.Document{was, same, gone} {
		s.Hits = append(s.Hits, assist.Hit{Passage: d.Passages[0], Title: d.Title, Revision: d.Revision})
	}
	if _, err := db.AddSuggestion(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	marks := func() (out []bool) {
		got, err := db.Suggestion(t.Context(), "s1")
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range got.Hits {
			if h.Text != s.Hits[i].Text || h.Revision != s.Hits[i].Revision {
				t.Errorf("what was cited has changed: %+v", h)
			}
			out = append(out, h.OutOfDate)
		}
		return out
	}
	if d := cmp.Diff([]bool{false, false, false}, marks()); d != "" {
		t.Error(d)
	}
	put(t, db, document("was", assist.AudiencePublic, "Returns take 20 days."))
	if err := db.DeleteDocument(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]bool{true, false, true}, marks()); d != "" {
		t.Error(d)
	}
}

func TestSendReply(t *testing.T) {
	db := testdb.Open(t)
	send := func(by assist.Identity, id, text, suggestionID string) (s struct {
		assist.Conversation
		Turn   assist.Turn
		Repeat bool
		Events []assist.Event
	}, err error) {
		got, err := db.SendReply(t.Context(), by, assist.NewReply{Conversation: "c1", ClientID: id, Text: text, SuggestionID: suggestionID})
		s.Conversation, s.Turn, s.Repeat, s.Events = got.Conversation, got.Turn, got.Repeat, got.Events
		return s, err
	}
	_, err := send(ann, "0", "hi", "")
	wantCode(t, err, assist.NotFound)
	add(t, db, source, turn("c1", "1", assist.RoleCustomer, "can I return it?"))
	for _, by := range []assist.Identity{source, customer("c1"), {}} {
		_, err := send(by, "0", "hi", "")
		wantCode(t, err, assist.Forbidden)
	}
	ready := func(id string) {
		t.Helper()
		if _, err := db.AddSuggestion(t.Context(), suggestion("c1", id, 1, assist.SuggestionReady)); err != nil {
			t.Fatal(err)
		}
	}
	ready("s1")
	s, err := send(ann, "1", "  You can return it\nwithin 30 days. ", "s1")
	if err != nil {
		t.Fatal(err)
	}
	want := assist.SuggestionOutcome{SuggestionID: "s1", State: assist.SuggestionAccepted, ReplySeq: 3, By: "ann"}
	if d := cmp.Diff(want, outcome(t, s.Events)); d != "" {
		t.Error(d)
	}
	if s.Agent != "ann" || s.Status != assist.StatusOpen || s.LastSeq != 4 || !s.WaitingSince.IsZero() || s.LastRole != assist.RoleAgent {
		t.Errorf("%+v", s.Conversation)
	}
	stored, err := db.Conversation(t.Context(), "c1")
	if d := cmp.Diff(s.Conversation, stored); d != "" || err != nil {
		t.Error(d, err)
	}

	again, err := send(ann, "1", "  You can return it\nwithin 30 days. ", "s1")
	if d := cmp.Diff(s.Turn, again.Turn); d != "" || err != nil || !again.Repeat || again.Events != nil || again.LastSeq != 4 {
		t.Errorf("repeat: %s %v %+v", d, err, again)
	}
	_, err = send(ann, "1", "other", "s1")
	wantCode(t, err, assist.Conflict)
	_, err = send(ann, "1", "  You can return it\nwithin 30 days. ", "")
	wantCode(t, err, assist.Conflict)

	ready("s2")
	s, err = send(bob, "1", "Returns are quite free.", "s2") // nearer to the instant draft
	if err != nil {
		t.Fatal(err)
	}
	want = assist.SuggestionOutcome{SuggestionID: "s2", State: assist.SuggestionEdited, ReplySeq: 6, EditDistance: 6, By: "bob"}
	if d := cmp.Diff(want, outcome(t, s.Events)); d != "" {
		t.Error(d)
	}
	if s.Agent != "ann" {
		t.Errorf("a colleague's reply took the conversation: %q", s.Agent)
	}

	s, err = send(ann, "2", "Returns are free.", "s2") // at the same moment as bob
	if err != nil || len(s.Events) != 1 || s.Turn.SuggestionID != "s2" {
		t.Errorf("a second reply from one suggestion: %+v, %v", s.Events, err)
	}

	ready("s3")
	s, err = send(ann, "3", "No.", "")
	if err != nil {
		t.Fatal(err)
	}
	want = assist.SuggestionOutcome{SuggestionID: "s3", State: assist.SuggestionDismissed, ReplySeq: 10, By: "ann"}
	if d := cmp.Diff(want, outcome(t, s.Events)); d != "" {
		t.Error(d)
	}
	s, err = send(ann, "4", "And no.", "")
	if err != nil || len(s.Events) != 1 {
		t.Errorf("the second reply dismissed something: %+v, %v", s.Events, err)
	}
	got, err := db.Suggestion(t.Context(), "s2")
	if err != nil || got.State != assist.SuggestionEdited {
		t.Errorf("state %s, %v", got.State, err)
	}
	checkLog(t, db, "c1")
}

// checkLog holds the promise: the log has no gap and ends at last_seq.
func checkLog(t *testing.T, db *postgres.DB, conversation string) {
	t.Helper()
	events, err := db.Events(t.Context(), ann, conversation, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has seq %d", i, e.Seq)
		}
	}
	c, err := db.Conversation(t.Context(), conversation)
	if err != nil || c.LastSeq != int64(len(events)) {
		t.Errorf("last seq %d of %d events, %v", c.LastSeq, len(events), err)
	}
}

func TestStepsFeedbackGaps(t *testing.T) {
	db := testdb.Open(t)
	add(t, db, source, turn("c1", "1", assist.RoleCustomer, "hello"))
	if _, err := db.AddSuggestion(t.Context(), suggestion("c1", "s1", 1, assist.SuggestionReady)); err != nil {
		t.Fatal(err)
	}
	_, err := db.SetStep(t.Context(), customer("c1"), "c1", assist.StepChange{StepID: "d/1", State: assist.StepDone})
	wantCode(t, err, assist.Forbidden)
	_, err = db.SetStep(t.Context(), ann, "c1", assist.StepChange{StepID: "d/1", State: "maybe"})
	wantCode(t, err, assist.Invalid)
	_, err = db.SetStep(t.Context(), ann, "c1", assist.StepChange{StepID: "d\x00", State: assist.StepDone})
	wantCode(t, err, assist.Invalid)
	for _, state := range []assist.StepState{assist.StepDone, assist.StepTodo} {
		if _, err := db.SetStep(t.Context(), ann, "c1", assist.StepChange{StepID: "d/1", State: state, By: "forged"}); err != nil {
			t.Fatal(err)
		}
	}
	_, steps, err := db.Transcript(t.Context(), "c1", 0)
	if d := cmp.Diff([]assist.StepChange{{StepID: "d/1", State: assist.StepDone, By: "ann"}, {StepID: "d/1", State: assist.StepTodo, By: "ann"}}, steps); d != "" || err != nil {
		t.Error(d, err)
	}

	mark := assist.Feedback{SuggestionID: "s1", Verdict: "bad", Reason: "outdated"}
	e, err := db.SetFeedback(t.Context(), ann, "c1", mark)
	if err != nil || string(e.Data) != `{"suggestion_id":"s1","verdict":"bad","reason":"outdated","by":"ann"}` {
		t.Errorf("%s, %v", e.Data, err)
	}
	_, err = db.SetFeedback(t.Context(), source, "c1", mark)
	wantCode(t, err, assist.Forbidden)
	add(t, db, source, turn("c2", "1", assist.RoleCustomer, "hello"))
	_, err = db.SetFeedback(t.Context(), ann, "c2", mark)
	wantCode(t, err, assist.NotFound)

	gap := assist.Gap{Conversation: "c1", ForSeq: 1, Question: "why?"}
	for range 2 {
		if err := db.AddGap(t.Context(), gap); err != nil {
			t.Fatal(err)
		}
	}
	gap.Conversation = "none"
	wantCode(t, db.AddGap(t.Context(), gap), assist.NotFound)
	rows, err := db.Query(t.Context(), "turns", `SELECT count(*) FROM gaps`)
	if d := cmp.Diff([][]any{{int64(1)}}, rows); d != "" || err != nil {
		t.Error(d, err)
	}
	checkLog(t, db, "c1")
}

func TestEditDistance(t *testing.T) {
	long := strings.Repeat("abcdefghij ", 727) // 7,997 characters
	for name, c := range map[string]struct {
		a, b string
		want int
	}{
		"same":             {"abc", "abc", 0},
		"both empty":       {"", "", 0},
		"one empty":        {"", "äöü", 3},
		"substitution":     {"kitten", "sitten", 1},
		"classic":          {"kitten", "sitting", 3},
		"insertion inside": {"ab", "axxb", 2},
		"swap":             {"ab", "ba", 2},
		"characters":       {"naïve 😀", "naive 🙃", 2},
		"long same":        {long, long, 0},
		"long, one more":   {long, "x" + long[:4000] + "y" + long[4000:] + "z", 3},
		"long, spread":     {long, strings.ReplaceAll(long, "e", "E"), 727},
		"rewritten":        {strings.Repeat("a", 8000), strings.Repeat("b", 7000), 8000},
		"much longer":      {"b", strings.Repeat("a", 5000), 5000},
	} {
		if got := postgres.EditDistance(c.a, c.b); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
		if got := postgres.EditDistance(c.b, c.a); got != c.want {
			t.Errorf("%s, turned round: %d, want %d", name, got, c.want)
		}
	}
}

// The banded distance agrees with the textbook's.
func FuzzEditDistance(f *testing.F) {
	f.Add("kitten", "sitting")
	f.Add(strings.Repeat("ab", 40), strings.Repeat("ba", 50))
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 300 || len(b) > 300 {
			return
		}
		x, y := []rune(a), []rune(b)
		rows := make([][]int, len(x)+1)
		for i := range rows {
			rows[i] = make([]int, len(y)+1)
			for j := range rows[i] {
				switch {
				case i == 0:
					rows[i][j] = j
				case j == 0:
					rows[i][j] = i
				default:
					cost := 1
					if x[i-1] == y[j-1] {
						cost = 0
					}
					rows[i][j] = min(rows[i-1][j-1]+cost, rows[i-1][j]+1, rows[i][j-1]+1)
				}
			}
		}
		if got, want := postgres.EditDistance(a, b), rows[len(x)][len(y)]; got != want {
			t.Errorf("distance of %q to %q is %d, want %d", a, b, got, want)
		}
	})
}

// A suggestion nobody knows does not hold up the agent's words.
func TestSendReplyOnUnknownSuggestion(t *testing.T) {
	db := testdb.Open(t)
	add(t, db, source, turn("c1", "1", assist.RoleCustomer, "can I return it?"))
	r := assist.NewReply{Conversation: "c1", ClientID: "0", Text: "hi", SuggestionID: "of another"}
	got, err := db.SendReply(t.Context(), ann, r)
	if err != nil || got.Turn.SuggestionID != "" || len(got.Events) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if again, err := db.SendReply(t.Context(), ann, r); err != nil || !again.Repeat || again.Turn.Seq != got.Turn.Seq {
		t.Errorf("sent again: %+v, %v", again, err)
	}
}
