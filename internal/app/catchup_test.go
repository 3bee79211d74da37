package app

import (
	"log/slog"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/playbook"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// TestCatchUp has one process learn and another take it over, each keeping what
// it had learned itself.
func TestCatchUp(t *testing.T) {
	db := testdb.Open(t)
	one := &guide{db: db, log: slog.New(slog.DiscardHandler), weights: playbook.NewWeights()}
	two := &guide{db: db, log: one.log, weights: playbook.NewWeights()}
	p, _ := playbook.Parse(assist.Document{ID: "lamp", Title: "Lamp", Body: "1. [Open Case] Open a case.\n2. [Send Bulb] Send it.\n"})
	book := playbook.NewBook([]playbook.Procedure{p})
	turns := []assist.Turn{{Seq: 1, Role: assist.RoleCustomer, Text: "my lamp flickers"}, {Seq: 2, Role: assist.RoleSystem, Action: &assist.Action{Name: "Call Team"}}}
	buttons := func(g *guide) []playbook.Press { return g.weights.Forecast(book, turns[:1], playbook.Clues{}).Buttons }
	for range 20 {
		one.weights.Learn(book, []playbook.Past{{Turns: turns, Procedure: "lamp"}})
	}
	want := buttons(one)
	if len(want) != 3 || playbook.Key(want[0].Name) != "callteam" {
		t.Fatalf("learned: %+v", want)
	}
	one.flush()
	two.catchUp()
	if got := buttons(two); len(got) != 3 || got[0].Name != want[0].Name {
		t.Errorf("the other process: %+v", got)
	}
	if one.known != 1 || two.known != 1 {
		t.Errorf("versions %d and %d", one.known, two.known)
	}
	two.weights.Learn(book, []playbook.Past{{Turns: turns, Procedure: "lamp"}})
	one.weights.Learn(book, []playbook.Past{{Turns: turns, Procedure: "lamp"}})
	two.flush()
	one.catchUp() // with something of its own that is not stored yet
	one.flush()
	stored, err := db.StepWeights(t.Context())
	if err != nil || stored["n|lamp"] != 22 {
		t.Errorf("conversations counted: %v, %v", stored["n|lamp"], err)
	}
}

// TestEndedIsLearned learns when agents end, from conversations that were closed.
func TestEndedIsLearned(t *testing.T) {
	db := testdb.Open(t)
	g, err := newGuide(t.Context(), db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := playbook.Parse(assist.Document{ID: "lamp", Title: "Lamp", Body: "1. [Open Case] Open a case.\n2. [Send Bulb] Send it.\n"})
	g.book.Book, g.book.Weights, g.made = playbook.NewBook([]playbook.Procedure{p}), g.weights, time.Now()
	who := assist.Identity{Subject: "tool", Actor: assist.ActorSource}
	for i, text := range []string{"my lamp flickers", "ta ta then"} {
		n := assist.NewTurn{Conversation: "c", ClientID: string(rune('a' + i)), Role: assist.RoleCustomer, Text: text}
		if _, err := db.AddTurn(t.Context(), who, n, chat.Lease{}); err != nil {
			t.Fatal(err)
		}
	}
	turns, _, err := db.Transcript(t.Context(), "c", 10)
	if err != nil {
		t.Fatal(err)
	}
	before := g.weights.Forecast(g.book.Book, turns, playbook.Clues{}).Moves[2]
	for range 20 {
		g.ended("c")
	}
	g.roleSeen("maya", "lead")
	if err := g.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := g.weights.Forecast(g.book.Book, turns, playbook.Clues{}).Moves[2]; after <= before {
		t.Errorf("the share of ending went from %.3f to %.3f", before, after)
	}
	again, err := newGuide(t.Context(), db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if again.roles["maya"] != "lead" {
		t.Errorf("after a restart: %v", again.roles)
	}
	if err := again.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
