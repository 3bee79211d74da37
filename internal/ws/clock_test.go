package ws_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
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

// inMemory is a server in a bubble of synctest, with its own clock. end ends it all.
type inMemory struct {
	t        *testing.T
	sockets  *ws.Server
	signer   *auth.Signer
	listener *pipes
	all      sync.WaitGroup
	stop     func()
}

func openInMemory(t *testing.T, revoked func(assist.Identity) error) *inMemory {
	t.Helper()
	signer, err := auth.NewSigner([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	bus := pubsub.New[assist.Event]()
	service := chat.New(memstore.New(time.Now), nil, bus, chat.Options{Logger: quiet})
	m := &inMemory{t: t, signer: signer, listener: &pipes{conns: make(chan net.Conn), done: make(chan struct{})}}
	m.sockets = ws.New(ws.Options{Service: service, Bus: bus, Bearer: auth.Bearer, Verify: signer.Verify, Revoked: revoked, Logger: quiet})
	server := &http.Server{Handler: m.sockets}
	m.all.Go(func() { _ = server.Serve(m.listener) })
	m.stop = func() {
		if err := m.sockets.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		service.Stop(context.Background())
		server.Close()
		m.all.Wait()
	}
	return m
}

func (m *inMemory) dial(subject string) *websocket.Conn {
	m.t.Helper()
	token, err := m.signer.Sign(assist.Identity{Subject: subject, Actor: assist.ActorAgent}, 2*time.Hour)
	if err != nil {
		m.t.Fatal(err)
	}
	here, there := net.Pipe()
	m.listener.conns <- there
	dialer := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return here, nil }}
	conn, _, err := dialer.Dial("ws://aside.example/", http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		m.t.Fatal(err)
	}
	return conn
}

// read answers pings until the connection ends, and gives why it did.
func read(conn *websocket.Conn) (err error) {
	for err == nil {
		_, _, err = conn.ReadMessage()
	}
	return err
}

// TestRevokedWithinFiveSeconds holds the promise by the clock, at every moment of
// the two looks it is made of: for revocations, and at each socket.
func TestRevokedWithinFiveSeconds(t *testing.T) {
	for at := time.Duration(0); at < auth.PollEvery; at += 330 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			var mu sync.Mutex
			var stored []assist.Revocation
			var revoked auth.Revoked
			m := openInMemory(t, revoked.Check)
			m.all.Go(func() {
				revoked.Follow(ctx, auth.PollEvery, func(context.Context) ([]assist.Revocation, error) {
					mu.Lock()
					defer mu.Unlock()
					return stored, nil
				}, slog.New(slog.DiscardHandler))
			})
			goes, stays := m.dial("maya"), m.dial("noor")
			var closed time.Time
			var why error
			end := make(chan struct{})
			m.all.Go(func() { _ = read(stays) })
			m.all.Go(func() { why, closed = read(goes), time.Now(); close(end) })
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
			if n := m.sockets.Connections(); n != 1 {
				t.Errorf("%d sockets are open, want the other one's", n)
			}
			stays.Close()
			stop()
			m.stop()
		})
	}
}

// TestPingsKeepProxiesAwake: a connection on which nothing is said lives for an hour
// behind a proxy that gives up after thirty seconds.
func TestPingsKeepProxiesAwake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := openInMemory(t, nil)
		conn := m.dial("maya")
		var quiet time.Duration
		heard := time.Now()
		pong := conn.PingHandler()
		conn.SetPingHandler(func(s string) error {
			quiet, heard = max(quiet, time.Since(heard)), time.Now()
			return pong(s)
		})
		end := make(chan struct{})
		m.all.Go(func() { defer close(end); _ = read(conn) })
		time.Sleep(time.Hour) // of the bubble's clock
		select {
		case <-end:
			t.Fatal("the connection ended")
		default:
		}
		conn.Close()
		<-end
		if quiet == 0 || quiet > 26*time.Second || time.Since(heard) > 26*time.Second {
			t.Errorf("nothing was heard for %s, and at last for %s", quiet, time.Since(heard))
		}
		m.stop()
	})
}
