package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// asks adds a customer's turn to a conversation that the bot has.
func asks(t testing.TB, db *postgres.DB, conversation, id, text string) chat.Stored {
	t.Helper()
	n := turn(conversation, id, assist.RoleCustomer, text)
	n.Bot = true
	s, err := db.AddTurn(t.Context(), customer(conversation), n, chat.Lease{Owner: "here", For: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func answer(conversation string, forSeq int64, text string) assist.NewAnswer {
	return assist.NewAnswer{Conversation: conversation, ForSeq: forSeq, BotReply: assist.BotReply{Text: text, Name: "Wren", Sources: []assist.Source{{Title: "Returns", URL: "https://shop.example/returns"}}}}
}

func goodbye(conversation string, forSeq int64) assist.NewHandoff {
	return assist.NewHandoff{Conversation: conversation, ForSeq: forSeq, Bot: true, BotReply: assist.BotReply{Text: "A person comes.", Name: "Wren",
		Handoff: &assist.Handoff{Code: assist.HandoffNoEvidence, Reason: "Nothing public answers this.", Summary: "returns", From: assist.FromBot}}}
}

func TestBotAnswers(t *testing.T) {
	db := testdb.Open(t)
	s := asks(t, db, "c1", "1", "How long do returns take?")
	if s.Conversation.Status != assist.StatusBot {
		t.Fatalf("status %s", s.Conversation.Status)
	}
	a := answer("c1", s.Turn.Seq, "30 days.")
	g := suggestion("c1", "s1", s.Turn.Seq, assist.SuggestionReady)
	a.Suggestion = &g
	first, err := db.AddAnswer(t.Context(), a)
	if err != nil || first.Dropped || first.Turn.Role != assist.RoleBot || first.Conversation.Status != assist.StatusBot || !first.Conversation.WaitingSince.IsZero() {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := db.AddAnswer(t.Context(), a)
	if err != nil || !again.Repeat || again.Turn.Seq != first.Turn.Seq {
		t.Errorf("%+v, %v", again, err)
	}
	events, err := db.Events(t.Context(), customer("c1"), "c1", 0, 0)
	if err != nil || len(events) != 2 || !strings.Contains(string(events[1].Public), `"sources":[{"title":"Returns","url":"https://shop.example/returns"}]`) {
		t.Errorf("%+v, %v", events, err)
	}
	if d := cmp.Diff(first.Events[0].Public, events[1].Public); d != "" {
		t.Error(d)
	}
	kept, err := db.Suggestion(t.Context(), "s1")
	if err != nil || kept.State != assist.SuggestionAccepted {
		t.Errorf("%+v, %v", kept, err)
	}
}

// Whoever has the row first wins, and the other does nothing.
func TestBotIsSilentOnceAPersonIsThere(t *testing.T) {
	db := testdb.Open(t)
	for name, person := range map[string]func(c string) error{
		"replies": func(c string) error {
			_, err := db.SendReply(t.Context(), ann, assist.NewReply{Conversation: c, ClientID: "r", Text: "I'm here"})
			return err
		},
		"takes": func(c string) error { _, err := db.TakeHandoff(t.Context(), ann, c); return err },
		"replies elsewhere": func(c string) error {
			_, err := db.AddTurn(t.Context(), source, turn(c, "x", assist.RoleAgent, "Hi, Ann here"), chat.Lease{})
			return err
		},
		"closes": func(c string) error { _, err := db.Close(t.Context(), ann, c, ""); return err },
	} {
		s := asks(t, db, name, "1", "Where?")
		if err := person(name); err != nil {
			t.Fatal(err)
		}
		if got, err := db.AddAnswer(t.Context(), answer(name, s.Turn.Seq, "Here.")); err != nil || !got.Dropped || len(got.Events) > 0 {
			t.Errorf("%s: the bot still answered: %+v, %v", name, got, err)
		}
		if got, err := db.HandOver(t.Context(), assist.Identity{}, goodbye(name, s.Turn.Seq), chat.Lease{}); err != nil || !got.Dropped {
			t.Errorf("%s: the bot still handed over: %+v, %v", name, got, err)
		}
	}
	// A newer turn: the answer is to something else by now.
	s := asks(t, db, "newer", "1", "Where?")
	asks(t, db, "newer", "2", "I mean the shop")
	if got, err := db.AddAnswer(t.Context(), answer("newer", s.Turn.Seq, "Here.")); err != nil || !got.Dropped {
		t.Errorf("%+v, %v", got, err)
	}
}

// Complaint 16 of the field: said twice, or not at all.
func TestOneHandoverWhoeverAsks(t *testing.T) {
	db := testdb.Open(t)
	s := asks(t, db, "c1", "1", "Where is it?")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var events, dropped int
	seqs := map[int64]bool{}
	for i := range 24 {
		wg.Go(func() {
			var got chat.Stored
			var err error
			switch i % 3 {
			case 0: // the bot, of one process or another
				got, err = db.HandOver(t.Context(), assist.Identity{}, goodbye("c1", s.Turn.Seq), chat.Lease{Owner: "n", For: time.Second})
			default: // the button, in two tabs
				n := goodbye("c1", 0)
				n.Handoff.Code = assist.HandoffAsked
				got, err = db.HandOver(t.Context(), customer("c1"), n, chat.Lease{})
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			events += len(got.Events)
			if got.Dropped {
				dropped++
			}
			if got.HandedSeq > 0 {
				seqs[got.HandedSeq] = true
			}
		})
	}
	wg.Wait()
	if events != 2 || dropped != 23 || len(seqs) != 1 {
		t.Errorf("%d events, %d dropped, seqs %v", events, dropped, seqs)
	}
	log, err := db.Events(t.Context(), ann, "c1", 0, 0)
	if err != nil || len(log) != 3 || log[1].Type != assist.EventTurnAdded || log[2].Type != assist.EventHandoff {
		t.Fatalf("%+v, %v", log, err)
	}
	if !strings.Contains(string(log[2].Public), `"state":"waiting","ahead":0`) {
		t.Errorf("%s", log[2].Public)
	}
	c, err := db.Conversation(t.Context(), "c1")
	if err != nil || c.Status != assist.StatusWaiting || c.Handoff == nil || c.Handoff.Summary != "returns" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestReopenedConversationIsFresh(t *testing.T) {
	db := testdb.Open(t)
	s := asks(t, db, "c1", "1", "I want a human")
	if _, err := db.HandOver(t.Context(), assist.Identity{}, goodbye("c1", s.Turn.Seq), chat.Lease{}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Close(t.Context(), ann, "c1", "done"); err != nil {
		t.Fatal(err)
	}
	back := asks(t, db, "c1", "2", "How long do returns take?")
	if c := back.Conversation; c.Status != assist.StatusBot || c.FreshSeq != back.Turn.Seq-1 || c.Handoff != nil {
		t.Fatalf("%+v", c)
	}
	got, err := db.AddAnswer(t.Context(), answer("c1", back.Turn.Seq, "30 days."))
	if err != nil || got.Dropped {
		t.Fatalf("%+v, %v", got, err)
	}
	last := asks(t, db, "c1", "3", "and the moon?")
	got, err = db.HandOver(t.Context(), assist.Identity{}, goodbye("c1", last.Turn.Seq), chat.Lease{})
	if err != nil || got.Dropped {
		t.Errorf("the second episode has no hand-over: %+v, %v", got, err)
	}
}

func TestHandoverOfNothing(t *testing.T) {
	db := testdb.Open(t)
	// The button before a word was written, and again.
	for i := range 2 {
		got, err := db.HandOver(t.Context(), customer("new"), goodbye("new", 0), chat.Lease{})
		if err != nil || got.Dropped != (i == 1) || got.HandedSeq != 2 {
			t.Errorf("%d: %+v, %v", i, got, err)
		}
	}
	_, err := db.HandOver(t.Context(), customer("other"), goodbye("new", 0), chat.Lease{})
	wantCode(t, err, assist.Forbidden)
	// People have it already: nothing is said.
	add(t, db, source, turn("c2", "1", assist.RoleCustomer, "hello"))
	if _, err := db.TakeHandoff(t.Context(), ann, "c2"); err != nil {
		t.Fatal(err)
	}
	got, err := db.HandOver(t.Context(), customer("c2"), goodbye("c2", 0), chat.Lease{})
	if err != nil || !got.Dropped {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReturnHandoff(t *testing.T) {
	db := testdb.Open(t)
	s := asks(t, db, "c1", "1", "Where?")
	if _, err := db.HandOver(t.Context(), assist.Identity{}, goodbye("c1", s.Turn.Seq), chat.Lease{}); err != nil {
		t.Fatal(err)
	}
	_, err := db.ReturnHandoff(t.Context(), ann, "c1", "")
	wantCode(t, err, assist.Conflict)
	if _, err := db.TakeHandoff(t.Context(), ann, "c1"); err != nil {
		t.Fatal(err)
	}
	_, err = db.ReturnHandoff(t.Context(), customer("c1"), "c1", "")
	wantCode(t, err, assist.Forbidden)
	e, err := db.ReturnHandoff(t.Context(), ann, "c1", "needs the warehouse")
	if err != nil || !strings.Contains(string(e.Public), `"state":"waiting"`) || strings.Contains(string(e.Public), "warehouse") {
		t.Fatalf("%s, %v", e.Public, err)
	}
	c, err := db.Conversation(t.Context(), "c1")
	if err != nil || c.Status != assist.StatusWaiting || c.Agent != "" || c.Handoff.Code != assist.HandoffReturned || c.Handoff.Summary != "returns" {
		t.Errorf("%+v %+v, %v", c, c.Handoff, err)
	}
	again := asks(t, db, "c1", "2", "Anybody?")
	if again.Conversation.Status != assist.StatusWaiting {
		t.Errorf("the bot is back: %s", again.Conversation.Status)
	}
}

func TestHonestWait(t *testing.T) {
	db := testdb.Open(t)
	last := func(c string) string {
		s := asks(t, db, c, "1", "Where?")
		got, err := db.HandOver(t.Context(), assist.Identity{}, goodbye(c, s.Turn.Seq), chat.Lease{})
		if err != nil {
			t.Fatal(err)
		}
		return string(got.Events[1].Public)
	}
	for i := range 3 {
		if got, want := last(fmt.Sprint("w", i)), fmt.Sprintf(`{"state":"waiting","ahead":%d}`, i); got != want {
			t.Errorf("got %s, want %s", got, want) // how long is not known: nothing is said of it
		}
	}
	for i := range 6 {
		last(fmt.Sprint("t", i))
		if _, err := db.TakeHandoff(t.Context(), ann, fmt.Sprint("t", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Query(t.Context(), "turns", `UPDATE handovers SET at = taken_at - interval '90 seconds' WHERE taken_at IS NOT NULL`); err != nil {
		t.Fatal(err)
	}
	if got := last("x"); got != `{"state":"waiting","ahead":3,"wait_s":90}` {
		t.Error(got)
	}
}

// Two tabs and two devices are one customer.
func TestCustomerConversation(t *testing.T) {
	db := testdb.Open(t)
	ids := make(chan string, 20)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			id, err := db.CustomerConversation(t.Context(), "site:7", "Cleo", fmt.Sprint("web_", i))
			if err != nil {
				t.Error(err)
			}
			ids <- id
		})
	}
	wg.Wait()
	close(ids)
	first := <-ids
	for id := range ids {
		if id != first {
			t.Errorf("%s and %s", first, id)
		}
	}
	if q, err := db.Queue(t.Context(), 0); err != nil || len(q) != 0 {
		t.Errorf("nothing was said yet, and agents see %v, %v", q, err)
	}
	n := turn(first, "1", assist.RoleCustomer, "hello")
	n.Bot = true
	s, err := db.AddTurn(t.Context(), customer(first), n, chat.Lease{})
	if err != nil || s.Conversation.Status != assist.StatusBot || s.Turn.Seq != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := db.Close(t.Context(), ann, first, ""); err != nil {
		t.Fatal(err)
	}
	if id, err := db.CustomerConversation(t.Context(), "site:7", "Cleo", "web_new"); err != nil || id != "web_new" {
		t.Errorf("%s, %v", id, err)
	}
}

func TestBotCounts(t *testing.T) {
	db := testdb.Open(t)
	day := time.Now().UTC().Truncate(24 * time.Hour)
	full := make(chan string, 40)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			f, err := db.CountBot(t.Context(), day, []postgres.BotCount{{Scope: "customer", Key: fmt.Sprint(i % 2), Most: 15}, {Scope: "day", Most: 25}})
			if err != nil {
				t.Error(err)
			}
			full <- f
		})
	}
	wg.Wait()
	close(full)
	n := map[string]int{}
	for f := range full {
		n[f]++
	}
	if n[""] != 25 || n["customer"]+n["day"] != 15 {
		t.Errorf("%v", n)
	}
	rows, err := db.Query(t.Context(), "turns", `SELECT sum(n)::int FROM bot_counts WHERE scope = 'customer'`)
	if err != nil || rows[0][0] != int32(25) {
		t.Errorf("refused answers were counted: %v, %v", rows, err)
	}
}

// What the tokens cost never goes over the cap, however many reserve at once.
func TestTokensAreNeverOverspent(t *testing.T) {
	db := testdb.Open(t)
	day := time.Now().UTC().Truncate(24 * time.Hour)
	const most = 10_000
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			ok, err := db.ReserveTokens(t.Context(), day, 900, most)
			if err != nil {
				t.Error(err)
			}
			if ok {
				if err := db.SettleTokens(t.Context(), day, 900, 700); err != nil {
					t.Error(err)
				}
			}
			if spent, reserved, err := db.TokensSpent(t.Context(), day); err != nil || spent+reserved > most {
				t.Errorf("spent %d, reserved %d, %v", spent, reserved, err)
			}
		})
	}
	wg.Wait()
	for ok := true; ok; { // what room is left is used, and no more
		var err error
		if ok, err = db.ReserveTokens(t.Context(), day, 900, most); err != nil {
			t.Fatal(err)
		}
		if ok {
			if err := db.SettleTokens(t.Context(), day, 900, 700); err != nil {
				t.Fatal(err)
			}
		}
	}
	spent, reserved, err := db.TokensSpent(t.Context(), day)
	if err != nil || reserved != 0 || spent+900 <= most || spent > most || spent%700 != 0 {
		t.Errorf("spent %d, reserved %d, %v", spent, reserved, err)
	}
	if ok, err := db.ReserveTokens(t.Context(), day.AddDate(0, 0, 1), 5, 4); ok || err != nil {
		t.Errorf("more than the whole day's: %v, %v", ok, err)
	}
}

// The bot's index shows nothing internal, whatever audience it is asked with, and
// its connections can write nothing and read no table that agents work with.
func TestCustomersIndex(t *testing.T) {
	db := testdb.Open(t)
	add(t, db, source, turn("c1", "1", assist.RoleCustomer, "hello"))
	if _, err := db.AddSuggestion(t.Context(), suggestion("c1", "s1", 1, assist.SuggestionReady)); err != nil {
		t.Fatal(err)
	}
	inside := document("closed", assist.AudienceInternal, "secret words")
	inside.Kind = assist.KindProcedure
	put(t, db, document("open", assist.AudiencePublic, "public words"), inside, document("undeclared", "", "canary words"))
	if err := db.PutVectors(t.Context(), "m", 2, []string{"open/0", "closed/0", "undeclared/0"}, [][]float32{{1, 0}, {0, 1}, {1, 1}}); err != nil {
		t.Fatal(err)
	}
	learn(t, db, lesson("c1", 1, "words asked", 1, "open/0"), lesson("c2", 1, "secret canary", 1, "closed/0", "undeclared/0"))
	if _, err := db.AddStepWeights(t.Context(), map[string]float64{"secret": 1}, nil); err != nil {
		t.Fatal(err)
	}
	if err := db.PutBotSettings(t.Context(), "secret", "x"); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"conversations", "suggestions", "gaps", "lessons", "step_weights", "gestures", "authority", "handovers", "bot_settings", "bot_counts", "bot_tokens"} {
		if rows, err := db.Query(t.Context(), "bot", `SELECT * FROM `+table); err == nil {
			t.Errorf("the bot's connection reads %s: %v", table, rows)
		}
	}
	for _, sql := range []string{`SELECT id, body FROM documents`, `SELECT * FROM passages`, `SELECT * FROM passage_vectors`, `SELECT * FROM learned`,
		`SELECT id, term, df_public FROM lexicon`, `SELECT seq, text FROM turns`, `SELECT seq, type FROM events`} {
		rows, err := db.Query(t.Context(), "bot", sql)
		if s := fmt.Sprint(rows); err != nil || strings.Contains(s, "closed") || strings.Contains(s, "secret") || strings.Contains(s, "canary") || strings.Contains(s, "undeclared") {
			t.Errorf("%s: %s, %v", sql, s, err)
		}
	}
	for _, sql := range []string{`DELETE FROM passages`, `SET ROLE NONE; DELETE FROM passages`, `UPDATE documents SET audience = 'public'`} {
		if _, err := db.Query(t.Context(), "bot", sql); err == nil {
			t.Errorf("%s works", sql)
		}
	}
	index := db.Customers()
	for _, audience := range []assist.Audience{"", assist.AudiencePublic, assist.AudienceInternal} {
		scope := retrieve.Scope{Audience: audience}
		lex, err := index.Lexicon(t.Context(), scope, []string{"secret", "canary", "words", "public"})
		if err != nil || lex.Passages != 1 || lex.Terms["secret"].DF != 0 || lex.Terms["words"].DF != 1 {
			t.Errorf("%q: %+v, %v", audience, lex, err)
		}
		all, err := db.Lexicon(t.Context(), retrieve.Scope{Audience: assist.AudienceInternal}, []string{"secret", "canary", "words"})
		if err != nil {
			t.Fatal(err)
		}
		hits, err := index.Lexical(t.Context(), scope, query(all))
		if err != nil || len(hits) != 1 || hits[0].ID != "open/0" {
			t.Errorf("%q: %+v, %v", audience, hits, err)
		}
		hits, err = index.Dense(t.Context(), scope, "m", []float32{0, 1})
		if err != nil || len(hits) != 1 || hits[0].ID != "open/0" {
			t.Errorf("%q: %+v, %v", audience, hits, err)
		}
		for _, id := range []string{"closed", "undeclared"} {
			if d, err := index.Document(t.Context(), scope, id); d != nil || err != nil {
				t.Errorf("%q: %v, %v", audience, d, err)
			}
		}
	}
}

// A hand-over is whole or did not happen.
func TestHandoverFailsWhole(t *testing.T) {
	db := testdb.Open(t)
	s := asks(t, db, "c1", "1", "Where?")
	n := goodbye("c1", s.Turn.Seq)
	n.Text = "bad \x00 text"
	if _, err := db.HandOver(t.Context(), assist.Identity{}, n, chat.Lease{}); err == nil {
		t.Fatal("stored")
	}
	c, err := db.Conversation(t.Context(), "c1")
	if err != nil || c.Status != assist.StatusBot || c.LastSeq != 1 || c.Handoff != nil {
		t.Errorf("%+v, %v", c, errors.Join(err))
	}
}
