package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
)

func TestInboxRestoresOrder(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	want := []string{"1", "2", "closed at 2.5", "3", "4"}
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			var did []string
			in := NewInbox(InboxOptions{Hold: 100 * time.Millisecond})
			say := func(s string) func(context.Context) error {
				return func(context.Context) error { did = append(did, s); return nil }
			}
			all := []Delivery{{ID: 0, At: start.Add(2500 * time.Millisecond), Do: say("closed at 2.5")}}
			for n := range 4 {
				all = append(all, Delivery{ID: int64(n + 1), At: start.Add(time.Duration(n+1) * time.Second), Do: say(fmt.Sprint(n + 1))})
			}
			r := rand.New(rand.NewPCG(seed, 1))
			r.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
			for _, d := range all {
				d.Conversation = "c"
				if _, err := in.Put(d); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond) // of synctest: no time passes
			}
			time.Sleep(time.Second)
			if n := in.Held(); n != 0 {
				t.Errorf("seed %d: %d are held after the hold", seed, n)
			}
			if err := in.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(want, did); diff != "" {
				t.Errorf("seed %d: %s", seed, diff)
			}
		})
	}
}

func TestInboxRefusesWhatItCannotKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := NewInbox(InboxOptions{Limit: 2})
		release := make(chan struct{})
		hang := Delivery{Conversation: "c", Do: func(context.Context) error { <-release; return nil }}
		for range 2 {
			if _, err := in.Put(hang); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := in.Put(hang); assist.CodeOf(err) != assist.Unavailable {
			t.Errorf("a full inbox took one more: %v", err)
		}
		close(release)
		synctest.Wait()
		if in.Held() != 0 {
			t.Errorf("%d are held after all were done", in.Held())
		}
		if err := in.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := in.Put(hang); assist.CodeOf(err) != assist.Unavailable {
			t.Errorf("a stopped inbox took one: %v", err)
		}
	})
}

func TestInboxWhileTheStoreIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		var tries atomic.Int32
		var lost []string
		in := NewInbox(InboxOptions{GiveUp: 10 * time.Second, Lost: func(c string, _ error) { lost = append(lost, c) }})
		work := Delivery{Conversation: "c", Do: func(context.Context) error {
			if tries.Add(1); !up.Load() {
				return errors.New("no connection")
			}
			return nil
		}}
		done, err := in.Put(work)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := in.Put(work); assist.CodeOf(err) != assist.Unavailable {
			t.Errorf("taken while the store is down: %v", err)
		}
		time.Sleep(3 * time.Second)
		up.Store(true)
		if err := <-done; err != nil {
			t.Errorf("not done once the store was back: %v", err)
		}
		if done, err = in.Put(work); err != nil || <-done != nil {
			t.Errorf("refused once the store was back: %v", err)
		}
		up.Store(false)
		if done, err = in.Put(work); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err == nil {
			t.Error("given up without an error")
		}
		bad := Delivery{Conversation: "bad", Do: func(context.Context) error { tries.Add(1); return assist.Errorf(assist.Invalid, "text is empty") }}
		tries.Store(0)
		if done, err = in.Put(bad); err != nil {
			t.Fatal("an inbox that gave up takes the next as its trial:", err)
		}
		if err := <-done; assist.CodeOf(err) != assist.Invalid || tries.Load() != 1 {
			t.Errorf("a delivery that is wrong in itself: %v after %d tries", err, tries.Load())
		}
		if !slices.Equal(lost, []string{"c", "bad"}) {
			t.Errorf("lost: %q", lost)
		}
		if err := in.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestInboxSurvives: a delivery that panics is given up, and what comes after it is done.
func TestInboxSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := NewInbox(InboxOptions{Logger: slog.New(slog.DiscardHandler)})
		bad, err := in.Put(Delivery{Conversation: "c", Do: func(context.Context) error { panic("a bug") }})
		if err != nil {
			t.Fatal(err)
		}
		good, err := in.Put(Delivery{Conversation: "c", Do: func(context.Context) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-bad; !errors.Is(err, ErrGiveUp) {
			t.Errorf("the panic became %v", err)
		}
		if err := <-good; err != nil {
			t.Errorf("the next one: %v", err)
		}
		if err := in.Stop(t.Context()); err != nil || in.Held() != 0 {
			t.Errorf("%v, %d are held", err, in.Held())
		}
	})
}
