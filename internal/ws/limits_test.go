package ws_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ws"
)

// TestSocketsPerAddress holds that one address cannot take all the sockets for
// customers, that a place is free again when a socket ends, and that people who
// work here are not counted.
func TestSocketsPerAddress(t *testing.T) {
	var from atomic.Value
	from.Store("192.0.2.1")
	h := open(t, func(o *ws.Options) {
		o.Limits.PerAddress = 3
		o.Address = func(*http.Request) string { return from.Load().(string) }
	})
	dial := func(who assist.Identity) (*websocket.Conn, int) {
		conn, res, err := websocket.DefaultDialer.Dial(h.url(), http.Header{"Authorization": {"Bearer " + h.token(who, time.Hour)}})
		if err != nil && res == nil {
			t.Fatal(err)
		}
		return conn, res.StatusCode
	}
	var open []*websocket.Conn
	for i, want := range []int{101, 101, 101, 429} {
		conn, got := dial(customer)
		if got != want {
			t.Fatalf("socket %d: %d, want %d", i, got, want)
		}
		open = append(open, conn)
	}
	if _, got := dial(agent); got != 101 {
		t.Errorf("an agent: %d", got)
	}
	open[0].Close()
	for late := time.After(time.Minute); ; {
		if _, got := dial(customer); got == 101 {
			break
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-late:
			t.Fatal("the place of a socket that ended is never free")
		}
	}
	from.Store("127.0.0.1")
	for range 5 {
		if _, got := dial(customer); got != 101 {
			t.Errorf("this machine: %d", got)
		}
	}
}

// TestRefusalsAreBounded holds that sockets which are upgraded only to be told why
// not are few at a time: beyond that the refusal is plain HTTP.
func TestRefusalsAreBounded(t *testing.T) {
	const kept = time.Second // how long a socket keeps its place when nobody reads the reason
	for try := 1; ; try++ {
		h := open(t, func(o *ws.Options) { o.Limits.Refused = 2 })
		head := http.Header{"Sec-WebSocket-Protocol": {"aside.v1, bearer.forged"}, "Origin": {h.http.URL}}
		got := map[int]int{}
		began := time.Now()
		for range 4 {
			conn, res, err := websocket.DefaultDialer.Dial(h.url(), head)
			if res == nil {
				t.Fatal(err)
			}
			got[res.StatusCode]++
			if err == nil {
				t.Cleanup(func() { conn.Close() })
			}
		}
		if time.Since(began) >= kept && try < 50 {
			continue // too slow: places may have become free between
		}
		if got[101] != 2 || got[401] != 2 {
			t.Errorf("%v", got)
		}
		return
	}
}

// BenchmarkFloodToCut measures how long a socket that sends as fast as it can
// stays, and what a turn on another one waits meanwhile.
func BenchmarkFloodToCut(b *testing.B) {
	h := open(b, nil)
	other := h.dial(source)
	var cut, worst time.Duration
	for i := range b.N {
		c := h.dial(customer)
		began := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for c.WriteMessage(websocket.TextMessage, []byte(`{"type":"typing","conversation":"conv_1"}`)) == nil {
			}
		}()
		for {
			asked := time.Now()
			other.say(`{"type":"turn.add","id":"f%d-%d","conversation":"conv_2","data":{"role":"customer","text":"hello"}}`, i, asked.UnixNano())
			other.next()
			worst = max(worst, time.Since(asked))
			if _, err := c.read(); err != nil {
				break
			}
		}
		cut = max(cut, time.Since(began))
		c.Close()
		<-done
	}
	b.ReportMetric(float64(cut.Milliseconds()), "cut-ms")
	b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ack-ms")
}

// TestHalfOpenHandshakes holds that connections which never finish asking are
// closed by the HTTP server, and that those who do ask are served meanwhile. What
// the real server waits for is held by TestSlowRequests of internal/app.
func TestHalfOpenHandshakes(t *testing.T) {
	h := open(t, nil)
	srv := &http.Server{Handler: h.server, ReadHeaderTimeout: 3 * time.Second}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-served })
	n := 2000
	if testing.Short() {
		n = 200
	}
	var half []net.Conn
	for i := range n {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Skipf("this machine gives no more than %d connections: %v", i, err)
		}
		defer c.Close()
		fmt.Fprint(c, []string{"", "G", "GET /v1/ws HTTP/1.1\r\n", "GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: webso"}[i%4])
		half = append(half, c)
	}
	c, _, err := websocket.DefaultDialer.Dial("ws://"+l.Addr().String()+"/v1/ws", http.Header{"Authorization": {"Bearer " + h.token(agent, time.Hour)}})
	if err != nil {
		t.Fatalf("who asks properly: %v", err)
	}
	defer c.Close()
	for i, c := range half {
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 512)
		n, err := c.Read(b)
		if n > 0 { // 408, then the end
			if !strings.HasPrefix(string(b), "HTTP/1.1 4") {
				t.Fatalf("connection %d was told %s", i, b[:n])
			}
			_, err = c.Read(b)
		}
		if err == nil || strings.Contains(err.Error(), "timeout") {
			t.Fatalf("connection %d is still open: %v", i, err)
		}
	}
}
