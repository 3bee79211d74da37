package postgres_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// searcher suggests after a search, as the pipeline does.
type searcher struct{ db *postgres.DB }

func (s searcher) Run(ctx context.Context, m assist.Moment, _ assist.Watcher) assist.Suggestion {
	g := assist.Suggestion{State: assist.SuggestionReady, Standing: assist.StandingNoSource, Reason: m.SkipModel}
	if _, err := s.db.Lexicon(ctx, inside, []string{"refund"}); err != nil {
		g.State, g.Reason = assist.SuggestionFailed, strings.TrimSpace(m.SkipModel+" "+assist.MessageOf(err))
	}
	return g
}

type events struct {
	mu   sync.Mutex
	all  []assist.Event
	more chan struct{}
}

func (b *events) Publish(_ string, e assist.Event) {
	if e.Type == assist.EventQueueChanged {
		return
	}
	b.mu.Lock()
	b.all = append(b.all, e)
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// stuck holds every connection for searches and has many customers write. It gives
// how long each turn took to its ack.
func stuck(t testing.TB, customers int, pace time.Duration, o chat.Options) (acks []time.Duration, b *events, shed map[chat.Shed]int) {
	t.Helper()
	db := testdb.OpenWith(t, postgres.Config{Wait: 8 * time.Second}) // of searches; enough for turns on a busy machine
	for range 4 {
		defer db.Hold(t, "search")()
	}
	b, shed = &events{more: make(chan struct{}, 1)}, map[chat.Shed]int{}
	var mu sync.Mutex
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	o.Shed = func(what chat.Shed) { mu.Lock(); defer mu.Unlock(); shed[what]++ }
	s := chat.New(db, searcher{db}, b, o)
	defer s.Stop(context.Background())
	acks = make([]time.Duration, customers)
	var wg sync.WaitGroup
	began := time.Now()
	for i := range customers {
		wg.Go(func() { // an open loop: one comes after the other, whatever becomes of them
			at := began.Add(time.Duration(i) * pace)
			<-time.After(time.Until(at))
			id := fmt.Sprintf("conv_%d", i)
			_, err := s.AddTurn(context.WithoutCancel(t.Context()), assist.Identity{Subject: "tool", Actor: assist.ActorSource},
				assist.NewTurn{Conversation: id, ClientID: "1", Role: assist.RoleCustomer, Text: "where is my refund"})
			if err != nil {
				t.Errorf("turn %d: %v", i, err)
			}
			acks[i] = time.Since(at)
		})
	}
	wg.Wait()
	for late := time.After(time.Minute); ; {
		b.mu.Lock()
		done := map[string]bool{}
		for _, e := range b.all {
			if e.Type == assist.EventSuggestionFailed || e.Type == assist.EventSuggestionReady {
				done[e.Conversation] = true
			}
		}
		b.mu.Unlock()
		if len(done) == customers {
			break
		}
		select {
		case <-b.more:
		case <-late:
			t.Fatalf("%d of %d conversations were told how it stands", len(done), customers)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(acks)
	return acks, b, shed
}

// TestTurnsFlowWhileSearchIsStuck holds that stuck retrieval costs drafts and
// suggestions, each of which is declared, and not one turn.
func TestTurnsFlowWhileSearchIsStuck(t *testing.T) {
	_, b, shed := stuck(t, 20, 0, chat.Options{MaxRuns: 4, MaxLine: 5})
	if shed[chat.ShedDraft] == 0 || shed[chat.ShedSuggestion] == 0 {
		t.Errorf("shed %v", shed)
	}
	reasons := map[string]int{}
	for _, e := range b.all {
		if e.Type == assist.EventSuggestionFailed {
			for _, words := range []string{"without the model's", "when there is room", "too busy"} {
				if strings.Contains(string(e.Data), words) {
					reasons[words]++
				}
			}
		}
	}
	if len(reasons) != 3 {
		t.Errorf("agents were told %v", reasons)
	}
}

// BenchmarkTurnsWhileSearchIsStuck measures what a turn's ack waits for when no
// search comes back: 200 turns a second.
func BenchmarkTurnsWhileSearchIsStuck(b *testing.B) {
	for b.Loop() {
		acks, _, _ := stuck(b, 400, 5*time.Millisecond, chat.Options{})
		b.ReportMetric(float64(acks[len(acks)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(acks[len(acks)*95/100].Microseconds())/1000, "p95-ms")
	}
}
