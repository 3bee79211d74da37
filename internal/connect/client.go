package connect

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 8 << 20

// ClientOptions are the parts and numbers of a Client.
type ClientOptions struct {
	Base      string            // "https://desk.example"
	Deadline  time.Duration     // of one attempt; 0: 8 s
	Every     time.Duration     // least distance between the beginnings of paced calls; 0: none
	Transport http.RoundTripper // nil: http.DefaultTransport
}

// Client calls a chat tool over HTTP with JSON. Every attempt has a deadline, and
// redirects are not followed: a key goes to the configured server only. Errors
// are *Fault; they name the call and never what was said.
type Client struct {
	o    ClientOptions
	http *http.Client

	mu   sync.Mutex
	next time.Time // when the next paced call may begin
}

// NewClient makes a Client. Base must be an http or https URL without a query.
func NewClient(o ClientOptions) (*Client, error) {
	u, err := url.Parse(o.Base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not the address of a server, such as https://desk.example", o.Base)
	}
	o.Base = strings.TrimRight(o.Base, "/")
	o.Deadline = cmp.Or(o.Deadline, 8*time.Second)
	return &Client{o: o, http: &http.Client{
		Transport:     o.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Call is one request.
type Call struct {
	Method string
	Path   string // below the base, with its query
	Header http.Header
	Body   any  // sent as JSON; nil: none
	Into   any  // what the JSON of a 2xx answer is read into; nil: it is not read
	Again  bool // making it twice is the same as once: tried three times
	Paced  bool // nobody waits for it: it keeps the client's distance
}

// Fault is a call that failed.
type Fault struct {
	Call   string // "GET /api/v1/…"
	Status int    // of the answer; 0: there was none
	// MaybeDone says that the tool may have done what was asked: the request
	// left, and no answer denies it.
	MaybeDone bool
	Body      []byte // the beginning of the answer, for the connector; never logged
	cause     error
}

func (f *Fault) Error() string {
	if f.Status != 0 {
		return fmt.Sprintf("%s: answered %d %s", f.Call, f.Status, http.StatusText(f.Status))
	}
	return fmt.Sprintf("%s: %v", f.Call, f.cause)
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.cause }

// Do makes the call. One that may not be repeated is tried again only when no
// connection was made.
func (c *Client) Do(ctx context.Context, call Call) error {
	var body []byte
	if call.Body != nil {
		var err error
		if body, err = json.Marshal(call.Body); err != nil {
			return &Fault{Call: call.Method + " " + call.Path, cause: err}
		}
	}
	if call.Paced {
		if err := c.pace(ctx); err != nil {
			return &Fault{Call: call.Method + " " + call.Path, cause: err}
		}
	}
	for n, pause := 0, 250*time.Millisecond; ; n, pause = n+1, 2*pause {
		after, f := c.attempt(ctx, call, body)
		if f == nil {
			return nil
		}
		again := call.Again && (f.Status == 0 || f.Status == http.StatusTooManyRequests || f.Status >= 500)
		if f.Status == 0 && !f.MaybeDone {
			again = true
		}
		if !again || n == 2 || ctx.Err() != nil || !sleep(ctx, max(pause, after)) {
			return f
		}
	}
}

// attempt makes the call once. after is how long the tool asks us to wait.
func (c *Client) attempt(ctx context.Context, call Call, body []byte) (after time.Duration, _ *Fault) {
	f := &Fault{Call: call.Method + " " + call.Path}
	ctx, cancel := context.WithTimeout(ctx, c.o.Deadline)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, call.Method, c.o.Base+call.Path, bytes.NewReader(body))
	if err != nil {
		f.cause = err
		return 0, f
	}
	for k, v := range call.Header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Aside")
	res, err := c.http.Do(req)
	if err != nil {
		var op *net.OpError
		var dns *net.DNSError
		f.MaybeDone = !(errors.As(err, &op) && op.Op == "dial") && !errors.As(err, &dns)
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address is said already
		}
		f.cause = err
		return 0, f
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	f.Status = res.StatusCode
	if res.StatusCode < 200 || res.StatusCode > 299 {
		f.Body = answer[:min(len(answer), 4096)]
		f.MaybeDone = res.StatusCode >= 500
		if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
			after = min(time.Duration(s)*time.Second, 5*time.Second)
		}
		return after, f
	}
	if err == nil && len(answer) > maxAnswer {
		err = fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	if err == nil && call.Into != nil {
		err = json.Unmarshal(answer, call.Into)
	}
	if err != nil {
		f.Status, f.MaybeDone, f.cause = 0, true, fmt.Errorf("read the answer: %w", err)
		return 0, f
	}
	return 0, nil
}

func (c *Client) pace(ctx context.Context) error {
	c.mu.Lock()
	now := time.Now()
	at := now
	if c.next.After(now) {
		at = c.next
	}
	c.next = at.Add(c.o.Every)
	c.mu.Unlock()
	if !sleep(ctx, at.Sub(now)) {
		return context.Cause(ctx)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
