package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit/load"
)

// many does f n times, so many side by side.
func many(n, beside int, f func(i int) error) error {
	var all sync.WaitGroup
	faults := make([]error, n)
	places := make(chan struct{}, beside)
	for i := range n {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			faults[i] = f(i)
		})
	}
	all.Wait()
	return errors.Join(faults...)
}

func customer(prefix string, i int) assist.Identity {
	return assist.Identity{Subject: fmt.Sprintf("%s-%d", prefix, i), Actor: assist.ActorCustomer, Conversation: fmt.Sprintf("%s-%d", prefix, i)}
}

func idle(ctx context.Context, b *bench) error {
	s, end, err := b.world(ctx, "idle", 0)
	if err != nil {
		return err
	}
	n := b.size(10_000)
	sockets := make([]*load.Socket, n)
	var readers sync.WaitGroup
	connect := func(from, to int) error {
		return many(to-from, 32, func(i int) error {
			i += from
			token, err := b.Token(customer("idle", i))
			if err != nil {
				return err
			}
			if sockets[i], err = s.Dial(ctx, token); err != nil {
				return err
			}
			readers.Go(func() { // answers pings
				_, _ = sockets[i].Until(func(load.Frame) bool { return false })
			})
			return nil
		})
	}
	warm := min(n/2, 200)
	err = connect(0, warm)
	settle := func() (least float64, err error) { // the least of some seconds: between collections
		least = 1e9
		for range 10 {
			select {
			case <-time.After(b.long(20*time.Second) / 10):
			case <-ctx.Done():
				return 0, ctx.Err()
			}
			now, _, err := s.Memory()
			if err != nil {
				return 0, err
			}
			least = min(least, now)
		}
		return least, nil
	}
	var before, fresh, after float64
	if err == nil {
		before, err = settle()
	}
	if err == nil {
		err = connect(warm, n)
	}
	if err == nil {
		fresh, _, err = s.Memory()
	}
	if err == nil {
		var a, c float64
		if a, err = settle(); err == nil { // every socket was pinged once by the end of both
			c, err = settle()
		}
		after = min(a, c)
	}
	for _, c := range sockets {
		if c != nil {
			c.Drop()
		}
	}
	readers.Wait()
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	each := func(mib float64) float64 { return (mib - before) * 1024 / float64(n-warm) }
	b.add(fmt.Sprintf("resident memory of one of %d idle sockets", n), "≤ 20 KiB", fmt.Sprintf("%.0f MiB in all; %.1f KiB each just after connecting", after, each(fresh)), "%.1f KiB", each(after))
	return nil
}

func relay(ctx context.Context, b *bench) error {
	s, end, err := b.world(ctx, "relay", 0)
	if err != nil {
		return err
	}
	chats, err := s.Chats(ctx, "relay", b.size(250))
	if err != nil {
		return errors.Join(err, end())
	}
	perSecond := b.size(500)
	var warm, took load.Samples
	sides := func(long time.Duration, into *load.Samples) error {
		every := time.Second * time.Duration(len(chats.All)) / time.Duration(perSecond)
		began := time.Now()
		return each(chats, func(i int, c *load.Chat) error {
			next := began.Add(every * time.Duration(i) / time.Duration(len(chats.All)))
			for n := i; next.Before(began.Add(long)); n++ {
				select {
				case <-time.After(time.Until(next)):
				case <-ctx.Done():
					return ctx.Err()
				}
				d, err := c.Relay(ctx, n%2 == 0, next)
				if err != nil {
					return err
				}
				into.Add(d)
				next = next.Add(every)
			}
			return nil
		})
	}
	err = sides(b.long(4*time.Second), &warm)
	var used [2]load.CPU
	if err == nil {
		used[0], err = s.CPU(ctx)
	}
	began := time.Now()
	if err == nil {
		err = sides(b.long(20*time.Second), &took)
	}
	if err == nil {
		used[1], err = s.CPU(ctx)
	}
	rate := float64(took.N()) / time.Since(began).Seconds()
	chats.Close()
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	b.add(fmt.Sprintf("relay of a turn to the other side at %d turns/s, commit included", perSecond), "p50 ≤ 5 ms, p99 ≤ 25 ms", "half customers', half agents'; "+used[1].Minus(used[0]).Per(took.N()), "p50 %.1f, p99 %.1f ms at %.0f/s", took.P(.5), took.P(.99), rate)
	return nil
}

// jitter is how long clients wait at most before they come back.
const jitter = time.Second

// visitor is a socket with what it has seen.
type visitor struct {
	id    string
	token string
	last  int64
	c     *load.Socket
}

func (v *visitor) open() error {
	_, err := v.c.Call("conversation.open", "open", v.id, struct {
		After int64 `json:"after"`
	}{v.last})
	return err
}

