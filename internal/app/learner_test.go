package app

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/observe"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// A reply that uses what a suggestion cites makes the passage findable by the
// customer's own words; forgetting the conversation takes that back.
func TestSentReplyTeaches(t *testing.T) {
	db := testdb.Open(t)
	ctx := t.Context()
	doc, err := ingest.Parse(t.Context(), "parcels", "text/markdown", []byte("# Consignments\n\nLost consignments are traced within five working days.\n"), ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.PutDocuments(ctx, []assist.Document{doc}); err != nil {
		t.Fatal(err)
	}
	passage := doc.Passages[0]
	customer := assist.Identity{Actor: assist.ActorSource, Subject: "tool"}
	agent := assist.Identity{Actor: assist.ActorAgent, Subject: "ann", Name: "Ann"}
	if _, err := db.AddTurn(ctx, customer, assist.NewTurn{ClientID: "1", Conversation: "c1", Role: assist.RoleCustomer, Text: "my postie never brought my package"}, chat.Lease{}); err != nil {
		t.Fatal(err)
	}
	draft := assist.NewDraft(assist.OriginKnowledge, []assist.Sentence{{Text: "Lost consignments are traced within five working days.",
		Citations: []assist.Citation{{PassageID: passage.ID, Quote: passage.Text}}}})
	if _, err := db.AddSuggestion(ctx, assist.Suggestion{ID: "s1", Conversation: "c1", ForSeq: 1, State: assist.SuggestionReady, Instant: &draft,
		Question: assist.Question{Language: "en"}}); err != nil {
		t.Fatal(err)
	}
	st, err := db.SendReply(ctx, agent, assist.NewReply{ClientID: "2", Conversation: "c1", SuggestionID: "s1", Text: "Sorry! " + draft.Text})
	if err != nil {
		t.Fatal(err)
	}
	r := retrieve.New(db, nil, retrieve.Options{})
	found := func() int {
		res, err := r.Search(ctx, retrieve.Scope{Audience: assist.AudienceInternal},
			retrieve.Listen([]assist.Turn{{Role: assist.RoleCustomer, Text: "where is the package the postie should have brought"}}))
		if err != nil {
			t.Fatal(err)
		}
		return len(res.Hits)
	}
	if n := found(); n != 0 {
		t.Fatalf("%d hits before the reply", n)
	}
	var said strings.Builder
	l := newLearner(db, r, watched{Metrics: observe.NewMetrics(prometheus.NewRegistry(), observe.Price{})}, slog.New(slog.NewTextHandler(&said, nil)))
	l.start()
	l.replied("c1", st.Turn, nil)
	if err := l.stop(ctx); err != nil {
		t.Fatal(err)
	}
	if n := found(); n != 1 {
		t.Errorf("%d hits after the reply; log: %s", n, said.String())
	}
	if err := db.Forget(ctx, "c1"); err != nil {
		t.Fatal(err)
	}
	if n := found(); n != 0 {
		t.Errorf("%d hits after the conversation was forgotten", n)
	}
}

// TestSecretsAreNotLearned makes a lesson of a chat in which somebody told a
// password in plain words.
func TestSecretsAreNotLearned(t *testing.T) {
	db := testdb.Open(t)
	doc, err := ingest.Parse(t.Context(), "login", "text/markdown", []byte("# Login\n\nWe unlock the account when the sunflower logo shows. Reset links come by mail.\n"), ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.PutDocuments(t.Context(), []assist.Document{doc}); err != nil {
		t.Fatal(err)
	}
	turns := []assist.Turn{
		{Seq: 1, Role: assist.RoleCustomer, Text: "I cannot log in any more, my password: sunflower, card 4111 1111 1111 1111"},
		{Seq: 2, Role: assist.RoleAgent, Text: "We unlock the account when the sunflower logo shows."},
	}
	lessons, err := lessonsOf(t.Context(), retrieve.New(db, nil, retrieve.Options{}), "x", turns)
	if err != nil || len(lessons) != 1 || len(lessons[0].Terms) == 0 {
		t.Fatalf("%+v, %v", lessons, err)
	}
	for _, term := range lessons[0].Terms {
		if strings.Contains(term.Text, "sunflow") || strings.Contains(term.Text, "4111") {
			t.Errorf("the lesson holds %q", term.Text)
		}
	}
}

func TestLearnFile(t *testing.T) {
	db := testdb.Open(t)
	doc, err := ingest.Parse(t.Context(), "refunds", "text/markdown", []byte("# Refunds\n\nWe pay the refund to the card you used within five days.\n"), ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.PutDocuments(t.Context(), []assist.Document{doc}); err != nil {
		t.Fatal(err)
	}
	file := strings.Join([]string{
		`{"_id":"a","turns":[{"role":"customer","text":"when is my cash back"},{"role":"action","text":"looked up"},{"role":"agent","text":"We pay the refund to your card within five days."}]}`,
		`{"_id":"b","turns":[{"role":"customer","text":"hello"},{"role":"agent","text":"Hi, how can I help you today?"}]}`,
		`not json`, ``, `{"_id":"c","turns":[{"role":"wizard","text":"x"}]}`,
	}, "\n")
	var skipped []int
	read := func() LearnReport {
		report, err := LearnFile(t.Context(), db, retrieve.New(db, nil, retrieve.Options{}), strings.NewReader(file), func(line int, _ string) { skipped = append(skipped, line) }, nil)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	if got, want := read(), (LearnReport{Conversations: 2, Questions: 1, Skipped: 2}); got != want {
		t.Errorf("report %+v, want %+v", got, want)
	}
	if got := read(); got.Questions != 0 {
		t.Errorf("the same file again teaches %d questions", got.Questions)
	}
	if len(skipped) != 4 || skipped[0] != 3 || skipped[1] != 5 {
		t.Errorf("skipped lines %v", skipped)
	}
}
