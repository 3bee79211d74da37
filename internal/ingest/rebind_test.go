package ingest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/time/rate"
)

// fickle is a name server that gives a public address the first time it is asked
// for one, and this machine's ever after.
func fickle(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		asked := 0
		for b := make([]byte, 512); ; {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				at := [4]byte{127, 0, 0, 1}
				if asked++; asked == 1 {
					at = [4]byte{8, 8, 8, 8}
				}
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: at}}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	var d net.Dialer
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// TestRebinding holds that a name which was public when it was looked at first is
// not believed the next time: each connection is checked by the address it goes to.
func TestRebinding(t *testing.T) {
	var hits atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer inside.Close()
	u, err := url.Parse(inside.URL)
	if err != nil {
		t.Fatal(err)
	}
	was := net.DefaultResolver
	net.DefaultResolver = fickle(t)
	t.Cleanup(func() { net.DefaultResolver = was })
	errDialled := errors.New("a public address would be dialled") // and not in a test
	var dialled []string
	w := newWeb(func(at netip.AddrPort) error {
		dialled = append(dialled, at.Addr().Unmap().String())
		if err := public(at); err != nil {
			return err
		}
		return errDialled
	}, rate.Inf, false)
	defer w.close()
	page, err := url.Parse("http://rebind.example:" + u.Port() + "/")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{errDialled, errPrivate, errPrivate} {
		w.hosts = map[string]*webHost{} // robots.txt is asked for again
		if _, _, _, err := w.fetch(t.Context(), page); err == nil || !strings.Contains(err.Error(), want.Error()) {
			t.Errorf("try %d: %v, want %v", i, err, want)
		}
	}
	if len(dialled) < 3 || dialled[0] != "8.8.8.8" || dialled[1] != "127.0.0.1" || hits.Load() != 0 {
		t.Errorf("dialled %v, %d requests came through", dialled, hits.Load())
	}
}

// TestDeepHTML holds that nesting without end is refused or read, quickly.
func TestDeepHTML(t *testing.T) {
	r := reader{opt: Options{patient: true}, pdf: &pdfs}
	r.opt.Audience = "internal"
	for _, tag := range []string{"div", "ul><li", "table><tr><td", "blockquote", "font", "details", "svg><g", "template"} {
		text := strings.Repeat("<"+tag+">", 100_000) + "words"
		if p := r.document(t.Context(), file{id: "x"}, ".html", []byte(text)); p.err != nil && strings.Contains(p.err.Error(), "time") {
			t.Errorf("%s: %v", tag, p.err)
		} else if p.err == nil && len(p.docs) != 1 {
			t.Errorf("%s: %d documents", tag, len(p.docs))
		}
	}
}
