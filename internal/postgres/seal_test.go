package postgres_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// TestSeals changes a sealed record in ways that leave no gap in it, as only the
// database's owner can: each is named. What goes on, and what is erased, is not.
func TestSeals(t *testing.T) {
	db := testdb.Open(t)
	say := func(conversation, id, text string) {
		t.Helper()
		add(t, db, source, turn(conversation, id, assist.RoleCustomer, text))
	}
	seal := func() postgres.Seal {
		t.Helper()
		s, err := db.Seal(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	look := func(known string) postgres.Unsealed {
		t.Helper()
		u, err := db.Examine(t.Context(), known)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(u.Changed)
		return u
	}
	do := func(sql string, args ...any) {
		t.Helper()
		if _, err := db.Query(t.Context(), "turns", sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if s, u := seal(), look(""); s.N != 0 || u.Seals != 0 {
		t.Fatalf("nothing was said: %+v %+v", s, u)
	}
	for _, c := range []string{"whole", "goes-on", "words", "author", "event", "draft", "end", "gone", "erased", "again"} {
		say(c, "1", "hello")
		say(c, "2", "a refund, please")
		g := suggestion(c, "s-"+c, 2, assist.SuggestionReady)
		if _, err := db.AddSuggestion(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		if _, err := db.SendReply(t.Context(), ann, assist.NewReply{Conversation: c, ClientID: "r", Text: "Of course.", SuggestionID: g.ID}); err != nil {
			t.Fatal(err)
		}
	}
	first := seal()
	if first.N != 1 || first.Conversations != 10 || len(first.Head) != 64 {
		t.Fatalf("%+v", first)
	}
	if s := seal(); s.N != 0 {
		t.Fatalf("the same was sealed twice: %+v", s)
	}
	say("goes-on", "3", "and when?")
	if _, err := db.SetFeedback(t.Context(), ann, "whole", assist.Feedback{SuggestionID: "s-whole", Verdict: "good"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"erased", "again"} {
		if _, err := db.EraseConversation(t.Context(), "ci", c); err != nil {
			t.Fatal(err)
		}
	}
	say("again", "1", "hello anew")
	second := seal()
	if second.N != 2 || second.Conversations != 3 {
		t.Fatalf("%+v", second)
	}
	for _, known := range []string{"", first.Head, second.Head} {
		if u := look(known); u.Seals != 2 || u.Head != second.Head || u.Known != (known != "") || u.Broken != 0 || len(u.Changed) != 0 || u.Gone != 0 {
			t.Fatalf("before anybody changed anything: %+v", u)
		}
	}
	for _, sql := range []string{`UPDATE seals SET up_to = now()`, `DELETE FROM seals`, `UPDATE sealed SET seq = 1`, `DELETE FROM sealed`} {
		if _, err := db.Query(t.Context(), "turns", sql); err == nil {
			t.Errorf("%s was taken", sql)
		}
	}

	for _, table := range []string{"turns", "events", "seals", "sealed"} {
		do(`ALTER TABLE ` + table + ` DISABLE TRIGGER record_stands`)
	}
	do(`UPDATE turns SET text = 'a discount, please' WHERE conversation_id = 'words' AND seq = 2`)
	do(`UPDATE turns SET author = 'somebody' WHERE conversation_id = 'author' AND seq = 1`)
	do(`UPDATE events SET type = 'handoff' WHERE conversation_id = 'event' AND seq = 1`)
	do(`UPDATE suggestions SET body = '{"state":"ready"}' WHERE conversation_id = 'draft'`)
	do(`WITH t AS (DELETE FROM turns WHERE conversation_id = 'end' AND seq > 1), c AS (UPDATE conversations SET last_seq = 1 WHERE id = 'end')
		DELETE FROM events WHERE conversation_id = 'end' AND seq > 1`)
	do(`DELETE FROM conversations WHERE id = 'gone'`)
	want := []string{"author", "draft", "end", "event", "words"}
	if u := look(first.Head); !slices.Equal(u.Changed, want) || u.Gone != 1 || u.Broken != 0 || !u.Known {
		t.Errorf("%+v, want %v changed and one gone", u, want)
	}
	// Whoever makes the seals fit again is found out by a head that is kept elsewhere …
	do(`DELETE FROM sealed`)
	do(`DELETE FROM seals`)
	anew := seal()
	if u := look(second.Head); u.Known || len(u.Changed) != 0 || u.Gone != 0 || u.Head != anew.Head {
		t.Errorf("made anew: %+v", u)
	}
	// … and whoever mends single ones, by the heads themselves.
	do(`UPDATE sealed SET hash = '\x00' WHERE digest = (SELECT digest FROM sealed ORDER BY digest LIMIT 1)`)
	if u := look(""); u.Broken != 1 {
		t.Errorf("a row of a seal was changed: %+v", u)
	}
}

// BenchmarkSeal: what a seal of 1,000 conversations costs.
func BenchmarkSeal(b *testing.B) {
	db := testdb.Open(b)
	n := 0
	for b.Loop() {
		b.StopTimer()
		for i := range 1000 {
			for s := range 10 {
				add(b, db, source, turn(fmt.Sprintf("c%d", i), fmt.Sprint(n, s), assist.RoleCustomer, "The zipper of my jacket broke, and I would like a refund."))
			}
		}
		n++
		b.StartTimer()
		s, err := db.Seal(b.Context(), 0)
		if err != nil || s.Conversations != 1000 {
			b.Fatalf("%+v, %v", s, err)
		}
	}
}
