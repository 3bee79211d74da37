package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aside-project/aside/internal/llm"
)

// F5: the connection is reset, not ended, at every frame boundary and a byte to
// either side of it. The answer is whole only when its finish reason arrived, and
// what was shown is never shown twice.
func TestResetAtEveryFrame(t *testing.T) {
	frames := []string{event("Your ", ""), event("jacket", ""), event(" is here", ""), event("", "stop"), usage, done}
	whole := strings.Join(frames, "")
	finish := strings.Index(whole, `"stop"}]}`) + len(`"stop"}]}`)
	var cut, calls atomic.Int64
	c, _ := client(t, nil, func(c *Config) {
		c.Transport = transport(func(r *http.Request) (*http.Response, error) {
			calls.Add(1)
			body := io.MultiReader(strings.NewReader(whole[:cut.Load()]), reset{})
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(body), Request: r}, nil
		})
	})
	at := 0
	for _, f := range frames {
		at += len(f)
		for _, n := range []int{at - 1, at, at + 1} {
			if n > len(whole) {
				continue
			}
			cut.Store(int64(n))
			calls.Store(0)
			c.server.breaker = newBreaker(time.Now)
			var shown strings.Builder
			res, err := c.Chat(t.Context(), ask("Hello"), func(s string) { shown.WriteString(s) })
			if n < finish && err == nil {
				t.Errorf("reset at %d of %d, before the finish at %d: it is taken for whole", n, len(whole), finish)
			}
			if n > finish && err != nil {
				t.Errorf("reset at %d, after the finish at %d: %v", n, finish, err)
			}
			if shown.String() != res.Text || !strings.HasPrefix("Your jacket is here", res.Text) {
				t.Errorf("reset at %d: shown %q, kept %q", n, shown.String(), res.Text)
			}
			if res.Text != "" && calls.Load() != 1 {
				t.Errorf("reset at %d: asked %d times though something was shown", n, calls.Load())
			}
		}
	}
}

// reset is the end of a connection that was reset.
type reset struct{}

func (reset) Read([]byte) (int, error) {
	return 0, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// F1: the server is busy for 30 seconds while 50 questions a second come. It is
// asked a bounded number of times, and answers again soon after it can. The clock is
// the bubble's.
func TestBusyForHalfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var calls, answered atomic.Int64
		var back atomic.Int64
		s := transport(func(r *http.Request) (*http.Response, error) {
			calls.Add(1)
			body, status, header := event("Hi", "stop")+done, 200, http.Header{"Content-Type": {"text/event-stream"}}
			if time.Since(began) < 30*time.Second {
				body, status, header = `{"error":{"code":"rate_limit_exceeded"}}`, 429, http.Header{"Retry-After": {"1"}, "Content-Type": {"application/json"}}
			}
			return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
		c, err := New(Config{BaseURL: "http://127.0.0.1/v1", Model: "m", Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 40 * 50 {
			wg.Go(func() {
				if _, err := c.Chat(t.Context(), ask("Hello"), nil); err == nil {
					answered.Add(1)
					back.CompareAndSwap(0, int64(time.Since(began)))
				} else if !errors.Is(err, llm.ErrRateLimited) && !errors.Is(err, llm.ErrDown) {
					t.Errorf("an answer of another kind: %v", err)
				}
			})
			time.Sleep(20 * time.Millisecond)
		}
		wg.Wait()
		// Those who asked before the first gave up had three tries each; then one
		// asks at a time.
		if during := calls.Load() - answered.Load(); during > 600 {
			t.Errorf("a busy server was asked %d times", during)
		}
		if late := time.Duration(back.Load()) - 30*time.Second; back.Load() == 0 || late > 2*time.Second {
			t.Errorf("first answer %s after it could", late)
		}
		t.Logf("asked %d times while busy, first answer %s after it could", calls.Load()-answered.Load(), time.Duration(back.Load())-30*time.Second)
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// F8: one token a second is slow, not broken; the whole has its limit.
func TestOneTokenASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := transport(func(r *http.Request) (*http.Response, error) {
			reader, writer := io.Pipe()
			go func() {
				for i := 0; ; i++ {
					if _, err := fmt.Fprint(writer, event(fmt.Sprint(i, " "), "")); err != nil {
						return
					}
					select {
					case <-time.After(time.Second):
					case <-r.Context().Done():
						writer.CloseWithError(context.Cause(r.Context()))
						return
					}
				}
			}()
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: reader, Request: r}, nil
		})
		c, err := New(Config{BaseURL: "http://127.0.0.1/v1", Model: "m", Transport: slow})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		res, err := c.Chat(t.Context(), ask("Hello"), nil)
		if took := time.Since(began); !errors.Is(err, llm.ErrCut) || took != time.Minute || len(strings.Fields(res.Text)) < 59 {
			t.Errorf("after %s: %q, %v", took, res.Text, err)
		}
		synctest.Wait()
	})
}
