package ws

import (
	"fmt"

	"github.com/aside-project/aside/internal/assist"
)

// view is where one connection stands in one conversation's log. Only the writer
// goroutine touches last and opened.
type view struct {
	conversation string
	last         int64 // everything up to here was written or is not for these eyes
	opened       bool
}

// opening asks the writer to open a view: ack, replay, then live.
type opening struct {
	frame frame
	after int64
}

// deliverOpening acks, replays the log after the client's position, and goes
// live. The view is subscribed already: what was published since waits behind
// this in the outbox, and what is both there and in the log is written once.
func (c *conn) deliverOpening(v *view, o *opening) error {
	conv, events, err := c.s.opts.Service.Open(c.ctx, c.who, v.conversation, o.after, page)
	if err != nil && assist.CodeOf(err) != assist.NotFound {
		return c.answerOpening(o, err)
	}
	ack := encode(ackFrame{"ack", o.frame.ID, v.conversation, openAck{conv.LastSeq, conv.Status}})
	if err := c.writeFrame(ack); err != nil {
		return err
	}
	v.opened = true
	// Somebody who has seen more than there is was told by another log.
	v.last = min(max(o.after, 0), conv.LastSeq)
	if err := c.writeEvents(v, events); err != nil {
		return err
	}
	if len(events) == page {
		if err := c.catchUp(v); err != nil {
			return err
		}
	}
	v.last = max(v.last, conv.LastSeq) // for a customer the rest was not public
	return nil
}

func (c *conn) answerOpening(o *opening, err error) error {
	c.fail(o.frame, err)
	return nil
}

// deliverEvent writes an event where it belongs in the order of seq.
func (c *conn) deliverEvent(v *view, e assist.Event) error {
	switch {
	case !v.opened:
		return nil // the replay that follows has it
	case e.Type == assist.EventErased:
		v.last = 0 // whoever writes now begins again
		return c.writeEvent(e)
	case e.Seq == 0:
		return c.writeEvent(e)
	case e.Seq <= v.last:
		return nil
	case e.Seq > v.last+1:
		if err := c.catchUp(v); err != nil {
			return err
		}
	}
	if e.Seq <= v.last {
		return nil
	}
	v.last = e.Seq
	return c.writeEvent(e)
}

// catchUp writes everything in the log after the view's position.
func (c *conn) catchUp(v *view) error {
	for {
		events, err := c.s.opts.Service.Events(c.ctx, c.who, v.conversation, v.last, page)
		if err != nil {
			c.s.log.Error("the log could not be read", "session", c.session, "conversation", v.conversation, "after", v.last, "error", err)
			c.close(slow, "the conversation could not be read: reconnect and resume")
			return fmt.Errorf("%w: %w", errClosed, err)
		}
		if err := c.writeEvents(v, events); err != nil {
			return err
		}
		if len(events) < page {
			return nil
		}
	}
}

// writeEvents writes those of the log's events that the view has not seen.
func (c *conn) writeEvents(v *view, events []assist.Event) error {
	for _, e := range events {
		if e.Seq <= v.last {
			continue
		}
		v.last = e.Seq
		if err := c.writeEvent(e); err != nil {
			return err
		}
	}
	return nil
}

// writeEvent writes an event as this identity may see it, if at all.
func (c *conn) writeEvent(e assist.Event) error {
	data := e.Data
	if c.who.Actor == assist.ActorCustomer {
		data = e.Public
	}
	if data == nil {
		return nil
	}
	return c.writeFrame(appendEvent(make([]byte, 0, len(data)+160), e, data))
}
