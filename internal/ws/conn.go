package ws

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/aside-project/aside/internal/assist"
)

// maxMistakes is how many frames in a row may be malformed before the connection
// is closed: a client with one bug keeps its connection, a fuzzer does not.
const maxMistakes = 10

// conn is one socket.
type conn struct {
	s       *Server
	socket  *websocket.Conn
	who     assist.Identity
	session string
	out     outbox
	writers sync.WaitGroup // one at a time
	lanes   *lanes
	ctx     context.Context // ends with the connection
	cancel  context.CancelFunc
	due     due // the tender's

	once      sync.Once
	quit      chan struct{} // closed by close
	closeCode int           // set before quit is closed
	closeText string

	mu      sync.Mutex
	views   map[string]*view
	cancels []func() // subscriptions
	leaves  []func() // of Watch
	queue   bool     // the queue is open
}

func newConn(s *Server, socket *websocket.Conn, who assist.Identity) *conn {
	c := &conn{s: s, socket: socket, who: who, session: strings.ToLower(rand.Text()), lanes: newLanes(), quit: make(chan struct{})}
	c.out.limit = s.opts.Limits.QueueBytes
	c.out.start = func() {
		c.writers.Add(1)
		go c.write() // serve waits for it
	}
	c.due = s.firstDue()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// close ends the connection with a code for the client; the first call counts. 0
// sends none. It never blocks.
func (c *conn) close(code int, words string) {
	c.once.Do(func() {
		c.closeCode, c.closeText = code, reason(words)
		close(c.quit)
		c.out.close()
	})
}

// refuse closes a socket that was upgraded only to be told why not.
func (c *conn) refuse(err error) {
	c.s.log.Info("socket refused", "remote", c.socket.RemoteAddr().String(), "error", err)
	c.cancel()
	c.close(closeCode(err), assist.MessageOf(err))
	c.writers.Wait()
	c.hangUp()
}

// serve is the read loop. It returns when everything of the connection has ended.
func (c *conn) serve() {
	c.welcome()
	gone := c.read()
	c.close(0, "")
	c.writers.Wait()
	c.cancel()
	c.mu.Lock()
	cancels := c.cancels
	c.cancels, c.views = nil, nil
	c.mu.Unlock()
	for _, cancel := range cancels {
		cancel()
	}
	c.lanes.wait()
	c.leave()
	if gone {
		_ = c.socket.Close() // the other side is gone; there is nobody to tell
		return
	}
	c.hangUp()
}

// leave says that this connection looks at nothing any more. A server that stops
// sends everybody away, who will be back: that is not leaving.
func (c *conn) leave() {
	c.s.mu.Lock()
	stopping := c.s.closing
	c.s.mu.Unlock()
	c.mu.Lock()
	leaves := c.leaves
	c.leaves = nil
	c.mu.Unlock()
	if stopping {
		return
	}
	for _, leave := range leaves {
		leave()
	}
}

// hangUp waits a moment for the other side to hang up first: closing with unread
// bytes would reset the connection, and the client would never see why.
func (c *conn) hangUp() {
	raw := c.socket.NetConn()
	if half, ok := raw.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = raw.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, io.LimitReader(raw, 4<<20))
	_ = c.socket.Close()
}

// buffers hold frames while they are read: idle connections have none.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// read takes frames until the connection ends, and reports whether the other
// side is gone.
func (c *conn) read() (gone bool) {
	limits := c.s.opts.Limits
	r := limits.rate(c.who.Actor)
	limiter := rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)
	mistakes, refused := 0, 0
	alive := func() error {
		err := c.socket.SetReadDeadline(time.Now().Add(limits.PingEvery + limits.PongTimeout))
		select {
		case <-c.quit: // the writer said goodbye and shortened the wait: keep it short
			return c.socket.SetReadDeadline(time.Now().Add(time.Second))
		default:
			return err
		}
	}
	c.socket.SetPongHandler(func(string) error { return alive() })
	c.socket.SetCloseHandler(func(code int, _ string) error {
		echo := websocket.FormatCloseMessage(code, "")
		_ = c.socket.WriteControl(websocket.CloseMessage, echo, time.Now().Add(limits.WriteTimeout)) // it was sent already, or there is nobody to tell
		return nil
	})
	for {
		if err := alive(); err != nil {
			return true
		}
		kind, in, err := c.socket.NextReader()
		if err != nil {
			return c.readFailed(err)
		}
		select {
		case <-c.quit:
			return false
		default:
		}
		if kind != websocket.TextMessage {
			c.close(malformed, "binary frames are not part of this protocol: send text frames")
			return false
		}
		f, err := c.readFrame(in)
		switch {
		case errors.Is(err, errTooLarge):
			c.close(tooLarge, fmt.Sprintf("the frame is larger than %d bytes", limits.FrameBytes))
			return false
		case errors.Is(err, errNotUTF8):
			c.close(malformed, "the frame is not valid UTF-8")
			return false
		case errors.Is(err, errRead):
			return c.readFailed(err)
		}
		if !limiter.Allow() {
			if refused++; refused > r.Burst {
				c.close(rateExceeded, fmt.Sprintf("more than %g frames per second for too long", r.PerSecond))
				return false
			}
			c.fail(f, assist.Errorf(assist.RateLimited, "more than %g frames per second: slow down and send this one again", r.PerSecond))
			continue
		}
		refused = max(0, refused-1)
		if err != nil {
			c.fail(f, err)
			if mistakes++; mistakes == maxMistakes {
				c.close(malformed, fmt.Sprintf("%d malformed frames in a row", maxMistakes))
				return false
			}
			continue
		}
		mistakes = 0
		c.lanes.do(f.Conversation, func() { c.work(f) })
	}
}

