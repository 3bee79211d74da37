package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/llm/openai"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/bulk"
	"github.com/aside-project/aside/internal/testkit/load"
	"github.com/aside-project/aside/internal/testkit/scripted"
)

// knowledge fills a database with pages of so many passages and gives how many
// were taken in a second.
func (b *bench) knowledge(ctx context.Context, db *postgres.DB, passages int) (rate float64, err error) {
	text, err := bulk.ReadText(b.data)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "aside-pages-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := text.Write(dir, passages, 1); err != nil {
		return 0, err
	}
	began := time.Now()
	report, err := ingest.Run(ctx, ingest.Options{}, db, []string{dir}, nil)
	if err == nil && len(report.Failed) > 0 {
		err = fmt.Errorf("%d pages were not read, the first: %v", len(report.Failed), report.Failed[0])
	}
	return float64(report.Passages) / time.Since(began).Seconds(), err
}

// world makes a database with so many passages, and a server on it.
func (b *bench) world(ctx context.Context, name string, passages int, settings ...string) (s *load.Server, end func() error, err error) {
	db, drop, err := b.Database(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if passages > 0 {
		if _, err := b.knowledge(ctx, db, passages); err != nil {
			return nil, nil, errors.Join(err, drop())
		}
	}
	s, err = b.Serve(ctx, name, settings...)
	if err != nil {
		return nil, nil, errors.Join(err, drop())
	}
	return s, func() error { return errors.Join(s.Stop(), drop()) }, nil
}

// model serves a scripted model in this process.
func model(s scripted.Script) (h *scripted.Handler, url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", nil, err
	}
	h = scripted.New(s)
	server := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	return h, "http://" + l.Addr().String() + "/v1", func() { server.Close(); <-done }, nil
}

// each runs f for every chat, side by side, and joins what went wrong.
func each(chats *load.Chats, f func(i int, c *load.Chat) error) error {
	var all sync.WaitGroup
	faults := make([]error, len(chats.All))
	for i, c := range chats.All {
		all.Go(func() { faults[i] = f(i, c) })
	}
	all.Wait()
	return errors.Join(faults...)
}

func (b *bench) question() string { return b.questions[rand.IntN(len(b.questions))] }

func ingestRate(ctx context.Context, b *bench) error {
	db, drop, err := b.Database(ctx, "ingest")
	if err != nil {
		return err
	}
	n := b.size(20_000)
	rate, err := b.knowledge(ctx, db, n)
	if err = errors.Join(err, drop()); err != nil {
		return err
	}
	b.add("ingest, lexical", "≥ 2,000 passages/s", "", "%.0f passages/s (%d)", rate, n)
	return nil
}

// paced has each chat ask every few seconds, its agent answering in between.
func (b *bench) paced(ctx context.Context, chats *load.Chats, every, long time.Duration, take func(load.Help)) error {
	end := time.Now().Add(long)
	return each(chats, func(i int, c *load.Chat) error {
		next := time.Now().Add(every * time.Duration(i) / time.Duration(len(chats.All)))
		for ; next.Before(end); next = next.Add(every) {
			select {
			case <-time.After(time.Until(next)):
			case <-ctx.Done():
				return ctx.Err()
			}
			h, err := c.Ask(ctx, b.question())
			if err != nil {
				return err
			}
			if h.State != "" {
				take(h)
			}
			if err := c.Reply(ctx, "Let me look that up for you.", ""); err != nil {
				return err
			}
		}
		return nil
	})
}