// seen reads up to a turn.
func (v *visitor) seen(seq int64) error {
	for v.last < seq {
		f, err := v.c.Until(func(f load.Frame) bool { return f.Type == "turn.added" })
		if err != nil {
			return err
		}
		if f.Seq != v.last+1 {
			return fmt.Errorf("%s: seq %d came after %d", v.id, f.Seq, v.last)
		}
		v.last = f.Seq
	}
	return nil
}

func comeBack(ctx context.Context, b *bench) error {
	s, end, err := b.world(ctx, "back", 0)
	if err != nil {
		return err
	}
	n := b.size(5000)
	all := make([]*visitor, n)
	err = many(n, 32, func(i int) (err error) {
		who := customer("back", i)
		v := &visitor{id: who.Conversation}
		all[i] = v
		if v.token, err = b.Token(who); err != nil {
			return err
		}
		if v.c, err = s.Dial(ctx, v.token); err != nil {
			return err
		}
		if _, err = v.c.Call("turn.add", "first", v.id, struct {
			Role string `json:"role"`
			Text string `json:"text"`
		}{"customer", "Hello!"}); err != nil {
			return err
		}
		if err := v.open(); err != nil {
			return err
		}
		return v.seen(1)
	})
	const told = 10 // one of so many is told something while it is away
	missed := func() error {
		token, err := b.Token(assist.Identity{Subject: "agent", Actor: assist.ActorAgent, Name: "Maya"})
		if err != nil {
			return err
		}
		agent, err := s.Dial(ctx, token)
		if err != nil {
			return err
		}
		defer agent.Close()
		for i := 0; i < n; i += told {
			if _, err := agent.Call("reply.send", fmt.Sprintf("r%d", i), all[i].id, struct {
				Text string `json:"text"`
			}{"Are you still there?"}); err != nil {
				return err
			}
		}
		return nil
	}
	var took time.Duration
	var queries float64
	var used load.CPU
	var tries atomic.Int64
	if err == nil {
		for _, v := range all {
			v.c.Drop()
		}
		if err = missed(); err == nil {
			took, queries, used, err = b.stampede(ctx, s, all, told, &tries)
		}
	}
	for _, v := range all {
		if v != nil && v.c != nil {
			v.c.Drop()
		}
	}
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	b.add(fmt.Sprintf("%d sockets dropped at once, all back with nothing missed", n), fmt.Sprintf("≤ 3 s + jitter (%s)", jitter), fmt.Sprintf("%d had missed a turn; %d dials; %s", (n+told-1)/told, tries.Load(), used.Per(n)), "%.2f s", took.Seconds())
	b.add("queries for one that comes back", "≤ 1", "transactions of the whole database, less those of the same time without", "%.2f", queries)
	return nil
}

// stampede lets all come back within the jitter, and counts.
func (b *bench) stampede(ctx context.Context, s *load.Server, all []*visitor, told int, tries *atomic.Int64) (took time.Duration, queries float64, used load.CPU, err error) {
	for { // what is learned from the replies is not the stampede's
		m, err := s.Metrics(ctx)
		if err != nil {
			return 0, 0, used, err
		}
		if m[`aside_queue_depth{queue="learning"}`] == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	var count [3]float64
	var at [3]time.Time
	for i := range count {
		if i == 2 {
			before, err := s.CPU(ctx)
			if err != nil {
				return 0, 0, used, err
			}
			if took, err = comeAtOnce(ctx, s, all, told, tries); err != nil {
				return 0, 0, used, err
			}
			if used, err = s.CPU(ctx); err != nil {
				return 0, 0, used, err
			}
			used = used.Minus(before)
		}
		if count[i], err = b.transactions(ctx); err != nil {
			return 0, 0, used, err
		}
		at[i] = time.Now()
	}
	still := (count[1] - count[0]) / at[1].Sub(at[0]).Seconds()
	return took, max(0, count[2]-count[1]-still*at[2].Sub(at[1]).Seconds()) / float64(len(all)), used, nil
}

func comeAtOnce(ctx context.Context, s *load.Server, all []*visitor, told int, tries *atomic.Int64) (time.Duration, error) {
	began := time.Now()
	err := many(len(all), len(all), func(i int) error {
		v := all[i]
		time.Sleep(rand.N(jitter))
		for {
			tries.Add(1)
			c, err := s.Dial(ctx, v.token)
			if err == nil {
				v.c = c
				break
			}
			if time.Since(began) > 30*time.Second || ctx.Err() != nil {
				return fmt.Errorf("%s is not back after 30 s: %w", v.id, err)
			}
			time.Sleep(rand.N(200 * time.Millisecond))
		}
		if err := v.open(); err != nil {
			return err
		}
		if i%told == 0 {
			return v.seen(2)
		}
		return nil
	})
	return time.Since(began), err
}

// transactions counts those of the database so far. Its idle processes report
// theirs after ten seconds.
func (b *bench) transactions(ctx context.Context) (n float64, err error) {
	select {
	case <-time.After(11 * time.Second):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	c, err := pgx.Connect(ctx, b.URL)
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	err = c.QueryRow(ctx, `SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()`).Scan(&n)
	return n, err
}