var (
	errTooLarge = errors.New("frame too large")
	errNotUTF8  = errors.New("frame not UTF-8")
	errRead     = errors.New("read frame")
)

// readFrame reads one message. The limit is on what arrives, before anything is
// kept of it.
func (c *conn) readFrame(in io.Reader) (frame, error) {
	limit := c.s.opts.Limits.FrameBytes
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	if _, err := b.ReadFrom(io.LimitReader(in, int64(limit)+1)); err != nil {
		return frame{}, fmt.Errorf("%w: %w", errRead, err)
	}
	if b.Len() > limit {
		return frame{}, errTooLarge
	}
	if !utf8.Valid(b.Bytes()) {
		return frame{}, errNotUTF8
	}
	return decodeFrame(b.Bytes())
}

func (c *conn) readFailed(err error) (gone bool) {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		c.close(idle, "nothing was heard from you: reconnect and resume")
		return false
	}
	return true
}

// work does what one frame asks, and answers it.
func (c *conn) work(f frame) {
	defer func() {
		if p := recover(); p != nil {
			c.s.log.Error("a frame panicked", "session", c.session, "type", f.Type, "conversation", f.Conversation, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			c.fail(f, assist.Errorf(assist.Internal, "something went wrong on our side; try again"))
		}
	}()
	do, known := routes[f.Type]
	if !known {
		c.fail(f, assist.Errorf(assist.Invalid, "type %q is not known: it must be one of %s", clip(f.Type), knownTypes))
		return
	}
	answer, err := do(c, f)
	switch {
	case err != nil:
		c.fail(f, err)
	case answer != nil && (f.ID != "" || f.Type == "turn.add"):
		c.send(encode(ackFrame{"ack", f.ID, f.Conversation, answer}))
	}
}

// fail answers a frame with an error; the cause goes to the log.
func (c *conn) fail(f frame, err error) {
	code := assist.CodeOf(err)
	if code == assist.Internal || code == assist.Unavailable {
		c.s.log.Error("a frame failed", "session", c.session, "subject", c.who.Subject, "type", clip(f.Type), "conversation", clip(f.Conversation), "error", err)
	}
	c.send(encode(errorFrame{"error", f.ID, clipTo(f.Conversation, assist.MaxID), errorBody{code, assist.MessageOf(err)}}))
}

// send queues a frame for the writer; a reader that does not keep up is cut off.
func (c *conn) send(b []byte) { c.put(item{frame: b}, false) }

func (c *conn) put(i item, lossy bool) {
	if !c.out.put(i, lossy) {
		c.close(slow, "you read too slowly: reconnect and resume")
	}
}

func (c *conn) welcome() {
	w := welcome{Type: "welcome"}
	l := c.s.opts.Limits
	r := l.rate(c.who.Actor)
	w.Data.Session, w.Data.ServerTime = c.session, c.s.opts.Now().UTC()
	w.Data.Limits.FrameBytes, w.Data.Limits.TextChars, w.Data.Limits.QueueBytes = l.FrameBytes, assist.MaxText, l.QueueBytes
	w.Data.Limits.RatePerSecond, w.Data.Limits.Burst = r.PerSecond, r.Burst
	c.send(encode(w))
}

func clip(s string) string { return clipTo(s, 60) }

func clipTo(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}
