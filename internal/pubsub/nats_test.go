package pubsub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/testkit/natsd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// note is what the tests publish.
type note struct {
	Publisher, N int
	Text         string
}

type noteCodec struct{ lossy bool }

func (noteCodec) Encode(n note) []byte {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	return b
}

func (noteCodec) Decode(_ string, b []byte) (n note, err error) {
	if err := json.Unmarshal(b, &n); err != nil {
		return n, errors.New("not a note")
	}
	return n, nil
}

func (noteCodec) Shrink(n note) (note, bool) {
	n.Text = ""
	return n, n.N > 0
}

func (c noteCodec) Lossy(note) bool { return c.lossy }

// either is what both kinds of bus can do.
type either interface {
	Subscribe(topic string, take func(note)) (cancel func())
	Elsewhere(topic string, take func(note)) (cancel func())
	Publish(topic string, n note)
	Receive(topic string, n note)
	Topics() []string
	Watchers(topic string) int
	Up() bool
}

// kinds gives pairs of buses to publish and to watch on: one in process, and two
// nodes at different servers of a cluster of three.
func kinds(t *testing.T) map[string]func(*testing.T) (publish, watch either) {
	t.Helper()
	return map[string]func(*testing.T) (publish, watch either){
		"in process": func(*testing.T) (either, either) { b := New[note](); return b, b },
		"one node":   func(t *testing.T) (either, either) { b := node(t, natsd.Cluster(t, 1), 0); return b, b },
		"two nodes": func(t *testing.T) (either, either) {
			c := natsd.Cluster(t, 3)
			return node(t, c, 0), node(t, c, 2)
		},
	}
}

func node(t *testing.T, c *natsd.Servers, server int, url ...string) *NATS[note] {
	t.Helper()
	b, err := ConnectNATS(NATSOptions[note]{URL: append(url, c.URL(server))[0], Prefix: "aside.test", Name: t.Name(), Codec: noteCodec{},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	until(t, "the node is connected", b.Up)
	return b
}

// reached waits until what is published on one arrives at the other.
func reached(t *testing.T, publish, watch either, topic string) {
	t.Helper()
	var there atomic.Bool
	defer watch.Subscribe(topic, func(note) { there.Store(true) })()
	until(t, "the subscription is known", func() bool { publish.Publish(topic, note{Publisher: -1}); return there.Load() })
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: it did not happen in a minute", what)
		}
	}
}

// TestConformance holds what both kinds of bus promise.
func TestConformance(t *testing.T) {
	for name, make := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			publish, watch := make(t)
			t.Run("topics are apart", func(t *testing.T) { conformApart(t, publish, watch) })
			t.Run("cancel is final", func(t *testing.T) { conformCancel(t, publish, watch) })
			t.Run("order per publisher", func(t *testing.T) { conformOrder(t, publish, watch) })
			t.Run("elsewhere", func(t *testing.T) { conformElsewhere(t, publish, watch) })
		})
	}
}

// Whatever stands in a topic, none is taken for another or for a pattern.
func conformApart(t *testing.T, publish, watch either) {
	names := []string{"conv_1", "conv_1.a", "*", ">", "a b", "queue", "Grüße 🙂", strings.Repeat("x", 200), "\x00chat", "$SYS.>", "a.>", ""}
	var mu sync.Mutex
	got := map[string][]string{}
	for _, topic := range names {
		defer watch.Subscribe(topic, func(n note) {
			mu.Lock()
			defer mu.Unlock()
			if n.Publisher >= 0 {
				got[topic] = append(got[topic], n.Text)
			}
		})()
		reached(t, publish, watch, topic)
	}
	for i, topic := range names {
		publish.Publish(topic, note{Publisher: 0, N: i, Text: topic})
	}
	until(t, "every topic has its note", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == len(names) })
	mu.Lock()
	defer mu.Unlock()
	for topic, texts := range got {
		if len(texts) != 1 || texts[0] != topic {
			t.Errorf("on %q came %q", topic, texts)
		}
	}
	if len(watch.Topics()) != len(names) {
		t.Errorf("watched: %q", watch.Topics())
	}
}

