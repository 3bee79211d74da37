package libredesk

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// addMessage makes a message the turn it is. It runs in the conversation's lane of
// the inbox, in the order of ids.
func (c *Connector) addMessage(ctx context.Context, m message, healed bool) error {
	c.learnAuthor(m)
	if !healed {
		if err := c.readPast(ctx, m); err != nil {
			return err
		}
	}
	if ours(m.echo()) && !healed && m.Status != "failed" {
		c.echoed(m)
		return nil
	}
	n, ok := m.turn()
	if ok && (!ours(m.echo()) || healed) {
		if _, _, err := c.o.Chats.Receive(ctx, source, n); err != nil && assist.CodeOf(err) != assist.Conflict {
			return fmt.Errorf("take message %s: %w", m.UUID, err)
		} // a conflict: the same message with other words, which is still the same turn
	}
	if m.Status == "failed" && m.Type == "outgoing" && !m.Private {
		f := assist.NewTurn{Conversation: prefix + m.Conversation, ExternalID: m.UUID + ":failed", Role: assist.RoleSystem, At: m.CreatedAt,
			Action: &assist.Action{Name: "message not delivered", Values: []string{clip(m.text(), 200)}}}
		if _, _, err := c.o.Chats.Receive(ctx, source, f); err != nil && assist.CodeOf(err) != assist.Conflict {
			return fmt.Errorf("take the failure of message %s: %w", m.UUID, err)
		}
		ok = true
	}
	return c.have(ctx, m, ok)
}

// have remembers that a message is in the store, and applies a state that came
// before the conversation's first turn.
func (c *Connector) have(ctx context.Context, m message, turn bool) error {
	c.mu.Lock()
	k := c.look(m.Conversation)
	k.stored = k.stored || turn
	if !m.Private && m.Type != "activity" && m.CreatedAt.After(k.last) {
		k.last = m.CreatedAt
	}
	if m.Type == "incoming" && m.CreatedAt.After(k.asked) {
		k.asked, k.closed = m.CreatedAt, false
	}
	ch := k.pending
	if !k.stored {
		ch = nil
	} else {
		k.pending = nil
	}
	c.mu.Unlock()
	if ch == nil {
		return nil
	}
	return c.applyState(ctx, *ch)
}

func (c *Connector) learnAuthor(m message) {
	if m.SenderType != "agent" || m.Author.ID == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.names) > 10000 {
		clear(c.names)
	}
	if n := m.author(); n != "" {
		c.names[m.Author.ID] = n
	}
	if m.Author.Type == "ai_assistant" {
		c.robots[m.Author.ID] = true
	}
}

// readPast reads what was said before we listened, when the first thing we hear of
// a conversation is not its beginning. What cannot be read now is read later.
func (c *Connector) readPast(ctx context.Context, m message) error {
	c.mu.Lock()
	k := c.look(m.Conversation)
	settled := k.stored || k.fresh || c.own == nil
	c.mu.Unlock()
	if settled {
		return nil
	}
	_, err := c.o.Chats.Conversation(ctx, source, prefix+m.Conversation)
	switch {
	case err == nil:
		c.mu.Lock()
		c.look(m.Conversation).stored = true
		c.mu.Unlock()
		return nil
	case assist.CodeOf(err) != assist.NotFound:
		return fmt.Errorf("look up conversation %s: %w", m.Conversation, err)
	}
	short, cancel := context.WithTimeout(ctx, c.o.Past)
	defer cancel()
	past, err := c.messages(short, m.Conversation, c.own, false)
	if err != nil {
		c.log.Warn("what was said before could not be read yet", "conversation", prefix+m.Conversation, "error", err)
		c.healSoon(m.Conversation, c.o.HealAfter)
		return nil
	}
	for _, p := range past {
		if p.ID < m.ID {
			if err := c.addMessage(ctx, p, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// applyState brings the conversation to where it stands in Libredesk: closed or
// not, and whose it is. Older states than the last are left alone, and so is a
// state that the store refuses because somebody here was faster.
func (c *Connector) applyState(ctx context.Context, ch change) error {
	s := *ch.Conversation
	c.mu.Lock()
	k := c.look(s.UUID)
	old := !s.UpdatedAt.After(k.state)
	behind := s.LastInteraction.After(k.last)
	robot := c.robots[s.AssignedUserID]
	asked, had := k.asked, k.agent
	c.mu.Unlock()
	if behind {
		c.healSoon(s.UUID, c.o.HealAfter) // it was said, and has not come to us
	}
	if old {
		return nil
	}
	now, err := c.o.Chats.Conversation(ctx, source, prefix+s.UUID)
	if assist.CodeOf(err) == assist.NotFound {
		c.mu.Lock()
		if k := c.look(s.UUID); k.pending == nil || k.pending.Conversation.UpdatedAt.Before(s.UpdatedAt) {
			k.pending = &ch
		}
		c.mu.Unlock()
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up conversation %s: %w", s.UUID, err)
	}
	switch {
	case s.closed():
		if now.Status != assist.StatusClosed && !asked.After(s.UpdatedAt) {
			_, err = c.o.Chats.Close(ctx, c.agent(ch.ActorID), now.ID, clip(s.Status, assist.MaxActValue))
		}
	case now.Status == assist.StatusClosed: // it opens again when the customer writes
	case s.AssignedUserID != 0 && !robot:
		if who := c.agent(s.AssignedUserID); now.Agent != who.Subject {
			_, err = c.o.Chats.TakeHandoff(ctx, who, now.ID)
		}
	case s.AssignedUserID == 0 && (ch.unassigned || had != 0) && now.Status == assist.StatusOpen && strings.HasPrefix(now.Agent, agentPrefix):
		// One who only replied was never assigned, and keeps it here.
		id, perr := strconv.ParseInt(strings.TrimPrefix(now.Agent, agentPrefix), 10, 64)
		if perr != nil {
			id = 0
		}
		_, err = c.o.Chats.ReturnHandoff(ctx, c.agent(id), now.ID, "Unassigned in Libredesk.")
	}
	if err != nil && assist.CodeOf(err) != assist.Conflict && assist.CodeOf(err) != assist.NotFound {
		return fmt.Errorf("bring conversation %s to its state: %w", s.UUID, err)
	}
	c.mu.Lock()
	k = c.look(s.UUID)
	k.state, k.closed, k.agent, k.stored = s.UpdatedAt, s.closed() && !asked.After(s.UpdatedAt), s.AssignedUserID, true
	c.mu.Unlock()
	return nil
}

// errNoKey: Aside has no key of its own.
var errNoKey = errors.New("ASIDE_LIBREDESK_KEY is not set")
