package postgres_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/connect/deliver"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// told is what the tests' conversations are to be told of: every turn.
func told(events []assist.Event) ([]deliver.New, error) {
	var out []deliver.New
	for _, e := range events {
		var t assist.Turn
		if err := json.Unmarshal(e.Data, &t); err != nil {
			return nil, err
		}
		out = append(out, deliver.New{Kind: "turn", Key: t.ExternalID, Body: map[string]string{"text": t.Text}})
	}
	return out, nil
}

func say(t *testing.T, db *postgres.DB, conversation, id string) {
	t.Helper()
	_, err := db.AddTurn(t.Context(), assist.Identity{Subject: "tool", Actor: assist.ActorSource},
		assist.NewTurn{Conversation: conversation, Role: assist.RoleCustomer, Text: "text of " + id, ExternalID: id}, chat.Lease{})
	if err != nil {
		t.Fatal(err)
	}
}

func relayAll(t *testing.T, db *postgres.DB, conversation string, most int) {
	t.Helper()
	if _, err := db.Relay(t.Context(), "tool", conversation, 100, most, told); err != nil {
		t.Fatal(err)
	}
}

func claim(t *testing.T, db *postgres.DB, ordered bool) []deliver.Delivery {
	t.Helper()
	due, err := db.ClaimDeliveries(t.Context(), "tool", ordered, time.Minute, 100)
	if err != nil {
		t.Fatal(err)
	}
	return due
}

func TestRelayOnceAndBehind(t *testing.T) {
	db := testdb.Open(t)
	if _, err := db.FollowChat(t.Context(), "tool", "c1", "", time.Now(), 0); err != nil {
		t.Fatal(err)
	}
	say(t, db, "c1", "1")
	say(t, db, "c1", "2")
	behind, err := db.Behind(t.Context(), "tool", 10)
	if err != nil || len(behind) != 1 || behind[0] != "c1" {
		t.Fatalf("behind: %q, %v", behind, err)
	}
	for range 3 { // as several processes would
		relayAll(t, db, "c1", 100)
	}
	if behind, err = db.Behind(t.Context(), "tool", 10); err != nil || len(behind) != 0 {
		t.Errorf("still behind: %q, %v", behind, err)
	}
	first := claim(t, db, true)
	if len(first) != 1 || first[0].Attempts != 1 {
		t.Fatalf("ordered: claimed %+v, want the first only", first)
	}
	rest := claim(t, db, false)
	if len(rest) != 1 || rest[0].ID == first[0].ID {
		t.Fatalf("unordered: claimed %+v, want the other one", rest)
	}
	if again := claim(t, db, false); len(again) != 0 {
		t.Errorf("claimed while leased: %+v", again)
	}
}

func TestSettleReplayAndBound(t *testing.T) {
	db := testdb.Open(t)
	for _, id := range []string{"1", "2", "3"} {
		say(t, db, "c1", id)
	}
	relayAll(t, db, "c1", 2)
	dead, err := db.Deliveries(t.Context(), deliver.Dead, 10)
	if err != nil || len(dead) != 1 || dead[0].Error == "" {
		t.Fatalf("beyond the bound: %+v, %v", dead, err)
	}
	due := claim(t, db, false)
	if len(due) != 2 {
		t.Fatalf("claimed %d, want 2", len(due))
	}
	ctx := t.Context()
	if err := db.SettleDelivery(ctx, due[0].ID, deliver.Sent, "77", "", 0); err != nil {
		t.Fatal(err)
	}
	if err := db.SettleDelivery(ctx, due[1].ID, deliver.Pending, "", "no route", 0); err != nil {
		t.Fatal(err)
	}
	again := claim(t, db, false)
	if len(again) != 1 || again[0].ID != due[1].ID || again[0].Attempts != 2 || again[0].Error != "no route" {
		t.Fatalf("tried again: %+v", again)
	}
	for _, id := range []string{dead[0].ID, due[0].ID} {
		d, err := db.ReplayDelivery(ctx, id)
		if err != nil || d.State != deliver.Pending || d.ID != id {
			t.Fatalf("replay: %+v, %v", d, err)
		}
	}
	if _, err := db.ReplayDelivery(ctx, "dlv_none"); assist.CodeOf(err) != assist.NotFound {
		t.Errorf("replay of nothing: %v", err)
	}
	if due = claim(t, db, false); len(due) != 2 {
		t.Errorf("replayed ones due: %d, want 2", len(due))
	}
	if err := db.PruneDeliveries(ctx); err != nil {
		t.Error(err)
	}
}

func TestEchoIsKnownByIDAndByWords(t *testing.T) {
	db := testdb.Open(t)
	ctx := t.Context()
	n := deliver.New{Kind: "reply", Key: "reply:1", Body: map[string]string{"text": "It is on its way.\n"}}
	d, err := db.BeginHeld(ctx, "tool", "c1", n)
	if err != nil || d.Attempts != 1 {
		t.Fatalf("begin: %+v, %v", d, err)
	}
	if due := claim(t, db, false); len(due) != 0 {
		t.Errorf("the queue took what a request sends: %+v", due)
	}
	for i, want := range []bool{true, true, false} { // by words, by id, another one with the same words
		id := []string{"90", "90", "91"}[i]
		ours, err := db.Echoed(ctx, "tool", "c1", id, "It is on its way.")
		if err != nil || ours != want {
			t.Errorf("message %s: ours = %v, %v; want %v", id, ours, err, want)
		}
	}
	if d, err = db.BeginHeld(ctx, "tool", "c1", n); err != nil || d.State != deliver.Sent || d.Answer != "90" {
		t.Errorf("again: %+v, %v; want one that was sent", d, err)
	}
	if _, err := db.ReplayDelivery(ctx, d.ID); assist.CodeOf(err) != assist.Conflict {
		t.Errorf("replay of an agent's reply: %v", err)
	}
}

func TestToolsWordOnAChat(t *testing.T) {
	db := testdb.Open(t)
	now := time.Now()
	for _, s := range []struct {
		status string
		at     time.Time
		id     int64
		before string
	}{
		{"pending", now, 5, ""}, {"open", now.Add(time.Second), 3, "pending"}, {"pending", now, 4, "open"}, {"", now, 9, "open"},
	} {
		before, err := db.FollowChat(t.Context(), "tool", "c1", s.status, s.at, s.id)
		if err != nil || before != s.before {
			t.Errorf("%+v: before = %q, %v", s, before, err)
		}
	}
	status, last, err := db.ToolChat(t.Context(), "c1")
	if err != nil || status != "open" || last != 9 {
		t.Errorf("%q, %d, %v; want open, 9", status, last, err)
	}
	for _, asked := range []bool{true, false} {
		if as, err := db.TakenAs(t.Context(), "tool", "m1", asked); err != nil || !as {
			t.Errorf("taken as customer = %v, %v", as, err)
		}
	}
}
