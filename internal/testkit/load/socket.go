package load

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
)

// Frame is a message in either direction.
type Frame struct {
	Type         string          `json:"type"`
	ID           string          `json:"id,omitempty"`
	Conversation string          `json:"conversation,omitempty"`
	Seq          int64           `json:"seq,omitempty"`
	Data         json.RawMessage `json:"data,omitempty"`
	Error        *struct {
		Code    assist.Code `json:"code"`
		Message string      `json:"message"`
	} `json:"error,omitempty"`

	At time.Time `json:"-"` // when it was read
}

// Socket is one connection. Send may be called from any goroutine.
type Socket struct {
	conn *websocket.Conn
	mu   sync.Mutex
}

// Dial connects and takes the welcome.
func (s *Server) Dial(ctx context.Context, token string) (*Socket, error) {
	d := websocket.Dialer{Subprotocols: []string{"aside.v1"}, HandshakeTimeout: 30 * time.Second, ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &writeBuffers}
	conn, _, err := d.DialContext(ctx, "ws"+strings.TrimPrefix(s.URL, "http")+"/v1/ws", http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := &Socket{conn: conn}
	if f, err := c.Read(); err != nil || f.Type != "welcome" {
		conn.Close()
		return nil, fmt.Errorf("no welcome but %q: %w", f.Type, err)
	}
	return c, nil
}

var writeBuffers sync.Pool // of thousands of clients that are mostly silent

// Send writes a frame.
func (c *Socket) Send(typ, id, conversation string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	return c.conn.WriteJSON(Frame{Type: typ, ID: id, Conversation: conversation, Data: body})
}

// Read waits for the next frame.
func (c *Socket) Read() (f Frame, err error) {
	_, body, err := c.conn.ReadMessage()
	if err != nil {
		return f, err
	}
	f.At = time.Now()
	if err := json.Unmarshal(body, &f); err != nil {
		return f, fmt.Errorf("a frame that is not JSON: %w", err)
	}
	return f, nil
}

// Until reads up to a frame that is wanted; an error frame ends it.
func (c *Socket) Until(wanted func(Frame) bool) (Frame, error) {
	for {
		f, err := c.Read()
		switch {
		case err != nil:
			return f, err
		case wanted(f):
			return f, nil
		case f.Type == "error":
			return f, fmt.Errorf("%s: %s: %s", f.ID, f.Error.Code, f.Error.Message)
		}
	}
}

// Call sends a frame and waits for its answer.
func (c *Socket) Call(typ, id, conversation string, data any) (Frame, error) {
	if err := c.Send(typ, id, conversation, data); err != nil {
		return Frame{}, err
	}
	return c.Until(func(f Frame) bool { return f.ID == id && f.Type == "ack" })
}

// Drop cuts the connection without a word.
func (c *Socket) Drop() {
	if tcp, ok := c.conn.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, as from a network that went away
	}
	c.conn.Close()
}

// Close hangs up.
func (c *Socket) Close() {
	_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	c.conn.Close()
}

// Samples are times in milliseconds; safe for concurrent use.
type Samples struct {
	mu  sync.Mutex
	all []float64
}

// Add takes one in.
func (s *Samples) Add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, float64(d)/float64(time.Millisecond))
}

// N is how many there are.
func (s *Samples) N() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// P gives a percentile, 0 to 1, by nearest rank; 0 without samples.
func (s *Samples) P(p float64) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return 0
	}
	slices.Sort(s.all)
	return s.all[max(0, int(math.Ceil(p*float64(len(s.all))))-1)]
}

// eachTurn gives what customers said in a file of recorded chats.
func eachTurn(r io.Reader, add func(string)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var c struct {
			Turns []struct{ Role, Text string }
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return fmt.Errorf("read recorded chats: %w", err)
		}
		for _, t := range c.Turns {
			if t.Role == string(assist.RoleCustomer) {
				add(t.Text)
			}
		}
	}
	return lines.Err()
}
