package ws

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

const (
	dialTimeout = 10 * time.Second
	readTimeout = 30 * time.Second // of a client: its server must say something within it
	maxMessage  = 1 << 20          // read by a client, in bytes
)

// Client is a WebSocket to somebody else's server. One goroutine may read and one
// write; Close may be called by either, and more than once.
type Client struct{ conn *websocket.Conn }

// Dial opens a WebSocket. The address is ws:// or wss://.
func Dial(ctx context.Context, address string, header http.Header) (*Client, error) {
	d := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: dialTimeout}
	conn, res, err := d.DialContext(ctx, address, header)
	if err != nil {
		if res != nil {
			err = fmt.Errorf("%w: the server answered %d", err, res.StatusCode)
		}
		return nil, fmt.Errorf("open a socket to another server: %w", err)
	}
	conn.SetReadLimit(maxMessage)
	return &Client{conn}, nil
}

// Read gives the next message. Its error ends the socket; so does silence of 30 s.
func (c *Client) Read() ([]byte, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
		return nil, err
	}
	_, b, err := c.conn.ReadMessage()
	return b, err
}

// Write sends a text message, within 5 s.
func (c *Client) Write(text []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	return c.conn.WriteMessage(websocket.TextMessage, text)
}

// Close ends the socket without a closing handshake.
func (c *Client) Close() error { return c.conn.Close() }
