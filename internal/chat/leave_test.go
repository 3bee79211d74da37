package chat_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/testkit/memstore"
)

// TestLastViewerLeaves: the run ends within a second, honestly, and is made anew
// for whoever comes back.
func TestLastViewerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage()
		h := open(t, st, nil)
		ann, bob := h.Watch("conv_1"), h.Watch("conv_1")
		h.says(t, "My lamp is broken")
		c := st.next(t)
		ann()
		ann() // twice is once
		synctest.Wait()
		time.Sleep(time.Minute) // of the bubble's clock: bob still watches
		if c.ctx.Err() != nil {
			t.Fatal("the run ended though somebody watches")
		}
		began := time.Now()
		bob()
		<-c.ctx.Done()
		if took := time.Since(began); took > time.Second {
			t.Errorf("the run ended %s after its last viewer left", took)
		}
		e := h.bus.wait(t, assist.EventSuggestionFailed, 1)
		if g := data[assist.Suggestion](t, e); e.Seq == 0 || g.Reason == "" || g.Draft == nil || g.Draft.Text != "Hello." {
			t.Errorf("what is left: seq %d, %+v", e.Seq, g)
		}
		if h.store.Leases() != 0 {
			t.Error("the lease stands")
		}
		leave := h.Watch("conv_1")
		again := st.next(t)
		if again.moment.ForSeq != c.moment.ForSeq || again.moment.SuggestionID == c.moment.SuggestionID {
			t.Errorf("made anew: %+v", again.moment)
		}
		again.finish <- ready("We are sorry.")
		h.bus.wait(t, assist.EventSuggestionReady, 1)
		leave()
		h.Watch("conv_1")()
		synctest.Wait()
		if len(st.calls) > 0 {
			t.Error("it was made once more")
		}
		h.Stop(t.Context())
	})
}

// TestLeavingForAMoment: a page that is loaded again keeps its run.
func TestLeavingForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage()
		h := open(t, st, nil)
		leave := h.Watch("conv_1")
		h.says(t, "My lamp is broken")
		c := st.next(t)
		leave()
		time.Sleep(400 * time.Millisecond)
		h.Watch("conv_1")
		time.Sleep(time.Minute)
		if c.ctx.Err() != nil {
			t.Error("the run ended")
		}
		c.finish <- ready("We are sorry.")
		h.bus.wait(t, assist.EventSuggestionReady, 1)
		h.Stop(t.Context())
	})
}

// TestNobodyEverWatched: what a tool reports gets its suggestion all the same.
func TestNobodyEverWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage()
		h := open(t, st, nil)
		h.Watch("conv_1")() // before there was anything to watch
		h.says(t, "My lamp is broken")
		c := st.next(t)
		time.Sleep(30 * time.Second)
		if c.ctx.Err() != nil {
			t.Fatal("the run ended")
		}
		c.finish <- ready("We are sorry.")
		h.bus.wait(t, assist.EventSuggestionReady, 1)
		h.Stop(t.Context())
	})
}

// TestAnsweredElsewhere: nobody wants the abandoned suggestion any more.
func TestAnsweredElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage()
		h := open(t, st, nil)
		leave := h.Watch("conv_1")
		h.says(t, "My lamp is broken")
		c := st.next(t)
		leave()
		<-c.ctx.Done()
		h.bus.wait(t, assist.EventSuggestionFailed, 1)
		if _, err := h.SendReply(t.Context(), agent, assist.NewReply{Conversation: "conv_1", ClientID: "r", Text: "Sorry!"}); err != nil {
			t.Fatal(err)
		}
		h.Watch("conv_1")
		synctest.Wait()
		if len(st.calls) > 0 {
			t.Error("it was made anew for an answered question")
		}
		h.Stop(t.Context())
	})
}

// TestStopIsNotLeaving: sockets that a stopping server closes leave the run alone.
func TestStopIsNotLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage()
		h := open(t, st, func(_ *memstore.Store, o *chat.Options) { o.SoftStop = 3 * time.Second })
		leave := h.Watch("conv_1")
		h.says(t, "My lamp is broken")
		c := st.next(t)
		leave()
		stopped := make(chan struct{})
		go func() { h.Stop(t.Context()); close(stopped) }()
		time.Sleep(2 * time.Second)
		if c.ctx.Err() != nil {
			t.Error("the run ended before the time that Stop gives it")
		}
		c.finish <- ready("We are sorry.")
		<-stopped
		if len(h.bus.all(assist.EventSuggestionReady)) != 1 {
			t.Errorf("published: %v", h.bus.types())
		}
	})
}

// TestWatchedIsKeptAndWhatWasSaidIsNot: a conversation that is only looked at
// keeps its viewer and forgets its transcript.
func TestWatchedIsKeptAndWhatWasSaidIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage()
		var reads int
		h := open(t, st, func(s *memstore.Store, o *chat.Options) {
			s.Before = countReads(&reads)
			o.IdleFor = time.Minute
		})
		h.Start()
		leave := h.Watch("conv_1")
		h.says(t, "My lamp is broken")
		st.next(t).finish <- ready("We are sorry.")
		h.bus.wait(t, assist.EventSuggestionReady, 1)
		time.Sleep(2 * time.Minute)
		if _, _, err := h.Transcript(t.Context(), agent, "conv_1"); err != nil || reads != 1 {
			t.Errorf("the transcript was read %d times, %v", reads, err)
		}
		h.says(t, "Hello?")
		c := st.next(t)
		leave()
		<-c.ctx.Done() // the viewer was still known
		h.Stop(t.Context())
	})
}

func countReads(n *int) func(context.Context, string) error {
	return func(_ context.Context, method string) error {
		if method == "Transcript" {
			*n++
		}
		return nil
	}
}
