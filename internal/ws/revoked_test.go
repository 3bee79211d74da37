package ws_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/pubsub"
	"github.com/aside-project/aside/internal/testkit/memstore"
	"github.com/aside-project/aside/internal/ws"
)

// pipes is a listener whose connections are in memory, so that a clock of the
// test's own can run ahead.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestRevokedWithinFiveSeconds holds the promise by the clock, at every moment of
// the two looks it is made of: for revocations, and at each socket.
func TestRevokedWithinFiveSeconds(t *testing.T) {
	for at := time.Duration(0); at < auth.PollEvery; at += 330 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			quiet := slog.New(slog.DiscardHandler)
			signer, err := auth.NewSigner([]byte("0123456789abcdef0123456789abcdef"))
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			var mu sync.Mutex
			var stored []assist.Revocation
			var revoked auth.Revoked
			var all sync.WaitGroup
			all.Go(func() {
				revoked.Follow(ctx, auth.PollEvery, func(context.Context) ([]assist.Revocation, error) {
					mu.Lock()
					defer mu.Unlock()
					return stored, nil
				}, quiet)
			})
			bus := pubsub.New[assist.Event]()
			service := chat.New(memstore.New(time.Now), nil, bus, chat.Options{Logger: quiet})
			sockets := ws.New(ws.Options{Service: service, Bus: bus, Bearer: auth.Bearer, Verify: signer.Verify, Revoked: revoked.Check, Logger: quiet})
			server, listener := &http.Server{Handler: sockets}, &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
			all.Go(func() { _ = server.Serve(listener) })

			dial := func(subject string) *websocket.Conn {
				token, err := signer.Sign(assist.Identity{Subject: subject, Actor: assist.ActorAgent}, time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				here, there := net.Pipe()
				listener.conns <- there
				u := &url.URL{Scheme: "ws", Host: "aside.example", Path: "/"}
				conn, _, err := websocket.NewClient(here, u, http.Header{"Authorization": {"Bearer " + token}}, 1024, 1024)
				if err != nil {
					t.Fatal(err)
				}
				return conn
			}
			goes, stays := dial("maya"), dial("noor")
			var closed time.Time
			var why error
			end := make(chan struct{})
			read := func(conn *websocket.Conn) (err error) { // answers pings
				for err == nil {
					_, _, err = conn.ReadMessage()
				}
				return err
			}
			all.Go(func() { _ = read(stays) })
			all.Go(func() { why, closed = read(goes), time.Now(); close(end) })
			time.Sleep(time.Minute + at) // of the bubble's clock
			began := time.Now()
			mu.Lock()
			stored = []assist.Revocation{{Kind: assist.RevokeSubject, Value: "maya", Issued: began, Keep: began.Add(time.Hour)}}
			mu.Unlock()
			<-end
			if took := closed.Sub(began); !websocket.IsCloseError(why, 4401) || took < 0 || took > 5*time.Second {
				t.Errorf("revoked at +%s: closed after %s: %v", at, took, why)
			}
			goes.Close()
			synctest.Wait()
			if n := sockets.Connections(); n != 1 {
				t.Errorf("%d sockets are open, want the other one's", n)
			}
			stays.Close()
			stop()
			if err := sockets.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			service.Stop(context.Background())
			server.Close()
			all.Wait()
		})
	}
}
