package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

var (
	source = assist.Identity{Subject: "desk", Actor: assist.ActorSource}
	ann    = assist.Identity{Subject: "ann", Actor: assist.ActorAgent, Name: "Ann"}
	bob    = assist.Identity{Subject: "bob", Actor: assist.ActorAgent, Name: "Bob"}
)

func customer(conversation string) assist.Identity {
	return assist.Identity{Subject: "cust", Actor: assist.ActorCustomer, Name: "Kim", Conversation: conversation}
}

func turn(conversation, id string, role assist.Role, text string) assist.NewTurn {
	return assist.NewTurn{Conversation: conversation, ClientID: id, Role: role, Text: text}
}

func add(t testing.TB, db *postgres.DB, by assist.Identity, n assist.NewTurn) chat.Stored {
	t.Helper()
	s, err := db.AddTurn(t.Context(), by, n, chat.Lease{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantCode(t testing.TB, err error, code assist.Code, words ...string) {
	t.Helper()
	if assist.CodeOf(err) != code {
		t.Fatalf("error %v, want code %q", err, code)
	}
	for _, w := range words {
		if !strings.Contains(assist.MessageOf(err), w) {
			t.Errorf("message %q does not say %q", assist.MessageOf(err), w)
		}
	}
}

func TestAddTurn(t *testing.T) {
	db := testdb.Open(t)
	at := time.Date(2026, 3, 1, 10, 0, 0, 123456000, time.UTC)
	n := turn("c1", "1", assist.RoleCustomer, "where is my order?")
	n.At, n.ExternalID = at, "m-1"
	s := add(t, db, customer("c1"), n)
	want := assist.Turn{Seq: 1, Role: assist.RoleCustomer, Author: "cust", Name: "Kim", Text: "where is my order?", At: at, ExternalID: "m-1"}
	if d := cmp.Diff(want, s.Turn); d != "" {
		t.Error(d)
	}
	if s.Repeat || s.Conversation.Status != assist.StatusWaiting || s.Conversation.WaitingSince.IsZero() || s.Conversation.CustomerName != "Kim" {
		t.Errorf("new conversation: %+v", s.Conversation)
	}

	s = add(t, db, source, turn("c1", "2", assist.RoleAgent, "on its way\n"+strings.Repeat("x ", 100)))
	c := s.Conversation
	if c.Status != assist.StatusOpen || !c.WaitingSince.IsZero() || c.LastSeq != 2 || c.LastRole != assist.RoleAgent || len([]rune(c.Preview)) != 140 {
		t.Errorf("after an agent's turn: %+v", c)
	}

	act := turn("c1", "3", assist.RoleSystem, "")
	act.Action = &assist.Action{Name: "refund", Values: []string{"12 €"}}
	if s = add(t, db, source, act); s.Conversation.Preview != "refund" {
		t.Errorf("preview of an action: %q", s.Conversation.Preview)
	}

	turns, _, err := db.Transcript(t.Context(), "c1", 2)
	if err != nil || len(turns) != 2 || turns[0].Seq != 2 || turns[1].Action.Values[0] != "12 €" {
		t.Errorf("transcript %+v, %v", turns, err)
	}
}

func TestAddTurnOnce(t *testing.T) {
	db := testdb.Open(t)
	first := add(t, db, source, turn("c1", "1", assist.RoleCustomer, "hello"))
	again := add(t, db, source, turn("c1", "1", assist.RoleCustomer, "hello"))
	if !again.Repeat || len(again.Events) != 0 {
		t.Errorf("a repeat is not one: %+v", again)
	}
	if d := cmp.Diff(first.Turn, again.Turn); d != "" {
		t.Error(d)
	}
	_, err := db.AddTurn(t.Context(), source, turn("c1", "1", assist.RoleCustomer, "other"), chat.Lease{})
	wantCode(t, err, assist.Conflict, "id 1 was already used")
	_, err = db.AddTurn(t.Context(), source, turn("c1", "1", assist.RoleBot, "hello"), chat.Lease{})
	wantCode(t, err, assist.Conflict)

	if s := add(t, db, customer("c1"), turn("c1", "1", assist.RoleCustomer, "hello")); s.Repeat || s.Turn.Seq != 2 {
		t.Errorf("another author's same id: %+v", s)
	}
	alike := source
	alike.Subject = "cust" // as the customer is called
	if s := add(t, db, alike, turn("c1", "1", assist.RoleCustomer, "hello")); s.Repeat || s.Turn.Seq != 3 {
		t.Errorf("another actor's same id: %+v", s)
	}
	if s := add(t, db, source, turn("c2", "1", assist.RoleCustomer, "hello")); s.Repeat || s.Turn.Seq != 1 {
		t.Errorf("another conversation's same id: %+v", s)
	}
}

func TestAddTurnConcurrently(t *testing.T) {
	db := testdb.Open(t)
	const writers, each = 20, 10
	var wg sync.WaitGroup
	errs := make(chan error, writers*each*2)
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				n := turn("c1", fmt.Sprintf("%d-%d", w, i), assist.RoleCustomer, fmt.Sprintf("%d %d", w, i))
				for range 2 { // every one is sent twice
					if _, err := db.AddTurn(t.Context(), source, n, chat.Lease{}); err != nil {
						errs <- err
					}
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	turns, _, err := db.Transcript(t.Context(), "c1", 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, turn := range turns {
		if turn.Seq != int64(i+1) {
			t.Fatalf("turn %d has seq %d", i, turn.Seq)
		}
		seen[turn.Text] = true
	}
	if len(seen) != writers*each || len(turns) != writers*each {
		t.Errorf("%d turns, %d different; want %d", len(turns), len(seen), writers*each)
	}
}

func TestAddTurnRefuses(t *testing.T) {
	db := testdb.Open(t)
	for name, c := range map[string]struct {
		by   assist.Identity
		turn assist.NewTurn
		code assist.Code
	}{
		"another's conversation": {customer("c2"), turn("c1", "1", assist.RoleCustomer, "x"), assist.Forbidden},
		"customer as agent":      {customer("c1"), turn("c1", "1", assist.RoleAgent, "x"), assist.Forbidden},
		"agent past reply.send":  {ann, turn("c1", "1", assist.RoleAgent, "x"), assist.Forbidden},
		"nobody":                 {assist.Identity{}, turn("c1", "1", assist.RoleCustomer, "x"), assist.Forbidden},
		"NUL":                    {source, turn("c1", "1", assist.RoleCustomer, "a\x00b"), assist.Invalid},
		"invalid UTF-8":          {source, turn("c1", "1", assist.RoleCustomer, "a\xff"), assist.Invalid},
		"no id":                  {source, turn("c1", "", assist.RoleCustomer, "x"), assist.Invalid},
		"too long":               {source, turn("c1", "1", assist.RoleCustomer, strings.Repeat("é", 8001)), assist.Invalid},
	} {
		_, err := db.AddTurn(t.Context(), c.by, c.turn, chat.Lease{})
		if assist.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	_, err := db.Conversation(t.Context(), "c1")
	wantCode(t, err, assist.NotFound)
}

// Text is data, whatever it looks like.
func TestHostileText(t *testing.T) {
	db := testdb.Open(t)
	for i, s := range []string{`'; DROP TABLE turns; --`, `$1 %s \' \\ {"a":1}`, `"}]::json`, strings.Repeat("é", 8000), "\u202e\ufeff\u2028\U0010ffff"} {
		id := strings.ReplaceAll(s, "\u2028", "")
		if len(id) > 190 {
			id = "long"
		}
		n := assist.NewTurn{Conversation: id, ClientID: id, Role: assist.RoleCustomer, Text: s, Name: "x" + id, ExternalID: id,
			Action: &assist.Action{Name: id, Values: []string{id}}}
		got := add(t, db, source, n)
		if got.Turn.Text != s || got.Turn.Name != n.Name {
			t.Errorf("%d: stored %q", i, got.Turn.Text)
		}
		events, err := db.Events(t.Context(), ann, id, 0, 0)
		if err != nil || len(events) != 1 {
			t.Fatalf("%d: %v, %v", i, events, err)
		}
		if d := cmp.Diff(got.Events, events); d != "" {
			t.Errorf("%d: %s", i, d)
		}
	}
}

func TestQueueAndClose(t *testing.T) {
	db := testdb.Open(t)
	for _, id := range []string{"c1", "c2", "c3", "c4"} {
		add(t, db, source, turn(id, "1", assist.RoleCustomer, "hello"))
	}
	add(t, db, source, turn("c1", "2", assist.RoleAgent, "hi")) // nobody waits there
	e, err := db.Close(t.Context(), ann, "c2", "solved")
	if err != nil || e.Seq != 2 || e.Type != assist.EventConversationClosed {
		t.Fatalf("%+v, %v", e, err)
	}
	again, err := db.Close(t.Context(), bob, "c2", "other")
	if err != nil || cmp.Diff(e, again) != "" {
		t.Errorf("closed twice: %+v, %v", again, err)
	}
	_, err = db.TakeHandoff(t.Context(), ann, "c2")
	wantCode(t, err, assist.Conflict)
	_, err = db.Close(t.Context(), customer("c3"), "c3", "")
	wantCode(t, err, assist.Forbidden)
	_, err = db.Close(t.Context(), ann, "none", "")
	wantCode(t, err, assist.NotFound)

	queue, err := db.Queue(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range queue {
		ids = append(ids, c.ID)
	}
	if d := cmp.Diff([]string{"c3", "c4", "c1"}, ids); d != "" {
		t.Error(d)
	}

	s := add(t, db, source, turn("c2", "2", assist.RoleCustomer, "not solved"))
	if c := s.Conversation; c.Status != assist.StatusWaiting || c.Resolution != "" || c.Agent != "" {
		t.Errorf("after the customer wrote again: %+v", c)
	}
}

func TestTakeHandoff(t *testing.T) {
	db := testdb.Open(t)
	add(t, db, source, turn("c1", "1", assist.RoleCustomer, "hello"))
	_, err := db.TakeHandoff(t.Context(), customer("c1"), "c1")
	wantCode(t, err, assist.Forbidden)
	if _, err = db.TakeHandoff(t.Context(), ann, "c1"); err != nil {
		t.Fatal(err)
	}
	e, err := db.TakeHandoff(t.Context(), bob, "c1")
	if err != nil {
		t.Fatal(err)
	}
	if string(e.Public) != `{"state":"taken","to_name":"Bob"}` || e.Seq != 3 {
		t.Errorf("event %s %+v", e.Public, e)
	}
	if again, err := db.TakeHandoff(t.Context(), bob, "c1"); err != nil || again.Seq != e.Seq {
		t.Errorf("taken twice: %+v %v, want the event of the first time", again, err)
	}
	c, err := db.Conversation(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	if c.LastSeq != 3 || c.Agent != "bob" || c.AgentName != "Bob" || c.Handoff.From != "ann" || c.Status != assist.StatusOpen || c.WaitingSince.IsZero() {
		t.Errorf("%+v %+v", c, c.Handoff)
	}
}

func TestLease(t *testing.T) {
	db := testdb.Open(t)
	lease := func(id string, d time.Duration) {
		t.Helper()
		if _, err := db.AddTurn(t.Context(), source, turn(id, "1", assist.RoleCustomer, "hello"), chat.Lease{Owner: "a", For: d}); err != nil {
			t.Fatal(err)
		}
	}
	lease("late", time.Microsecond)
	lease("done", time.Microsecond)
	lease("answered", time.Microsecond)
	lease("running", time.Hour)
	add(t, db, source, turn("none", "1", assist.RoleCustomer, "hello"))
	if _, err := db.AddSuggestion(t.Context(), suggestion("done", "s1", 1, assist.SuggestionSuperseded)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SendReply(t.Context(), ann, assist.NewReply{Conversation: "answered", ClientID: "r", Text: "yes"}); err != nil {
		t.Fatal(err)
	}
	got, err := db.Orphans(t.Context(), chat.Lease{Owner: "b", For: time.Hour}, 10)
	if d := cmp.Diff([]chat.Orphan{{Conversation: "late", ForSeq: 1}}, got); d != "" || err != nil {
		t.Error(d, err)
	}
	got, err = db.Orphans(t.Context(), chat.Lease{Owner: "c", For: time.Hour}, 10)
	if len(got) != 0 || err != nil {
		t.Errorf("taken twice: %v, %v", got, err)
	}
}

// A caller that went away takes nothing down with it.
func TestCancelledCaller(t *testing.T) {
	db := testdb.OpenWith(t, postgres.Config{Turns: postgres.Pool{Conns: 1}})
	add(t, db, source, turn("c1", "1", assist.RoleCustomer, "hello"))
	backend, err := db.Query(t.Context(), "turns", `SELECT pg_backend_pid()`)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			db.AddTurn(ctx, source, turn("c1", fmt.Sprint("x", i), assist.RoleCustomer, "hi"), chat.Lease{})
		}()
		cancel()
		<-done
	}
	after, err := db.Query(t.Context(), "turns", `SELECT pg_backend_pid()`)
	if err != nil || cmp.Diff(backend, after) != "" {
		t.Errorf("the connection did not survive: %v, %v, %v", backend, after, err)
	}
}

// suggestion is a finished one with a draft and an instant draft.
func suggestion(conversation, id string, forSeq int64, state assist.SuggestionState) assist.Suggestion {
	draft := assist.NewDraft(assist.OriginModel, []assist.Sentence{{Text: "You can return it within 30 days."}})
	instant := assist.NewDraft(assist.OriginKnowledge, []assist.Sentence{{Text: "Returns are free."}})
	return assist.Suggestion{ID: id, Conversation: conversation, ForSeq: forSeq, State: state, Standing: assist.StandingReady,
		Draft: &draft, Instant: &instant, Hits: []assist.Hit{{Passage: assist.Passage{ID: "p1", Text: "secret price floor"}}},
		Prompt: &assist.PromptRef{Name: "draft", Version: "v1", Text: "the rendered prompt"}, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// A lease lives as long as its owner renews it, and ends when there is nothing
// to suggest.
func TestRenewAndRelease(t *testing.T) {
	db := testdb.Open(t)
	for _, id := range []string{"renewed", "others", "released"} {
		owner := "a"
		if id == "others" {
			owner = "z"
		}
		if _, err := db.AddTurn(t.Context(), source, turn(id, "1", assist.RoleCustomer, "hello"), chat.Lease{Owner: owner, For: time.Microsecond}); err != nil {
			t.Fatal(err)
		}
	}
	held := []chat.Orphan{{Conversation: "renewed", ForSeq: 1}, {Conversation: "others", ForSeq: 1}, {Conversation: "released", ForSeq: 7}}
	still, err := db.Renew(t.Context(), chat.Lease{Owner: "a", For: time.Hour}, held)
	if d := cmp.Diff(held[:1], still); d != "" || err != nil {
		t.Fatal(d, err)
	}
	for _, o := range []chat.Orphan{{Conversation: "released", ForSeq: 1}, {Conversation: "renewed", ForSeq: 9}, {Conversation: "others", ForSeq: 1}} {
		if err := db.Release(t.Context(), "a", o); err != nil {
			t.Fatal(err)
		}
	}
	got, err := db.Orphans(t.Context(), chat.Lease{Owner: "b", For: time.Hour}, 10)
	if d := cmp.Diff([]chat.Orphan{{Conversation: "others", ForSeq: 1}}, got); d != "" || err != nil {
		t.Error(d, err)
	}
	_, err = db.Renew(t.Context(), chat.Lease{}, held)
	wantCode(t, err, assist.Invalid)
}

func TestCounts(t *testing.T) {
	db := testdb.Open(t)
	before, err := db.Counts(t.Context())
	if err != nil || before.Documents != 0 || before.Passages != 0 {
		t.Fatalf("%+v, %v", before, err)
	}
	doc := document("a", assist.AudiencePublic, "Refunds take five days.", "Returns are free.")
	doc.Source = "folder"
	if _, err := db.PutDocuments(t.Context(), []assist.Document{doc}); err != nil {
		t.Fatal(err)
	}
	after, err := db.Counts(t.Context())
	if err != nil || after.Documents != 1 || after.Passages != 2 || after.Version == before.Version {
		t.Errorf("%+v, %v", after, err)
	}
	sources, err := db.Sources(t.Context())
	if d := cmp.Diff([]string{"folder"}, sources); d != "" || err != nil {
		t.Error(d, err)
	}
}
