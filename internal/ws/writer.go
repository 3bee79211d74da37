package ws

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
)

// page is how many events are read from the log at a time.
const page = 200

var (
	errWrite  = errors.New("write to the socket")
	errClosed = errors.New("the connection is closing")
)

// write is the writer goroutine: the only one that writes data frames.
func (c *conn) write() {
	limits := c.s.opts.Limits
	jitter := time.Duration(rand.Int64N(int64(limits.PingEvery)/5 + 1))
	ping := time.NewTicker(limits.PingEvery - jitter)
	defer ping.Stop()
	var expired, recheck <-chan time.Time
	if !c.who.Expires.IsZero() {
		t := time.NewTimer(max(0, c.who.Expires.Sub(c.s.opts.Now())))
		defer t.Stop()
		expired = t.C
	}
	if c.s.opts.Recheck != nil {
		t := time.NewTicker(limits.RecheckEvery)
		defer t.Stop()
		recheck = t.C
	}
	defer c.sayGoodbye()
	for {
		select {
		case <-c.quit:
			c.flush()
			return
		case <-c.out.signal:
			if err := c.drain(); err != nil {
				c.writeFailed(err)
				return
			}
		case <-ping.C:
			if err := c.socket.WriteControl(websocket.PingMessage, nil, time.Now().Add(limits.WriteTimeout)); err != nil {
				c.writeFailed(err)
				return
			}
		case <-expired:
			c.close(unauthenticated, "the token has expired: reconnect with a new one")
		case <-recheck:
			ctx, cancel := context.WithTimeout(c.ctx, limits.RecheckEvery)
			err := c.s.opts.Recheck(ctx, c.who)
			cancel()
			if code := assist.CodeOf(err); code == assist.Unauthenticated || code == assist.Forbidden {
				c.close(closeCode(err), assist.MessageOf(err))
			}
		}
	}
}

// drain writes what waits, until there is nothing or the connection is closing.
func (c *conn) drain() error {
	for {
		select {
		case <-c.quit:
			return nil // flush decides
		default:
		}
		i, ok := c.out.next()
		if !ok {
			return nil
		}
		if err := c.deliver(i); err != nil {
			return err
		}
	}
}

// flush writes the answers that wait before a close; events can be read again.
func (c *conn) flush() {
	if c.closeCode == slow || c.closeCode == 0 {
		return
	}
	for i, ok := c.out.next(); ok; i, ok = c.out.next() {
		if i.frame != nil && c.writeFrame(i.frame) != nil {
			return
		}
	}
}

// sayGoodbye tells the client why, and makes the reader end soon.
func (c *conn) sayGoodbye() {
	<-c.quit
	if c.closeCode != 0 {
		msg := websocket.FormatCloseMessage(c.closeCode, c.closeText)
		_ = c.socket.WriteControl(websocket.CloseMessage, msg, time.Now().Add(c.s.opts.Limits.WriteTimeout)) // a client that is gone needs no reason
	}
	_ = c.socket.NetConn().SetReadDeadline(time.Now().Add(time.Second))
}

// writeFailed ends the connection: the client is gone or does not read.
func (c *conn) writeFailed(err error) {
	if errors.Is(err, errWrite) || !errors.Is(err, errClosed) {
		c.s.log.Debug("a socket could not be written", "session", c.session, "error", err)
	}
	c.close(slow, "you read too slowly: reconnect and resume")
}

func (c *conn) writeFrame(b []byte) error {
	if err := c.socket.SetWriteDeadline(time.Now().Add(c.s.opts.Limits.WriteTimeout)); err != nil {
		return errors.Join(errWrite, err)
	}
	if err := c.socket.WriteMessage(websocket.TextMessage, b); err != nil {
		return errors.Join(errWrite, err)
	}
	return nil
}

func (c *conn) deliver(i item) error {
	switch {
	case i.open != nil:
		return c.deliverOpening(i.view, i.open)
	case i.view != nil:
		return c.deliverEvent(i.view, i.event)
	}
	return c.writeFrame(i.frame)
}
