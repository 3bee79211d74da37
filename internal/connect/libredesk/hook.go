package libredesk

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect"
)

const (
	// maxDelivery is the greatest delivery that is read, in bytes. An email's
	// message can be large; nothing else is.
	maxDelivery = 4 << 20
	// bodyWithin is how long a delivery may take to arrive. Libredesk gives up
	// after 3 s.
	bodyWithin = 10 * time.Second
	// maxAge is how old a delivery about a conversation's state may be. A
	// message of any age is the turn it always was; an old state that somebody
	// plays again is not the state.
	maxAge = 10 * time.Minute
)

// ServeHTTP takes a delivery. It never waits for the store or the network.
func (c *Connector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "this address takes POST", http.StatusMethodNotAllowed)
		return
	}
	// Where the server has no deadlines (tests), the body is there already.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyWithin))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDelivery))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			err = assist.Errorf(assist.TooLarge, "the delivery is larger than %d bytes", maxDelivery)
		} else {
			err = assist.Wrap(err, assist.Invalid, "the delivery was cut off")
		}
		connect.Refuse(w, err)
		return
	}
	if err := verify(c.cfg.WebhookSecret, r.Header.Get("X-Libredesk-Signature"), body); err != nil {
		if c.mark(connect.MarkRefused) { // not one line for each of a flood
			c.log.Warn("a delivery was refused", "error", err)
		}
		connect.Refuse(w, err)
		return
	}
	c.mark(connect.MarkDelivery)
	if err := c.take(body); err != nil {
		c.log.Warn("a delivery was not taken", "error", err)
		connect.Refuse(w, err)
		return
	}
	connect.Taken(w)
}

// take puts a verified delivery in the inbox.
func (c *Connector) take(body []byte) error {
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return assist.Wrap(err, assist.Invalid, "the delivery is not the JSON that Libredesk sends")
	}
	switch e.Event {
	case "webhook.test":
		return nil
	case "message.created", "message.updated":
		var m message
		if err := json.Unmarshal(e.Payload, &m); err != nil {
			return assist.Wrap(err, assist.Invalid, "the payload of %s cannot be read", e.Event)
		}
		if m.ID <= 0 || !validID(m.UUID) || !validID(m.Conversation) {
			return assist.Errorf(assist.Invalid, "the payload of %s lacks id, uuid or conversation_uuid", e.Event)
		}
		return c.takeMessage(m, false)
	case "conversation.created":
		var s snapshot
		if err := json.Unmarshal(e.Payload, &s); err != nil {
			return assist.Wrap(err, assist.Invalid, "the payload of %s cannot be read", e.Event)
		}
		return c.takeChange(e, change{Conversation: &s}, true)
	default: // about a conversation, or the event of an automation rule
		var ch change
		if err := json.Unmarshal(e.Payload, &ch); err != nil || ch.Conversation == nil {
			c.log.Debug("a delivery that says nothing of a conversation", "event_bytes", len(e.Event))
			return nil
		}
		ch.unassigned = e.Event == "conversation.unassigned"
		return c.takeChange(e, ch, false)
	}
}

func validID(s string) bool {
	return s != "" && len(s) <= 64 && assist.CheckConversationID(s) == nil
}

// takeMessage puts a message in the inbox. healed ones were read rather than sent
// to us: they are known to be missing.
func (c *Connector) takeMessage(m message, healed bool) error {
	_, err := c.inbox.Put(connect.Delivery{Conversation: prefix + m.Conversation, ID: m.ID, At: m.CreatedAt,
		Do: func(ctx context.Context) error { return c.addMessage(ctx, m, healed) }})
	if err != nil {
		c.healSoon(m.Conversation, c.o.HealAfter)
	}
	return err
}

func (c *Connector) takeChange(e envelope, ch change, created bool) error {
	s := *ch.Conversation
	if !validID(s.UUID) || s.UpdatedAt.IsZero() {
		return assist.Errorf(assist.Invalid, "the payload of an event about a conversation lacks uuid or updated_at")
	}
	if !e.Timestamp.IsZero() && c.o.Now().Sub(e.Timestamp) > maxAge {
		c.log.Warn("an old state of a conversation was left alone", "conversation", prefix+s.UUID)
		return nil
	}
	c.mu.Lock()
	k := c.look(s.UUID)
	k.fresh = k.fresh || created
	if s.InboxChannel != "" {
		k.channel, k.email = s.InboxChannel, s.Contact.Email
	}
	c.mu.Unlock()
	return c.putChange(ch)
}

func (c *Connector) putChange(ch change) error {
	s := *ch.Conversation
	_, err := c.inbox.Put(connect.Delivery{Conversation: prefix + s.UUID, At: s.UpdatedAt,
		Do: func(ctx context.Context) error { return c.applyState(ctx, ch) }})
	if err != nil {
		c.healSoon(s.UUID, c.o.HealAfter)
	}
	return err
}
