package libredesk

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect"
)

const (
	markEvery   = 15 * time.Second // a mark is written at most this often
	healsAtOnce = 20               // conversations read per round
	newFor      = 24 * time.Hour   // how long ago something may have been said for us to begin listening
	forgetAfter = 24 * time.Hour   // what is remembered in memory
)

// keep writes marks, reads conversations that something is missing from, and goes
// through the list now and then.
func (c *Connector) keep() {
	sweep := c.o.Now() // at once: what was said while nobody listened
	for started := true; c.base.Err() == nil; {
		c.writeMarks()
		now := c.o.Now()
		if !now.Before(sweep) {
			c.forget()
			if c.own != nil {
				c.sweep(started)
				started = false
			}
			sweep = now.Add(c.o.SweepEvery)
		}
		c.healDue()
		c.rest(sweep)
	}
}

// rest waits until there is something to do.
func (c *Connector) rest(sweep time.Time) {
	now := c.o.Now()
	wait := sweep.Sub(now)
	c.mu.Lock()
	for _, at := range c.heal {
		wait = min(wait, at.Sub(now))
	}
	for key := range c.marking {
		wait = min(wait, c.marked[key].Add(markEvery).Sub(now))
	}
	c.mu.Unlock()
	t := time.NewTimer(max(wait, 10*time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.kick:
	case <-c.base.Done():
	}
}

func (c *Connector) wake() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// mark has a mark written soon, and says whether it is the first for a while; it
// never waits.
func (c *Connector) mark(key string) (due bool) {
	c.mu.Lock()
	due = !c.marking[key] && c.o.Now().Sub(c.marked[key]) >= markEvery
	c.marking[key] = true
	c.mu.Unlock()
	if due {
		c.wake()
	}
	return due
}

func (c *Connector) writeMarks() {
	c.mu.Lock()
	now := c.o.Now()
	var due []string
	for key := range c.marking {
		if now.Sub(c.marked[key]) >= markEvery {
			due = append(due, key)
			c.marked[key] = now
			delete(c.marking, key)
		}
	}
	c.mu.Unlock()
	for _, key := range due {
		if err := c.o.Marks.Mark(c.base, name, key); err != nil && c.base.Err() == nil {
			c.log.Warn("a mark was not written", "mark", key, "error", err)
		}
	}
}

// healSoon has the messages of a conversation read after a while.
func (c *Connector) healSoon(uuid string, after time.Duration) {
	if c.own == nil {
		return
	}
	c.mu.Lock()
	if _, already := c.heal[uuid]; !already && len(c.heal) < 10000 {
		c.heal[uuid] = c.o.Now().Add(after)
	}
	c.mu.Unlock()
	c.wake()
}

// healDue reads the conversations whose time has come.
func (c *Connector) healDue() {
	c.mu.Lock()
	now := c.o.Now()
	var due []string
	for uuid, at := range c.heal {
		if !at.After(now) && len(due) < healsAtOnce {
			due = append(due, uuid)
			delete(c.heal, uuid)
		}
	}
	c.mu.Unlock()
	for _, uuid := range due {
		err := c.reconcile(c.base, uuid)
		var f *connect.Fault
		switch {
		case err == nil || c.base.Err() != nil:
		case errors.As(err, &f) && f.Status >= 400 && f.Status < 500 && f.Status != http.StatusTooManyRequests:
			c.mu.Lock()
			k := c.look(uuid)
			k.read = k.last // not before something new is said there
			c.mu.Unlock()
			c.log.Warn("a conversation cannot be read: is Aside's agent allowed to?", "conversation", prefix+uuid, "error", err)
		default:
			c.log.Warn("a conversation could not be read yet", "conversation", prefix+uuid, "error", err)
			c.healSoon(uuid, c.o.Doubt)
		}
	}
}

// reconcile reads the last messages of a conversation and takes those that are
// missing here, in one call.
func (c *Connector) reconcile(ctx context.Context, uuid string) error {
	c.mu.Lock()
	upTo := c.look(uuid).last
	c.mu.Unlock()
	list, err := c.messages(ctx, uuid, c.own, false)
	if err != nil {
		return err
	}
	turns, err := c.turns(ctx, uuid)
	if err != nil {
		return err
	}
	have := map[string]bool{}
	replies := map[string]int{} // what agents said from here, by their letters
	for _, t := range turns {
		if t.ExternalID != "" {
			have[t.ExternalID] = true
		} else if t.Role == assist.RoleAgent {
			replies[letters(t.Text)]++
		}
	}
	whole := true
	for _, m := range list {
		if have[m.UUID] {
			continue
		}
		if ours(m.echo()) {
			if is := letters(m.text()); replies[is] > 0 {
				replies[is]--
				continue
			}
			if c.posting(m.echo()) {
				whole = false // its turn may still fail to be stored: looked at again
				continue
			}
		}
		if err := c.takeMessage(m, true); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.look(uuid)
	k.stored = k.stored || len(turns) > 0
	for _, m := range list {
		if m.CreatedAt.After(k.last) {
			k.last = m.CreatedAt
		}
		if m.CreatedAt.After(upTo) {
			upTo = m.CreatedAt
		}
	}
	if whole {
		k.read = upTo
	}
	return nil
}

// turns are what we have of a conversation, none when we do not know it.
func (c *Connector) turns(ctx context.Context, uuid string) ([]assist.Turn, error) {
	turns, _, err := c.o.Chats.Transcript(ctx, source, prefix+uuid)
	if assist.CodeOf(err) == assist.NotFound {
		return nil, nil
	}
	return turns, err
}

// letters is what two forms of the same words have in common.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

// sweep reads the list of conversations, takes the states we have missed, and has
// those read in which something was said that we did not hear. One process does it;
// after its start each does, whoever did it last: it was down itself.
func (c *Connector) sweep(started bool) {
	ctx := c.base
	first, err := c.o.Marks.Once(ctx, name, "sweep:"+strconv.FormatInt(c.o.Now().UnixNano()/int64(c.o.SweepEvery), 10))
	if err != nil || !first && !started {
		return // the store is down, or another process does it
	}
	list, err := c.conversations(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.log.Warn("the list of conversations could not be read", "error", err)
		}
		return
	}
	var unread []string
	for _, s := range list {
		if ctx.Err() != nil {
			return
		}
		missing, err := c.missing(ctx, s)
		if err != nil {
			c.log.Warn("a conversation could not be compared", "conversation", prefix+s.UUID, "error", err)
			return
		}
		if missing {
			unread = append(unread, s.UUID)
		}
		c.mu.Lock()
		k := c.look(s.UUID)
		moved := k.stored && s.UpdatedAt.After(k.state) && (s.closed() != k.closed || s.AssignedUserID != k.agent)
		c.mu.Unlock()
		if moved && c.putChange(change{Conversation: &s}) != nil {
			return // the inbox is full, or the store is down: the next sweep sees it again
		}
	}
	unread = append(unread, c.unread()...)
	for _, uuid := range unread[:min(len(unread), healsAtOnce)] {
		c.healSoon(uuid, 0)
	}
}

// unread are the conversations in which something was said since their messages
// were last read, and that are quiet now: something before it may have been lost.
// Those that were read longest ago come first.
func (c *Connector) unread() (out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	quiet := c.o.Now().Add(-c.o.HealAfter)
	for uuid, k := range c.known {
		if k.last.After(k.read) && k.last.Before(quiet) {
			out = append(out, uuid)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return c.known[a].read.Compare(c.known[b].read) })
	return out
}

// missing says whether something was said in s that we do not have.
func (c *Connector) missing(ctx context.Context, s snapshot) (bool, error) {
	if s.LastInteraction.IsZero() {
		return false, nil
	}
	c.mu.Lock()
	k := *c.look(s.UUID)
	c.mu.Unlock()
	if k.stored && !k.last.IsZero() {
		return s.LastInteraction.After(k.last), nil
	}
	turns, err := c.turns(ctx, s.UUID)
	if err != nil {
		return false, err
	}
	if len(turns) == 0 { // we begin to listen to those who wait for an answer
		return !s.closed() && s.LastInteractedBy == "contact" && c.o.Now().Sub(s.LastInteraction) < newFor, nil
	}
	var last time.Time
	for _, t := range turns {
		if t.Role != assist.RoleSystem && t.At.After(last) {
			last = t.At
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.look(s.UUID)
	p.stored = true
	if last.After(p.last) {
		p.last = last
	}
	return s.LastInteraction.After(p.last), nil
}

// forget drops what nobody touched for a day.
func (c *Connector) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.o.Now().Add(-forgetAfter)
	for uuid, k := range c.known {
		if k.touched.Before(old) {
			delete(c.known, uuid)
		}
	}
	for echo, at := range c.sent {
		if at.Before(old) {
			delete(c.sent, echo)
		}
	}
}
