package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/assist"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// shelf is a store in memory with one conversation, whose every event is a delivery.
type shelf struct {
	mu     sync.Mutex
	events int // in the log
	seen   int // the cursor
	rows   []*row
}

type row struct {
	Delivery
	due time.Time
}

func (s *shelf) Relay(_ context.Context, tool, conversation string, _, most int, sort func([]assist.Event) ([]New, error)) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; s.seen < s.events; s.seen++ {
		made, err := sort([]assist.Event{{Conversation: conversation, Seq: int64(s.seen + 1)}})
		if err != nil {
			return false, err
		}
		for _, n := range made {
			d := Delivery{ID: fmt.Sprint(len(s.rows)), Tool: tool, Conversation: conversation, Kind: n.Kind, State: Pending, Until: time.Now().Add(n.Within)}
			if len(s.rows) >= most {
				d.State = Dead
			}
			s.rows = append(s.rows, &row{d, time.Now()})
		}
	}
	return false, nil
}

func (s *shelf) Behind(context.Context, string, int) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen < s.events {
		return []string{"c"}, nil
	}
	return nil, nil
}

func (s *shelf) ClaimDeliveries(_ context.Context, _ string, _ bool, lease time.Duration, limit int) (due []Delivery, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		if r.State == Pending && !r.due.After(time.Now()) && len(due) < limit {
			r.due = time.Now().Add(lease)
			r.Attempts++
			due = append(due, r.Delivery)
		}
	}
	return due, nil
}

func (s *shelf) SettleDelivery(_ context.Context, id string, state State, _, why string, pause time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		if r.ID == id {
			r.State, r.Error, r.due = state, why, time.Now().Add(pause)
		}
	}
	return nil
}

func (s *shelf) PruneDeliveries(context.Context) error { return nil }

func (s *shelf) states() (out []State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		out = append(out, r.State)
	}
	return out
}

func each(_ string, events []assist.Event) (out []New, err error) {
	for _, e := range events {
		out = append(out, New{Kind: "x", Key: fmt.Sprint(e.Seq), Within: time.Hour})
	}
	return out, nil
}

// Nobody says that there are events: the sweep finds them.
func TestSweepFindsWhatNobodyNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		sent := 0
		q := NewQueue("t", s, each, func(context.Context, Delivery) (string, error) { sent++; return "", nil }, Options{Logger: quiet, Workers: 1})
		q.Start()
		synctest.Wait()
		s.mu.Lock()
		s.events = 3
		s.mu.Unlock()
		time.Sleep(6 * time.Second) // of synctest: no time passes
		synctest.Wait()
		q.Stop()
		if got := fmt.Sprint(s.states()); sent != 3 || got != "[sent sent sent]" {
			t.Errorf("%d sent, %s", sent, got)
		}
	})
}

func TestHowAttemptsEnd(t *testing.T) {
	for _, c := range []struct {
		name     string
		err      error
		state    State
		attempts int // within the hour that they are of use
	}{
		{"taken", nil, Sent, 1},
		{"not needed", fmt.Errorf("resolved: %w", ErrNoNeed), Skipped, 1},
		{"refused", fmt.Errorf("no such place: %w", ErrNever), Dead, 1},
		{"always down", errors.New("no route"), Dead, 11},
		{"asks to wait", asksToWait{}, Dead, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{events: 1}
				attempts := 0
				q := NewQueue("t", s, each, func(context.Context, Delivery) (string, error) { attempts++; return "", c.err }, Options{Logger: quiet})
				q.Start()
				time.Sleep(2 * time.Hour) // of synctest
				synctest.Wait()
				q.Stop()
				if got := s.states()[0]; got != c.state {
					t.Errorf("%s, want %s", got, c.state)
				}
				if attempts < c.attempts-1 || attempts > c.attempts+1 {
					t.Errorf("%d attempts, want about %d", attempts, c.attempts)
				}
			})
		})
	}
}

type asksToWait struct{}

func (asksToWait) Error() string        { return "answered 429" }
func (asksToWait) After() time.Duration { return 20 * time.Minute }

func TestStopCutsOffAndKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{events: 2}
		q := NewQueue("t", s, each, func(ctx context.Context, _ Delivery) (string, error) { <-ctx.Done(); return "", ctx.Err() }, Options{Logger: quiet})
		q.Start()
		synctest.Wait()
		q.Stop()
		if got := fmt.Sprint(s.states()); got != "[pending pending]" {
			t.Errorf("after a stop: %s", got)
		}
		due, err := s.ClaimDeliveries(t.Context(), "t", false, time.Minute, 10)
		if err != nil || len(due) != 2 {
			t.Errorf("due at the next start: %d, %v; want both at once", len(due), err)
		}
	})
}

func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{events: 3}
		q := NewQueue("t", s, each, func(ctx context.Context, _ Delivery) (string, error) { return "", errors.New("down") }, Options{Logger: quiet, Limit: 2})
		q.Start()
		synctest.Wait()
		q.Stop()
		if got := fmt.Sprint(s.states()); got != "[pending pending dead]" {
			t.Errorf("with room for two: %s", got)
		}
	})
}
