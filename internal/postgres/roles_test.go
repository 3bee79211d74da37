package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

func TestCustomerEvents(t *testing.T) {
	db := testdb.Open(t)
	add(t, db, customer("c1"), turn("c1", "1", assist.RoleCustomer, "hello"))
	add(t, db, source, turn("c2", "1", assist.RoleCustomer, "another's"))
	act := turn("c1", "2", assist.RoleSystem, "looked at the account")
	act.Action = &assist.Action{Name: "lookup", Values: []string{"secret"}}
	add(t, db, source, act)
	s := suggestion("c1", "s1", 1, assist.SuggestionReady)
	if _, err := db.AddSuggestion(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := db.TakeHandoff(t.Context(), ann, "c1"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SetStep(t.Context(), ann, "c1", assist.StepChange{StepID: "d/1", State: assist.StepDone}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SendReply(t.Context(), ann, assist.NewReply{Conversation: "c1", ClientID: "r", Text: s.Draft.Text, SuggestionID: "s1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Close(t.Context(), ann, "c1", "secret resolution"); err != nil {
		t.Fatal(err)
	}

	all, err := db.Events(t.Context(), ann, "c1", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	conv, opened, err := db.Open(t.Context(), ann, "c1", 1, 0)
	if c, _ := db.Conversation(t.Context(), "c1"); err != nil || cmp.Diff(all[1:], opened) != "" || cmp.Diff(c, conv) != "" {
		t.Errorf("opened after 1: %+v, %d of %d events, %v", conv, len(opened), len(all), err)
	}
	_, _, err = db.Open(t.Context(), ann, "nowhere", 0, 0)
	wantCode(t, err, assist.NotFound)
	_, _, err = db.Open(t.Context(), customer("nowhere"), "nowhere", 0, 0)
	wantCode(t, err, assist.NotFound)
	_, _, err = db.Open(t.Context(), customer("c2"), "c1", 0, 0)
	wantCode(t, err, assist.Forbidden)
	var want []assist.Event // what the live events would have shown
	for _, e := range all {
		if e.Data = nil; e.Public != nil {
			want = append(want, e)
		}
	}
	got, err := db.Events(t.Context(), customer("c1"), "c1", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(got) != 4 {
		t.Errorf("%d events, want 4", len(got))
	}
	theirs, back, err := db.Open(t.Context(), customer("c1"), "c1", 1, 0)
	told := assist.Conversation{ID: conv.ID, Status: conv.Status, CustomerName: conv.CustomerName, AgentName: conv.AgentName,
		LastSeq: conv.LastSeq, CreatedAt: conv.CreatedAt, UpdatedAt: conv.UpdatedAt}
	if err != nil || cmp.Diff(want[1:], back) != "" || cmp.Diff(told, theirs) != "" {
		t.Errorf("the customer came back to %+v, %d events of %d, %v", theirs, len(back), len(want)-1, err)
	}
	for _, e := range got {
		if strings.Contains(string(e.Public), "secret") {
			t.Errorf("%s", e.Public)
		}
	}
	rest, err := db.Events(t.Context(), customer("c1"), "c1", got[1].Seq, 1)
	if d := cmp.Diff(got[2:3], rest); d != "" || err != nil {
		t.Error(d, err)
	}
	_, err = db.Events(t.Context(), customer("c2"), "c1", 0, 0)
	wantCode(t, err, assist.Forbidden)
	_, err = db.Events(t.Context(), assist.Identity{Actor: assist.ActorMaintainer}, "c1", 0, 0)
	wantCode(t, err, assist.Forbidden)
	none, err := db.Events(t.Context(), customer("new"), "new", 0, 0)
	if len(none) != 0 || err != nil {
		t.Errorf("%v, %v", none, err)
	}
}

// The public role reads exactly this, whatever it asks for.
func TestPublicRole(t *testing.T) {
	db := testdb.Open(t)
	for _, c := range []string{"c1", "c2"} {
		add(t, db, source, turn(c, "1", assist.RoleCustomer, "hello"))
		act := turn(c, "2", assist.RoleSystem, "did it")
		act.Action = &assist.Action{Name: "lookup"}
		add(t, db, source, act)
		if _, err := db.AddSuggestion(t.Context(), suggestion(c, "s"+c, 1, assist.SuggestionReady)); err != nil {
			t.Fatal(err)
		}
		if err := db.AddGap(t.Context(), assist.Gap{Conversation: c, ForSeq: 1, Question: "?"}); err != nil {
			t.Fatal(err)
		}
	}
	noAudience := document("undeclared", "", "canary words")
	put(t, db, document("open", assist.AudiencePublic, "public words"), document("closed", assist.AudienceInternal, "secret words"), noAudience)
	vector := [][]float32{{1, 0}, {0, 1}, {1, 1}}
	if err := db.PutVectors(t.Context(), "m", 2, []string{"open/0", "closed/0", "undeclared/0"}, vector); err != nil {
		t.Fatal(err)
	}

	learn(t, db, lesson("c1", 1, "words asked", 1, "open/0"), lesson("c2", 1, "secret canary", 1, "closed/0", "undeclared/0"))

	tables, err := db.Query(t.Context(), "turns", `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`)
	if err != nil || len(tables) < 11 {
		t.Fatal(tables, err)
	}
	allowed := map[string]int{ // rows
		`SELECT conversation_id, seq, role, name, text, at, external_id FROM turns`: 1,
		`SELECT conversation_id, seq, type, public_data FROM events`:                1 + 1, // an action's event shows that something happened, not what
		`SELECT id, title, body FROM documents`:                                     1,
		`SELECT * FROM passages`:                                                    1,
		`SELECT * FROM passages_public`:                                             1,
		`SELECT * FROM learned_public`:                                              1,
		`SELECT * FROM postings_public`:                                             0, // none in a small knowledge
		`SELECT * FROM posting_places_public`:                                       0,
		`SELECT block, upto, over, listed_at FROM posting_blocks`:                   0,
		`SELECT * FROM passage_vectors_public`:                                      1,
		`SELECT id, term, df_public, asked_public FROM lexicon`:                     4,
		`SELECT id, status, last_seq FROM conversations`:                            1,
		`SELECT version, passages_public, questions_public FROM knowledge_stats`:    1,
		`SELECT * FROM learned`:                                                     1,
		`SELECT * FROM vector_models`:                                               1,
		`SELECT * FROM passage_vectors`:                                             1,
	}
	for sql, n := range allowed {
		rows, err := db.CustomerQuery(t.Context(), "c1", sql)
		if err != nil || len(rows) != n {
			t.Errorf("%s: %d rows, want %d: %v", sql, len(rows), n, err)
		}
		if s := fmt.Sprint(rows); strings.Contains(s, "secret") || strings.Contains(s, "canary") || strings.Contains(s, "c2") {
			t.Errorf("%s shows %s", sql, s)
		}
	}
	for _, table := range tables {
		name := table[0].(string)
		_, err := db.CustomerQuery(t.Context(), "c1", `SELECT * FROM `+name)
		if _, whole := allowed[`SELECT * FROM `+name]; !whole && err == nil {
			t.Errorf("all of %s can be read", name)
		}
		for _, sql := range []string{`DELETE FROM ` + name, `UPDATE ` + name + ` SET seq = 1`, `TRUNCATE ` + name, `DROP TABLE ` + name} {
			if _, err := db.CustomerQuery(t.Context(), "c1", sql); err == nil {
				t.Errorf("%s works", sql)
			}
		}
	}
	for _, sql := range []string{`SELECT body FROM suggestions`, `SELECT data FROM events`, `SELECT action FROM turns`, `SELECT author FROM turns`,
		`SELECT df FROM lexicon`, `SELECT passages FROM knowledge_stats`, `SELECT source FROM documents`, `SELECT agent FROM conversations`,
		`SELECT set_config('role', 'none', false) FROM suggestions`} {
		if rows, err := db.CustomerQuery(t.Context(), "c1", sql); err == nil {
			t.Errorf("%s gives %v", sql, rows)
		}
	}
	// The setting ended with the transaction it was made in.
	for table, column := range map[string]string{"turns": "seq", "events": "seq", "conversations": "last_seq"} {
		rows, err := db.Query(t.Context(), "public", `SELECT `+column+` FROM `+table)
		if len(rows) != 0 || err != nil {
			t.Errorf("without a conversation %s shows %v, %v", table, rows, err)
		}
	}

	for _, audience := range []assist.Audience{"", assist.AudiencePublic, "everything"} {
		scope := retrieve.Scope{Audience: audience}
		lex, err := db.Lexicon(t.Context(), scope, []string{"public", "secret", "canary", "words"})
		if err != nil || lex.Passages != 1 || len(lex.Terms) != 2 || lex.Terms["words"].DF != 1 {
			t.Errorf("%q: lexicon %+v, %v", audience, lex, err)
		}
		inside, err := db.Lexicon(t.Context(), retrieve.Scope{Audience: assist.AudienceInternal}, []string{"secret", "canary", "words"})
		if err != nil || inside.Passages != 3 || inside.Terms["words"].DF != 3 {
			t.Fatalf("lexicon %+v, %v", inside, err)
		}
		hits, err := db.Lexical(t.Context(), scope, query(inside))
		if err != nil || len(hits) != 1 || hits[0].ID != "open/0" {
			t.Errorf("%q: lexical %+v, %v", audience, hits, err)
		}
		hits, err = db.Dense(t.Context(), scope, "m", []float32{0, 1})
		if err != nil || len(hits) != 1 || hits[0].ID != "open/0" {
			t.Errorf("%q: dense %+v, %v", audience, hits, err)
		}
		for _, id := range []string{"closed", "undeclared"} {
			if d, err := db.Document(t.Context(), scope, id); d != nil || err != nil {
				t.Errorf("%q: document %s: %v, %v", audience, id, d, err)
			}
		}
		if d, err := db.Document(t.Context(), scope, "open"); d == nil || err != nil || len(d.Passages) != 1 {
			t.Errorf("%q: public document: %v, %v", audience, d, err)
		}
	}
}
