package ws_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// BenchmarkFanOut is from AddTurn until every socket has the turn.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("sockets=%d", n), func(b *testing.B) {
			h := open(b, nil)
			got := make(chan struct{}, n)
			for range n {
				c := h.dial(agent)
				c.open("conv_1", 0)
				go func() {
					for {
						if m, err := c.read(); err != nil {
							return
						} else if m.Type == "turn.added" {
							got <- struct{}{}
						}
					}
				}()
			}
			b.ResetTimer()
			for i := range b.N {
				if _, err := h.chat.AddTurn(context.Background(), source, assist.NewTurn{Conversation: "conv_1", ClientID: fmt.Sprint(i), Role: assist.RoleCustomer, Text: "Where is my order?"}); err != nil {
					b.Fatal(err)
				}
				for range n {
					<-got
				}
			}
		})
	}
}

// BenchmarkAck is one turn.add and its ack on one socket.
func BenchmarkAck(b *testing.B) {
	h := open(b, nil)
	c := h.dial(source)
	b.ResetTimer()
	for i := range b.N {
		c.say(`{"type":"turn.add","id":"%d","conversation":"conv_%d","data":{"role":"customer","text":"Where is my order?"}}`, i, i%100)
		if m := c.next(); m.Error != nil && m.Error.Code == assist.RateLimited {
			time.Sleep(time.Millisecond) // the bucket is part of the path
		} else if m.Type != "ack" {
			b.Fatal(m.raw)
		}
	}
}

// BenchmarkIdleSocket reports the memory of an idle socket with one conversation
// open. The client is a bare connection without buffers; the kernel's part is not
// counted.
func BenchmarkIdleSocket(b *testing.B) {
	for b.Loop() {
		const n = 1000
		h := open(b, nil)
		token := h.token(agent, time.Hour)
		before := inUse()
		for i := range n {
			conn, err := net.Dial("tcp", strings.TrimPrefix(h.http.URL, "http://"))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { conn.Close() })
			fmt.Fprintf(conn, "GET /v1/ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", token)
			buf := make([]byte, 512)
			readUntil := func(words string) {
				var got strings.Builder
				for !strings.Contains(got.String(), words) {
					k, err := conn.Read(buf)
					if err != nil {
						b.Fatal(err)
					}
					got.Write(buf[:k])
				}
			}
			readUntil(`"welcome"`)
			open := fmt.Sprintf(`{"type":"conversation.open","id":"o","conversation":"conv_%d"}`, i)
			if _, err := conn.Write(append([]byte{0x81, 0x80 | byte(len(open)), 0, 0, 0, 0}, open...)); err != nil { // masked with zeros
				b.Fatal(err)
			}
			readUntil(`"presence"`)
		}
		b.ReportMetric(float64(inUse()-before)/n/1024, "KiB/socket")
	}
}

func inUse() uint64 {
	for range 4 { // a stack shrinks by half at each collection
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
