package invariant_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/invariant"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// TestRead judges a real database, healthy and then robbed.
func TestRead(t *testing.T) {
	const schema = "aside_test_invariant"
	url := testdb.URL(t)
	db := testdb.OpenWith(t, postgres.Config{URL: url, Schema: schema})
	tool := assist.Identity{Subject: "tool", Actor: assist.ActorSource}
	ann := assist.Identity{Subject: "ann", Actor: assist.ActorAgent}
	source, agent := invariant.NewHistory(tool, "c"), invariant.NewHistory(ann, "c")

	n := assist.NewTurn{Conversation: "c", ClientID: "1", Role: assist.RoleCustomer, Text: "zipper?"}
	source.Turn(n.Key(), n.Text)
	st, err := db.AddTurn(t.Context(), tool, n, chat.Lease{})
	if err != nil {
		t.Fatal(err)
	}
	source.OK(n.Key(), st.Turn.Seq)
	if _, err := db.AddSuggestion(t.Context(), assist.Suggestion{ID: "s1", Conversation: "c", ForSeq: 1, State: assist.SuggestionReady}); err != nil {
		t.Fatal(err)
	}
	r := assist.NewReply{Conversation: "c", ClientID: "1", Text: "Sorry.", SuggestionID: "s1"}
	agent.Click(r.Key(), r.Text)
	sent, err := db.SendReply(t.Context(), ann, r)
	if err != nil {
		t.Fatal(err)
	}
	agent.OK(r.Key(), sent.Turn.Seq)
	agent.Opened(0)
	events, err := db.Events(t.Context(), ann, "c", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		agent.Saw(string(e.Type), e.Seq, e.Data)
	}
	agent.SawAll()
	judge := func() []invariant.Violation {
		t.Helper()
		stored, err := invariant.Read(t.Context(), url, schema)
		if err != nil {
			t.Fatal(err)
		}
		return invariant.Check(stored, []*invariant.History{source, agent})
	}
	if broken := judge(); len(broken) > 0 {
		t.Errorf("healthy: %v", broken)
	}

	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	// The database would not let anybody do what follows.
	if _, err := conn.Exec(t.Context(), `SET session_replication_role = replica`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sql  string
		want invariant.Kind
	}{
		{`UPDATE aside_test_invariant.conversations SET run_seq = 1, run_owner = 'node'`, invariant.Lease},
		{`UPDATE aside_test_invariant.suggestions SET state = 'ready'`, invariant.Outcome},
		{`UPDATE aside_test_invariant.turns SET text = 'Never sorry.' WHERE role = 'agent'`, invariant.OtherWords},
		{`DELETE FROM aside_test_invariant.turns WHERE role = 'customer'`, invariant.Lost},
		{`DELETE FROM aside_test_invariant.events WHERE seq = 2`, invariant.Order},
	} {
		if _, err := conn.Exec(t.Context(), c.sql); err != nil {
			t.Fatal(err)
		}
		if broken := judge(); !slices.ContainsFunc(broken, func(v invariant.Violation) bool { return v.Kind == c.want }) {
			t.Errorf("after %s: %v", c.sql, broken)
		}
	}
}
