package connect

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestClient(t *testing.T) {
	var calls, elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		switch r.URL.Path {
		case "/flaky":
			if n < 3 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			_, _ = w.Write([]byte(`{"ok":true}`))
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/refused":
			w.WriteHeader(http.StatusForbidden)
		case "/moved":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		case "/cut":
			w.Header().Set("Content-Length", "100")
		}
	}))
	defer s.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	c, err := NewClient(ClientOptions{Base: s.URL + "/"})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ OK bool }
	for _, x := range []struct {
		path   string
		again  bool
		calls  int32
		status int
		maybe  bool
	}{
		{"/flaky", true, 3, 0, false},
		{"/broken", false, 1, 500, true},
		{"/refused", true, 1, 403, false},
		{"/moved", true, 1, 307, false},
		{"/cut", false, 1, 0, true},
	} {
		calls.Store(0)
		err := c.Do(t.Context(), Call{Method: http.MethodPost, Path: x.path, Header: http.Header{"Authorization": {"token secret"}}, Into: &got, Again: x.again})
		var f *Fault
		if x.path == "/flaky" {
			if err != nil || !got.OK {
				t.Errorf("%s: %v, %v", x.path, got, err)
			}
		} else if !errors.As(err, &f) || f.Status != x.status || f.MaybeDone != x.maybe || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, %+v", x.path, err, f)
		}
		if n := calls.Load(); n != x.calls {
			t.Errorf("%s was called %d times, want %d", x.path, n, x.calls)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed with the key")
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	if c, err = NewClient(ClientOptions{Base: gone.URL}); err != nil {
		t.Fatal(err)
	}
	var f *Fault
	if err := c.Do(t.Context(), Call{Method: http.MethodPost, Path: "/"}); !errors.As(err, &f) || f.MaybeDone || f.Status != 0 {
		t.Errorf("where nobody listens: %v, %+v", err, f)
	}
}

// TestClientKeepsItsDistance: paced calls begin apart from each other, and one that
// is not wanted any more does not begin.
func TestClientKeepsItsDistance(t *testing.T) {
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	defer s.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	c, err := NewClient(ClientOptions{Base: s.URL, Every: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	call := Call{Method: http.MethodGet, Path: "/", Paced: true}
	if err := c.Do(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Do(ctx, call); !errors.Is(err, context.DeadlineExceeded) || calls.Load() != 1 {
		t.Errorf("the second call: %v, %d made", err, calls.Load())
	}
}

func TestClientAddresses(t *testing.T) {
	for _, bad := range []string{"", "desk.example", "ftp://desk.example", "https://", "https://desk.example/?a=b"} {
		if _, err := NewClient(ClientOptions{Base: bad}); err == nil {
			t.Errorf("%q was taken for a server's address", bad)
		}
	}
}