func instant(ctx context.Context, b *bench) error {
	n := b.size(100_000)
	s, end, err := b.world(ctx, "instant", n)
	if err != nil {
		return err
	}
	chats, err := s.Chats(ctx, "instant", b.size(50))
	if err != nil {
		return errors.Join(err, end())
	}
	var passages, drafts load.Samples
	err = b.paced(ctx, chats, 4*time.Second, b.long(12*time.Second), func(load.Help) {}) // until the database's cache is warm
	if err == nil {
		err = b.paced(ctx, chats, 4*time.Second, b.long(45*time.Second), func(h load.Help) {
			passages.Add(h.Passages)
			if h.Instant > 0 {
				drafts.Add(h.Instant)
			}
		})
	}
	chats.Close()
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	b.add(fmt.Sprintf("turn → passages at the agent's socket, %d passages, %d chats", n, len(chats.All)), "p95 ≤ 50 ms", "", "p50 %.1f, p95 %.1f ms (%d)", passages.P(.5), passages.P(.95), passages.N())
	b.add("turn → instant draft, the same", "p95 ≤ 50 ms", "", "p50 %.1f, p95 %.1f ms (%d)", drafts.P(.5), drafts.P(.95), drafts.N())
	return nil
}

func firstToken(ctx context.Context, b *bench) error {
	const own = 300 * time.Millisecond
	_, url, stop, err := model(scripted.Script{Behaviour: scripted.Behaviour{FirstToken: own}})
	if err != nil {
		return err
	}
	defer stop()
	s, end, err := b.world(ctx, "first", b.size(5000), "ASIDE_LLM_BASE_URL="+url, "ASIDE_LLM_MODEL=scripted")
	if err != nil {
		return err
	}
	chats, err := s.Chats(ctx, "first", b.size(50))
	if err != nil {
		return errors.Join(err, end())
	}
	var added load.Samples
	err = b.paced(ctx, chats, 4*time.Second, b.long(8*time.Second), func(load.Help) {})
	if err == nil {
		err = b.paced(ctx, chats, 4*time.Second, b.long(40*time.Second), func(h load.Help) {
			if h.FirstToken > 0 {
				added.Add(h.FirstToken - own)
			}
		})
	}
	chats.Close()
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	b.add(fmt.Sprintf("turn → first token, less the model's own, %d chats", len(chats.All)), "p50 ≤ 5 ms, p95 ≤ 20 ms", "from the customer's send, commit and search included", "p50 %.1f, p95 %.1f ms (%d)", added.P(.5), added.P(.95), added.N())
	return nil
}

// dense gives every passage a vector before the server starts.
func dense(ctx context.Context, db *postgres.DB, url string) error {
	e, err := openai.NewEmbedder(openai.Config{BaseURL: url, EmbeddingModel: "scripted-embedding"})
	if err != nil {
		return err
	}
	_, err = ingest.EmbedMissing(ctx, e, vectors{db})
	return err
}

type vectors struct{ *postgres.DB }

// PutVectors implements ingest.VectorStore.
func (v vectors) PutVectors(ctx context.Context, model string, ids []string, all [][]float32) error {
	return v.DB.PutVectors(ctx, model, len(all[0]), ids, all)
}

