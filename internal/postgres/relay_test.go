package postgres_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// relay stands between client and server, for faults of the way between them.
type relay struct {
	// cut lets a statement through to the server and cuts the connection instead
	// of passing on the answer that has this command tag: the client cannot know
	// whether it happened. nil after it cut.
	cut   atomic.Pointer[string]
	delay atomic.Int64                   // nanoseconds that every answer takes longer
	node  atomic.Pointer[pgx.ConnConfig] // where new connections go
}

func (r *relay) cuts(answer []byte) bool {
	tag := r.cut.Load()
	return tag != nil && strings.Contains(string(answer), *tag+"\x00") && r.cut.CompareAndSwap(tag, nil)
}

func (r *relay) dial() (net.Conn, error) {
	server := r.node.Load()
	if strings.HasPrefix(server.Host, "/") {
		return net.Dial("unix", fmt.Sprintf("%s/.s.PGSQL.%d", server.Host, server.Port))
	}
	return net.Dial("tcp", net.JoinHostPort(server.Host, strconv.Itoa(int(server.Port))))
}

// serve gives the URL of the relay, which lives until the test ends.
func (r *relay) serve(t *testing.T, server *pgx.ConnConfig) string {
	r.node.Store(server)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			behind, err := r.dial()
			if err != nil {
				client.Close()
				continue
			}
			wg.Go(func() { io.Copy(behind, client); behind.Close() })
			wg.Go(func() { r.answers(client, behind) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	u := url.URL{Scheme: "postgres", User: url.UserPassword(server.User, server.Password), Host: l.Addr().String(), Path: server.Database, RawQuery: "sslmode=disable"}
	return u.String()
}

func (r *relay) answers(client, behind net.Conn) {
	defer client.Close()
	defer behind.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := behind.Read(buf)
		if err != nil || r.cuts(buf[:n]) {
			return
		}
		if d := time.Duration(r.delay.Load()); d > 0 {
			time.Sleep(d) // the fault itself
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}