func conformCancel(t *testing.T, publish, watch either) {
	var canceled atomic.Bool
	var late, seen atomic.Int64
	cancel := watch.Subscribe("x", func(note) {
		if canceled.Load() {
			late.Add(1)
		}
		seen.Add(1)
	})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				publish.Publish("x", note{N: 1})
			}
		}
	}()
	until(t, "notes arrive", func() bool { return seen.Load() > 0 })
	cancel()
	canceled.Store(true)
	cancel() // again does no harm
	other := watch.Subscribe("x", func(note) { seen.Add(1) })
	before := seen.Load()
	until(t, "the other one goes on", func() bool { return seen.Load() > before })
	close(stop)
	<-done
	other()
	if late.Load() > 0 || watch.Watchers("x") != 0 || len(watch.Topics()) != 0 {
		t.Errorf("%d came after cancel, %d watchers are left, %q", late.Load(), watch.Watchers("x"), watch.Topics())
	}
}

func conformOrder(t *testing.T, publish, watch either) {
	const publishers, each = 4, 500
	reached(t, publish, watch, "order")
	var mu sync.Mutex
	last, total := make([]int, publishers), 0
	defer watch.Subscribe("order", func(n note) {
		mu.Lock()
		defer mu.Unlock()
		if n.Publisher < 0 {
			return
		}
		if n.N != last[n.Publisher]+1 {
			t.Errorf("publisher %d: %d follows %d", n.Publisher, n.N, last[n.Publisher])
		}
		last[n.Publisher] = n.N
		total++
	})()
	reached(t, publish, watch, "order")
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for n := range each {
				publish.Publish("order", note{Publisher: p, N: n + 1})
			}
		})
	}
	wg.Wait()
	until(t, "all arrive", func() bool { mu.Lock(); defer mu.Unlock(); return total == publishers*each })
}

// Elsewhere hears the others and what Receive is given, never its own node.
func conformElsewhere(t *testing.T, publish, watch either) {
	var heard, own atomic.Int64
	defer watch.Elsewhere("e", func(n note) {
		if n.Publisher >= 0 {
			heard.Add(1)
		}
	})()
	defer publish.Elsewhere("e", func(n note) { own.Add(1) })()
	reached(t, publish, watch, "e")
	publish.Publish("e", note{N: 1})
	if publish != watch {
		until(t, "the other node hears it", func() bool { return heard.Load() == 1 })
		watch.Receive("e", note{N: 2})
		if heard.Load() != 2 || own.Load() != 0 {
			t.Errorf("heard %d, own %d", heard.Load(), own.Load())
		}
		return
	}
	watch.Receive("e", note{N: 2})
	if heard.Load() != 1 || own.Load() != 1 {
		t.Errorf("heard %d and %d, want only what was received", heard.Load(), own.Load())
	}
}

// TestTooLarge sends what fits, shrinks what does not, and drops what cannot be
// read from a log.
func TestTooLarge(t *testing.T) {
	c := natsd.Cluster(t, 1)
	a, b := node(t, c, 0), node(t, c, 0)
	got := make(chan note, 10)
	reached(t, a, b, "x")
	defer b.Subscribe("x", func(n note) {
		if n.Publisher >= 0 {
			got <- n
		}
	})()
	reached(t, a, b, "x")
	big := strings.Repeat("x", 2<<20)
	for _, n := range []note{{N: 1, Text: big[:900_000]}, {N: 2, Text: big}, {Text: big}, {N: 3, Text: "small"}} {
		a.Publish("x", n)
	}
	for _, want := range []int{900_000, 0, 5} {
		if n := <-got; len(n.Text) != want {
			t.Errorf("note %d came with %d bytes, want %d", n.N, len(n.Text), want)
		}
	}
	if a.Lost() != 1 {
		t.Errorf("%d lost, want the one that had nothing to be read from", a.Lost())
	}
}