func turns(ctx context.Context, b *bench) error {
	h, url, stop, err := model(scripted.Script{Dimension: 384})
	if err != nil {
		return err
	}
	defer stop()
	db, drop, err := b.Database(ctx, "turns")
	if err != nil {
		return err
	}
	n := b.size(5000)
	if _, err = b.knowledge(ctx, db, n); err == nil {
		err = dense(ctx, db, url)
	}
	if err != nil {
		return errors.Join(err, drop())
	}
	s, err := b.Serve(ctx, "turns", "ASIDE_LLM_BASE_URL="+url, "ASIDE_LLM_MODEL=scripted", "ASIDE_EMBED_MODEL=scripted-embedding")
	if err != nil {
		return errors.Join(err, drop())
	}
	end := func() error { return errors.Join(s.Stop(), drop()) }
	chats, err := s.Chats(ctx, "turns", b.size(200))
	if err != nil {
		return errors.Join(err, end())
	}
	var ready load.Samples
	atOnce := func(long time.Duration, take func(load.Help)) error {
		until := time.Now().Add(long)
		return each(chats, func(_ int, c *load.Chat) error {
			for time.Now().Before(until) && ctx.Err() == nil {
				help, err := c.Ask(ctx, b.question())
				if err != nil {
					return err
				}
				if help.State != "" {
					take(help)
				}
				if err := c.Reply(ctx, "Let me look that up for you.", ""); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	var written atomic.Int64
	err = atOnce(b.long(3*time.Second), func(load.Help) {})
	var used [2]load.CPU
	if err == nil {
		used[0], err = s.CPU(ctx)
	}
	calls, embeds, began := h.Chats(), h.Embeds(), time.Now()
	if err == nil {
		err = atOnce(b.long(15*time.Second), func(h load.Help) {
			ready.Add(h.Ready)
			if h.FirstToken > 0 {
				written.Add(1)
			}
		})
	}
	took := time.Since(began)
	if err == nil {
		used[1], err = s.CPU(ctx)
	}
	calls, embeds = h.Chats()-calls, h.Embeds()-embeds
	var burstCalls int
	var bursts int
	if err == nil {
		err = b.bursts(ctx, chats, h, &bursts, &burstCalls)
	}
	chats.Close()
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	b.add(fmt.Sprintf("customers' turns/s, %d chats that answer at once, model at 0 ms, %d passages with vectors", len(chats.All), n), "≥ 2 × LangChain.js, ≥ 10 × langchaingo", "peers alone here: 239/s and 50/s; "+used[1].Minus(used[0]).Per(ready.N()),
		"%.0f/s, ready p50 %.0f p95 %.0f ms", float64(ready.N())/took.Seconds(), ready.P(.5), ready.P(.95))
	b.add("model calls for one suggestion that was written", "1 (peer: 2 + 1 embedding)", "", "%.3f, and %.3f embeddings", float64(calls)/float64(max(1, written.Load())), float64(embeds)/float64(ready.N()))
	b.add("model calls for a burst of four messages", "≤ 2: the first and the last", "0 for those superseded before they started", "%.2f (%d bursts)", float64(burstCalls)/float64(bursts), bursts)
	return nil
}

// bursts has every chat say four things at once.
func (b *bench) bursts(ctx context.Context, chats *load.Chats, h *scripted.Handler, n, calls *int) error {
	before := h.Chats()
	some := &load.Chats{All: chats.All[:min(len(chats.All), 20)]}
	err := each(some, func(_ int, c *load.Chat) error {
		for range 3 {
			if _, err := c.Say(ctx, b.question()); err != nil {
				return err
			}
		}
		_, err := c.Ask(ctx, b.question())
		return err
	})
	*n, *calls = len(some.All), h.Chats()-before
	return err
}

func memory(ctx context.Context, b *bench) error {
	_, url, stop, err := model(scripted.Script{Behaviour: scripted.Behaviour{FirstToken: 300 * time.Millisecond, TokensPerSecond: 200}})
	if err != nil {
		return err
	}
	defer stop()
	n := b.size(50_000)
	s, end, err := b.world(ctx, "memory", n, "ASIDE_LLM_BASE_URL="+url, "ASIDE_LLM_MODEL=scripted")
	if err != nil {
		return err
	}
	chats, err := s.Chats(ctx, "memory", b.size(200))
	if err != nil {
		return errors.Join(err, end())
	}
	var ready load.Samples
	err = b.paced(ctx, chats, 4*time.Second, b.long(40*time.Second), func(h load.Help) { ready.Add(h.Ready) })
	now, peak, seen := s.Memory()
	chats.Close()
	if err = errors.Join(err, seen, end()); err != nil {
		return err
	}
	b.add(fmt.Sprintf("memory at %d passages and %d chats", n, len(chats.All)), "≤ 150 MB (peer: 931)", "resident, of the server's process", "%.0f MB, peak %.0f", now*1.048576, peak*1.048576)
	return nil
}
