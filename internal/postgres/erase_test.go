package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// hits counts the rows of every table, in any column whatever its type, that hold
// a word.
func hits(t *testing.T, db *postgres.DB, word string) (found []string) {
	t.Helper()
	tables, err := db.Query(t.Context(), "ingest", `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'm') ORDER BY 1`)
	if err != nil || len(tables) < 15 {
		t.Fatalf("%d tables: %v", len(tables), err)
	}
	for _, row := range tables {
		name := row[0].(string)
		n, err := db.Query(t.Context(), "ingest", `SELECT count(*) FROM `+name+` x WHERE strpos(lower(x::text), $1) > 0`, word)
		if err != nil {
			t.Fatal(err)
		}
		if n[0][0].(int64) > 0 {
			found = append(found, fmt.Sprint(name, " ", n[0][0]))
		}
	}
	return found
}

const (
	canary = "zanzibar" // its own stem
	order  = "47110815" // longer than what stands in a row by chance, such as the microseconds of a time
)

// talk fills every table that a conversation leaves something in.
func talk(t *testing.T, db *postgres.DB, id, passage string) {
	t.Helper()
	text := "my " + canary + " lamp is broken, order " + order
	st, err := db.AddTurn(t.Context(), assist.Identity{Subject: "tool", Actor: assist.ActorSource},
		assist.NewTurn{Conversation: id, ClientID: "1", Role: assist.RoleCustomer, Name: canary + " Smith", Text: text, Customer: canary}, chat.Lease{})
	if err != nil {
		t.Fatal(err)
	}
	g := assist.Suggestion{ID: "sug_" + id, Conversation: id, ForSeq: st.Turn.Seq, State: assist.SuggestionAbstained, CreatedAt: time.Now(),
		Question: assist.Question{Text: text}, Draft: &assist.Draft{Text: "About your " + canary}, Prompt: &assist.PromptRef{Name: "reply", Text: text}}
	if _, err := db.AddSuggestion(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	who := assist.Identity{Subject: "a1", Actor: assist.ActorAgent, Name: "Ada"}
	if err := db.AddGap(t.Context(), assist.Gap{Conversation: id, ForSeq: st.Turn.Seq, Question: text}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SetStep(t.Context(), who, id, assist.StepChange{StepID: "p/" + canary, State: assist.StepDone}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SendReply(t.Context(), who, assist.NewReply{Conversation: id, ClientID: "r", Text: "Sorry for the " + canary, SuggestionID: g.ID}); err != nil {
		t.Fatal(err)
	}
	if ok, err := db.HoldGesture(t.Context(), postgres.Claim{Customer: "tool/" + canary, Conversation: id, Gesture: "credit", Period: "order " + canary, Amount: 1, Limit: 100, By: "a1", Given: true}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if n := learn(t, db, lesson(id, 3, text, 1, passage)); n != 1 {
		t.Fatalf("%d lessons", n)
	}
	if _, err := db.Close(t.Context(), who, id, "replaced the "+canary); err != nil {
		t.Fatal(err)
	}
}

func TestErase(t *testing.T) {
	db := testdb.Open(t)
	doc := document("d", assist.AudienceInternal, "Broken lamps are replaced.")
	doc.Language = "en"
	doc.Passages[0].Terms = retrieve.PassageTerms("", "", doc.Body, "en")
	put(t, db, doc)
	passage := doc.Passages[0].ID
	talk(t, db, "conv_1", passage)
	talk(t, db, "conv_2", passage)
	if was := strings.Join(hits(t, db, canary), " "); !strings.Contains(was, "turns") || !strings.Contains(was, "suggestions") || !strings.Contains(was, "lexicon") ||
		!strings.Contains(was, "gaps") || !strings.Contains(was, "gestures") || !strings.Contains(was, "events") || !strings.Contains(was, "conversations") {
		t.Fatalf("the canary is only in %s: the test would not see what stays", was)
	}
	got, err := db.EraseConversation(t.Context(), "m1", "conv_1")
	if err != nil || got.Turns != 2 || got.Suggestions != 1 || got.Lessons != 1 || got.Gestures != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	if left := hits(t, db, "conv_1"); len(left) > 0 {
		t.Errorf("the conversation's id is still in %v", left)
	}
	if _, err := db.Conversation(t.Context(), "conv_2"); err != nil {
		t.Errorf("the other conversation: %v", err)
	}
	if n := learn(t, db, lesson("conv_1", 9, "late lesson of the lamp", 1, passage)); n != 0 {
		t.Error("something was learned from an erased conversation")
	}
	got, err = db.EraseCustomer(t.Context(), "m1", "tool/"+canary)
	if err != nil || len(got.Conversations) != 1 || got.Lessons != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	if left := hits(t, db, canary); len(left) > 0 {
		t.Errorf("the canary is still in %v", left)
	}
	if left := hits(t, db, order); len(left) > 0 {
		t.Errorf("the order's number is still in %v", left)
	}
	if _, err := db.EraseConversation(t.Context(), "m1", "conv_1"); assist.CodeOf(err) != assist.NotFound {
		t.Errorf("again: %v", err)
	}
	if _, err := db.EraseCustomer(t.Context(), "m1", "tool/"+canary); assist.CodeOf(err) != assist.NotFound {
		t.Errorf("again: %v", err)
	}
	if _, err := db.EraseCustomer(t.Context(), "m1", ""); assist.CodeOf(err) != assist.Invalid {
		t.Errorf("nobody: %v", err)
	}
	if r, err := db.Record(t.Context()); err != nil || r.Erasures != 2 {
		t.Errorf("%+v %v", r, err)
	}
	// The words that pages have stay.
	if n, err := db.Query(t.Context(), "ingest", `SELECT count(*) FROM lexicon WHERE term = 'lamp'`); err != nil || n[0][0].(int64) != 1 {
		t.Errorf("%v %v", n, err)
	}
	if n, err := db.Query(t.Context(), "ingest", `SELECT count(*) FROM learned`); err != nil || n[0][0].(int64) != 0 {
		t.Errorf("%v %v", n, err)
	}
}

// TestRecordStands holds that nothing, not even our own code, changes who said what.
func TestRecordStands(t *testing.T) {
	db := testdb.Open(t)
	_, err := db.AddTurn(t.Context(), assist.Identity{Subject: "tool", Actor: assist.ActorSource},
		assist.NewTurn{Conversation: "conv_1", ClientID: "1", Role: assist.RoleCustomer, Text: "hello"}, chat.Lease{})
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`UPDATE turns SET text = 'x'`, `UPDATE turns SET author = 'x'`, `UPDATE turns SET suggestion_id = 'x'`, `DELETE FROM turns`,
		`UPDATE events SET seq = 9`, `DELETE FROM events`, `DELETE FROM conversations`} {
		if _, err := db.Query(t.Context(), "turns", sql); err == nil || !strings.Contains(err.Error(), "is a record") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestRecordShowsGaps takes rows out behind everybody's back: the doctor's look
// through the record names the conversations, and no others.
func TestRecordShowsGaps(t *testing.T) {
	db := testdb.Open(t)
	cases := []struct{ conversation, sql string }{
		{"whole", ""},
		{"turn-and-event", `WITH t AS (DELETE FROM turns WHERE conversation_id = $1 AND seq = 1) DELETE FROM events WHERE conversation_id = $1 AND seq = 1`},
		{"turn", `DELETE FROM turns WHERE conversation_id = $1 AND seq = 2`},
		{"event", `DELETE FROM events WHERE conversation_id = $1 AND seq = 2`},
		{"the-end", `WITH t AS (DELETE FROM turns WHERE conversation_id = $1 AND seq > 1) DELETE FROM events WHERE conversation_id = $1 AND seq > 1`},
		{"suggestion", `DELETE FROM suggestions WHERE conversation_id = $1`},
		{"a-turn-more", `INSERT INTO turns (conversation_id, seq, author, client_key, role, text, at) VALUES ($1, 90, 'maya', 'x', 'agent', 'Yes.', now())`},
		{"put-elsewhere", `UPDATE events SET seq = seq + 7 WHERE conversation_id = $1 AND seq = 2`},
	}
	var want []string
	for _, c := range cases {
		add(t, db, source, turn(c.conversation, "1", assist.RoleCustomer, "hello"))
		add(t, db, source, turn(c.conversation, "2", assist.RoleCustomer, "a refund, please"))
		g := suggestion(c.conversation, "s-"+c.conversation, 2, assist.SuggestionReady)
		if _, err := db.AddSuggestion(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		for id, used := range map[string]string{"r1": g.ID, "r2": "", "r3": "sug_of_nobody"} {
			if _, err := db.SendReply(t.Context(), ann, assist.NewReply{Conversation: c.conversation, ClientID: id, Text: "Of course.", SuggestionID: used}); err != nil {
				t.Fatal(err)
			}
		}
		if c.sql != "" {
			want = append(want, c.conversation)
		}
	}
	look := func() postgres.Record {
		t.Helper()
		r, err := db.Record(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(r.Broken)
		return r
	}
	if r := look(); len(r.Broken) > 0 || r.Looked != len(cases) {
		t.Fatalf("before anything was taken out: %+v", r)
	}
	for _, sql := range []string{`ALTER TABLE turns DISABLE TRIGGER record_stands`, `ALTER TABLE events DISABLE TRIGGER record_stands`} {
		if _, err := db.Query(t.Context(), "turns", sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range cases {
		if c.sql == "" {
			continue
		}
		if _, err := db.Query(t.Context(), "turns", c.sql, c.conversation); err != nil {
			t.Fatalf("%s: %v", c.conversation, err)
		}
	}
	slices.Sort(want)
	if d := cmp.Diff(want, look().Broken); d != "" {
		t.Errorf("broken (-want +got):\n%s", d)
	}
}

func TestRevocations(t *testing.T) {
	db := testdb.Open(t)
	now := time.Now().UTC().Truncate(time.Second)
	for _, r := range []assist.Revocation{
		{Kind: assist.RevokeSubject, Value: "a1", Issued: now, Keep: now.Add(time.Hour)},
		{Kind: assist.RevokeSubject, Value: "a1", Issued: now.Add(-time.Minute), Keep: now.Add(time.Minute)}, // does not weaken the first
		{Kind: assist.RevokeToken, Value: "t1", Issued: now, Keep: now.Add(time.Second)},
		{Kind: assist.RevokeToken, Value: "gone", Issued: now.Add(-time.Hour), Keep: now.Add(-time.Minute)},
	} {
		if err := db.Revoke(t.Context(), "m1", r); err != nil {
			t.Fatal(err)
		}
	}
	all, err := db.Revocations(t.Context())
	if err != nil || len(all) < 1 || len(all) > 2 {
		t.Fatalf("%v %v", all, err)
	}
	for _, r := range all {
		if r.Value == "a1" && (!r.Issued.Equal(now) || !r.Keep.Equal(now.Add(time.Hour))) {
			t.Errorf("%+v", r)
		}
	}
	if err := db.DropRevocations(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Query(t.Context(), "turns", `SELECT count(*) FROM revocations`); err != nil || n[0][0].(int64) != 2 {
		t.Errorf("%v %v", n, err)
	}
	if err := db.Revoke(t.Context(), "m1", assist.Revocation{Kind: "all", Value: "x", Issued: now, Keep: now.Add(1)}); assist.CodeOf(err) != assist.Invalid {
		t.Errorf("%v", err)
	}
}