// TestCut has the servers go away and come back: nobody is blocked, what is said
// meanwhile stays at home, and the watchers hear again without subscribing anew.
func TestCut(t *testing.T) {
	c := natsd.Cluster(t, 3)
	a, b := node(t, c, 0), node(t, c, 1)
	var heard, home atomic.Int64
	defer a.Subscribe("x", func(n note) { home.Add(1) })()
	defer b.Subscribe("x", func(n note) {
		if n.N == 1 {
			heard.Add(1)
		}
	})()
	reached(t, a, b, "x")
	c.Cut()
	until(t, "both see the cut", func() bool { return !a.Up() && !b.Up() })
	before := home.Load()
	for range 50_000 { // more than any queue holds
		a.Publish("x", note{N: 1})
	}
	if home.Load() != before+50_000 || a.Lost() < 50_000 {
		t.Errorf("%d stayed at home, %d counted as lost", home.Load()-before, a.Lost())
	}
	var during atomic.Int64
	defer b.Subscribe("y", func(note) { during.Add(1) })() // subscribed while there is nobody to tell
	c.Heal()
	until(t, "both are back", func() bool { return a.Up() && b.Up() })
	until(t, "the old subscription hears", func() bool { a.Publish("x", note{N: 2}); a.Publish("x", note{N: 1}); return heard.Load() > 0 })
	until(t, "the new one too", func() bool { a.Publish("y", note{N: 1}); return during.Load() > 0 })
}

// TestNobodyThere starts without a server, and hears once there is one.
func TestNobodyThere(t *testing.T) {
	c := natsd.Cluster(t, 1)
	c.Cut()
	b, err := ConnectNATS(NATSOptions[note]{URL: c.URL(0), Prefix: "p", Codec: noteCodec{}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop(context.Background())
	var heard atomic.Int64
	defer b.Subscribe("x", func(note) { heard.Add(1) })()
	b.Publish("x", note{})
	if b.Up() || heard.Load() != 1 {
		t.Errorf("up %v, heard %d at home", b.Up(), heard.Load())
	}
	c.Heal()
	until(t, "it connects", b.Up)
}

// TestToken lets in who has the token in the URL, and nobody else.
func TestToken(t *testing.T) {
	c := natsd.Guarded(t, 1, "s3cret")
	url := c.URL(0)
	in := node(t, c, 0, strings.Replace(url, "nats://", "nats://s3cret@", 1))
	out, err := ConnectNATS(NATSOptions[note]{URL: url, Prefix: "p", Codec: noteCodec{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Stop(context.Background())
	reached(t, in, in, "x")
	if out.Up() {
		t.Error("a node without the token is connected")
	}
}

// TestBadConfiguration names what is wrong and keeps the password.
func TestBadConfiguration(t *testing.T) {
	for _, url := range []string{"nats://user:hunter2@ho st:4222", "nats://user:hunter2@host:port"} {
		b, err := ConnectNATS(NATSOptions[note]{URL: url, Codec: noteCodec{}})
		if err == nil {
			b.Stop(context.Background())
			t.Fatalf("%s was taken", url)
		}
		if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "ASIDE_NATS_URL") {
			t.Errorf("the error says %q", err)
		}
	}
	if _, err := ConnectNATS(NATSOptions[note]{URL: "nats://127.0.0.1:1", Creds: t.TempDir() + "/none.creds", Codec: noteCodec{}}); err == nil {
		t.Error("missing credentials were taken")
	}
}

func BenchmarkPublishNATS(b *testing.B) {
	c := natsd.Cluster(b, 1)
	bus, err := ConnectNATS(NATSOptions[note]{URL: c.URL(0), Prefix: "p", Codec: noteCodec{}})
	if err != nil {
		b.Fatal(err)
	}
	defer bus.Stop(context.Background())
	n := note{Text: strings.Repeat("x", 300)}
	for i := 0; b.Loop(); i++ {
		bus.Publish(fmt.Sprint("t", i%100), n)
	}
	b.ReportMetric(float64(bus.Lost())/float64(b.N), "lost/op")
}

// TestProbe says who passes messages on, and why nobody does.
func TestProbe(t *testing.T) {
	c := natsd.Guarded(t, 1, "s3cret")
	probe := func(url string) (string, error) {
		return Probe(t.Context(), NATSOptions[note]{URL: url, Prefix: "p", Name: "doctor"})
	}
	if got, err := probe(strings.Replace(c.URL(0), "nats://", "nats://s3cret@", 1)); err != nil || !strings.HasPrefix(got, "n0 ") {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := probe(c.URL(0)); err == nil || !strings.Contains(err.Error(), "Authorization") {
		t.Errorf("without the token: %v", err)
	}
	c.Cut()
	if _, err := probe(c.URL(0)); err == nil {
		t.Error("a server that is away passed a message on")
	}
	if _, err := probe("nats://me:s3cret@[bad"); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "ASIDE_NATS_URL") {
		t.Errorf("a bad URL: %v", err)
	}
}
