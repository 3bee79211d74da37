package ws

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/gorilla/websocket"
)

// page is how many events are read from the log at a time.
const page = 200

var (
	errWrite  = errors.New("write to the socket")
	errClosed = errors.New("the connection is closing")
)

// write is the writer goroutine, the only one that writes data frames. It lives
// while something waits in the outbox.
func (c *conn) write() {
	defer c.writers.Done()
	defer func() {
		if p := recover(); p != nil { // as everywhere: it costs this connection, and no other
			c.s.log.Error("a writer panicked", "session", c.session, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			_ = c.socket.Close()
		}
	}()
	for {
		i, ok, closing := c.out.next()
		switch {
		case closing:
			c.flush()
			c.sayGoodbye()
			return
		case !ok:
			return
		}
		if err := c.deliver(i); err != nil {
			c.writeFailed(err)
		}
	}
}

// flush writes the answers that wait before a close; events can be read again.
func (c *conn) flush() {
	if c.closeCode == slow || c.closeCode == 0 {
		return
	}
	for _, i := range c.out.rest() {
		if i.frame != nil && c.writeFrame(i.frame) != nil {
			return
		}
	}
}

// sayGoodbye tells the client why, and makes the reader end soon.
func (c *conn) sayGoodbye() {
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
	case i.ping:
		return c.socket.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.s.opts.Limits.WriteTimeout))
	}
	return c.writeFrame(i.frame)
}
