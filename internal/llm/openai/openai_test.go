package openai

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "sk-secret-key"

// client makes one for a handler. Its waits between tries are recorded, not
// slept.
func client(t testing.TB, h http.HandlerFunc, change ...func(*Config)) (*Client, *[]time.Duration) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c := Config{BaseURL: srv.URL + "/v1", APIKey: key, Model: "test-model"}
	for _, f := range change {
		f(&c)
	}
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	var waits []time.Duration
	var mu sync.Mutex
	m.server.sleep = func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		waits = append(waits, d)
		return ctx.Err()
	}
	return m, &waits
}

func ask(question string) llm.Request {
	return llm.Request{Messages: []llm.Message{{Role: "user", Content: question}}}
}

func event(text, finish string) string {
	f := "null"
	if finish != "" {
		f = fmt.Sprintf("%q", finish)
	}
	return fmt.Sprintf("data: {\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":%s}]}\n\n", text, f)
}

const usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n"
const done = "data: [DONE]\n\n"

func write(w http.ResponseWriter, parts ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, p := range parts {
		_, _ = io.WriteString(w, p)
		w.(http.Flusher).Flush()
	}
}

func TestChat(t *testing.T) {
	var auth string
	c, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
		auth = r.Header.Get("Authorization")
		write(w, event("Your ", ""), event("jacket", ""), event("", "stop"), usage, done)
	})
	var deltas []string
	res, err := c.Chat(t.Context(), ask("Where is it?"), func(s string) { deltas = append(deltas, s) })
	if err != nil {
		t.Fatal(err)
	}
	if res.FirstToken <= 0 {
		t.Error("no time of the first token")
	}
	res.FirstToken = 0
	want := llm.Response{Text: "Your jacket", Model: "m-1", Format: llm.FormatText, Prompt: 7, Completion: 3}
	if d := gocmp.Diff(want, res); d != "" {
		t.Error(d)
	}
	if d := gocmp.Diff([]string{"Your ", "jacket"}, deltas); d != "" {
		t.Error(d)
	}
	if auth != "Bearer "+key {
		t.Errorf("the server saw the key as %q", auth)
	}
}

// TestStreams feeds answers of all kinds through the real go-openai path.
func TestStreams(t *testing.T) {
	html := "<!doctype html><title>Welcome</title>"
	for _, tt := range []struct {
		name   string
		body   []string
		text   string
		err    error
		says   string
		answer string // content type
	}{
		{name: "no [DONE]", body: []string{event("Hi", ""), event("", "stop")}, text: "Hi"},
		{name: "finish with the last text", body: []string{event("Hi", "stop"), done}, text: "Hi"},
		{name: "unknown finish reason", body: []string{event("Hi", "eos_token"), done}, text: "Hi"},
		{name: "[DONE] without a line end", body: []string{event("Hi", "stop"), "data: [DONE]"}, text: "Hi"},
		{name: "last event without a line end", body: []string{event("Hi", ""), strings.TrimRight(event("", "stop"), "\n")}, text: "Hi"},
		{name: "end without a finish reason", body: []string{event("Hi", "")}, text: "Hi", err: llm.ErrCut},
		{name: "[DONE] without a finish reason", body: []string{event("Hi", ""), done}, text: "Hi", err: llm.ErrCut},
		{name: "finish reason null in words", body: []string{event("Hi", "null")}, text: "Hi", err: llm.ErrCut},
		{name: "cut inside an event", body: []string{event("Hi", ""), event("there", "stop")[:40]}, text: "Hi", err: llm.ErrCut},
		{name: "length", body: []string{event("Hi", "length"), done}, text: "Hi", err: llm.ErrTooLong},
		{name: "content filter", body: []string{event("Hi", ""), event("", "content_filter"), done}, text: "Hi", err: llm.ErrRejected},
		{name: "refusal", body: []string{`data: {"choices":[{"delta":{"refusal":"no"},"finish_reason":"stop"}]}` + "\n\n"}, err: llm.ErrRejected},
		{name: "comments and fields", body: []string{": hello\n\n", strings.Repeat(": ping\n\n", 1000), "event: message\nid: 1\nretry: 5\n", event("Hi", "stop"), ": bye\n\n", done}, text: "Hi"},
		{name: "CRLF and a byte order mark", body: []string{"\xef\xbb\xbf" + strings.ReplaceAll(event("Hi", "stop")+done, "\n", "\r\n")}, text: "Hi"},
		{name: "no space after data:", body: []string{strings.ReplaceAll(event("Hi", "stop")+done, "data: ", "data:")}, text: "Hi"},
		{name: "invalid UTF-8", body: []string{event("a", ""), "data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"},\"finish_reason\":\"stop\"}]}\n\n"}, text: "a\ufffd"},
		{name: "NUL", body: []string{event("a", ""), `data: {"choices":[{"delta":{"content":"\u0000b"},"finish_reason":"stop"}]}` + "\n\n"}, text: "ab"},
		{name: "one byte at a time, split UTF-8", body: strings.Split(event("Grüße 🎉", "stop")+done, ""), text: "Grüße 🎉"},
		{name: "malformed JSON after text", body: []string{event("Hi", ""), "data: {nope}\n\n", event("", "stop")}, text: "Hi", err: llm.ErrCut},
		{name: "malformed JSON at once", body: []string{"data: {nope}\n\n"}, err: llm.ErrNotAModel},
		{name: "wrong types", body: []string{`data: {"choices":"secret text"}` + "\n\n"}, err: llm.ErrNotAModel},
		{name: "error event at once", body: []string{`data: { "error": {"message":"secret text","type":"invalid_request_error"}}` + "\n\n"}, err: llm.ErrRejected, says: "invalid_request_error"},
		{name: "error event after text", body: []string{event("Hi", ""), `data: {"error":{"message":"secret text","code":500}}` + "\n\n"}, text: "Hi", err: llm.ErrCut, says: "500"},
		{name: "error object instead of a stream", body: []string{`{"error":{"message":"secret text","type":"server_error"}}`}, err: llm.ErrDown, says: "server_error"},
		{name: "the word error in a text", body: []string{event(`an "error"`, "stop")}, text: `an "error"`},
		{name: "HTML", body: []string{html}, answer: "text/html; charset=utf-8", err: llm.ErrNotAModel, says: "does the base URL end in /v1?"},
		{name: "HTML under another name", body: []string{html}, err: llm.ErrNotAModel, says: "answers HTML"},
		{name: "JSON of another kind", body: []string{`{"ok":true}`}, answer: "application/json", err: llm.ErrNotAModel},
		{name: "wrong content type", body: []string{event("Hi", "stop"), done}, answer: "text/plain", text: "Hi"},
		{name: "empty", body: []string{""}, err: llm.ErrCut},
		{name: "only the usage", body: []string{usage, done}, err: llm.ErrCut},
		{name: "line too long", body: []string{event(strings.Repeat("x", 300<<10), "stop")}, err: llm.ErrTooLong},
		{name: "answer too long", body: []string{event(strings.Repeat("x", 600), ""), event(strings.Repeat("x", 600), "stop")}, text: strings.Repeat("x", 600), err: llm.ErrTooLong},
		{name: "second choice", body: []string{`data: {"choices":[{"index":1,"delta":{"content":"no"}},{"index":0,"delta":{"content":"yes"},"finish_reason":"stop"}]}` + "\n\n"}, text: "yes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", tt.answer)
				if tt.answer == "" {
					w.Header().Set("Content-Type", "text/event-stream")
				}
				for _, p := range tt.body {
					_, _ = io.WriteString(w, p)
					w.(http.Flusher).Flush()
				}
			}, func(c *Config) { c.MaxAnswer = 1000 })
			var deltas strings.Builder
			res, err := c.Chat(t.Context(), ask("Hello"), func(s string) { deltas.WriteString(s) })
			if !errors.Is(err, tt.err) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			if res.Text != tt.text || deltas.String() != tt.text {
				t.Errorf("got text %q, deltas %q, want %q", res.Text, deltas.String(), tt.text)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("error says %q, should say %q and no secret", err, tt.says)
			}
		})
	}
}

// TestCutAnywhere cuts an answer at every byte: it is whole only when its finish
// reason arrived, and never longer than it was.
func TestCutAnywhere(t *testing.T) {
	whole := event("Your ", "") + event("jacket", "") + event(" is here", "stop") + done
	finish := strings.Index(whole, `"stop"}]}`) + len(`"stop"}]}`)
	var cut atomic.Int64
	c, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, whole[:cut.Load()])
	})
	for at := range len(whole) + 1 {
		cut.Store(int64(at))
		c.server.breaker = newBreaker(time.Now)
		res, err := c.Chat(t.Context(), ask("Hello"), nil)
		if ok := at >= finish; ok != (err == nil) {
			t.Errorf("cut at %d of %d (finish at %d): error %v", at, len(whole), finish, err)
		}
		if !strings.HasPrefix("Your jacket is here", res.Text) {
			t.Errorf("cut at %d: text %q", at, res.Text)
		}
	}
}

func TestStatuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		header string // Retry-After
		body   string
		err    error
		says   string
		calls  int
		wait   time.Duration // the least before each repeat
	}{
		{name: "busy", status: 429, header: "3", err: llm.ErrRateLimited, calls: 3, wait: 3 * time.Second},
		{name: "busy for long", status: 429, header: "3600", err: llm.ErrRateLimited, calls: 3, wait: 10 * time.Second},
		{name: "no credit", status: 429, body: `{"error":{"code":"insufficient_quota","message":"x"}}`, err: llm.ErrRejected, says: "credit", calls: 1},
		{name: "failing", status: 500, err: llm.ErrDown, calls: 2, wait: 200 * time.Millisecond},
		{name: "bad gateway in HTML", status: 502, body: "<html>", err: llm.ErrDown, calls: 2},
		{name: "gateway timeout", status: 504, err: llm.ErrDown, calls: 1},
		{name: "bad key", status: 401, body: `{"error":{"message":"Incorrect API key: sk-secret-key","code":"invalid_api_key"}}`, err: llm.ErrRejected, says: "invalid_api_key", calls: 1},
		{name: "unknown model", status: 404, body: `{"error":{"message":"no such model","code":"model_not_found"}}`, err: llm.ErrRejected, says: `"test-model"`, calls: 1},
		{name: "wrong path", status: 404, body: "404 page not found", err: llm.ErrNotAModel, says: "/v1?", calls: 1},
		{name: "a website", status: 404, body: "<!doctype html>", err: llm.ErrNotAModel, says: "HTML", calls: 1},
		{name: "redirect", status: 307, err: llm.ErrNotAModel, says: "elsewhere", calls: 1},
		{name: "too long a prompt", status: 400, body: `{"error":{"message":"maximum context length … secret","code":"context_length_exceeded"}}`, err: llm.ErrRejected, says: "context_length_exceeded", calls: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls atomic.Int64
			c, waits := client(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				if tt.header != "" {
					w.Header().Set("Retry-After", tt.header)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			_, err := c.Chat(t.Context(), ask("a secret question"), nil)
			if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got error %v, want %v saying %q and no secret", err, tt.err, tt.says)
			}
			if int(calls.Load()) != tt.calls || len(*waits) != tt.calls-1 {
				t.Errorf("got %d calls and waits %v, want %d calls", calls.Load(), *waits, tt.calls)
			}
			for _, w := range *waits {
				if w < tt.wait {
					t.Errorf("waited %s, less than %s", w, tt.wait)
				}
			}
		})
	}
}

func TestRecoversAfterRateLimit(t *testing.T) {
	var calls atomic.Int64
	c, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) <= 2 {
			w.WriteHeader(429)
			return
		}
		write(w, event("Hi", "stop"), done)
	})
	if res, err := c.Chat(t.Context(), ask("Hello"), nil); err != nil || res.Text != "Hi" {
		t.Errorf("got %q, %v", res.Text, err)
	}
}

// TestNoWaitBeyondDeadline: a retry that cannot come in time is not waited for.
func TestNoWaitBeyondDeadline(t *testing.T) {
	c, waits := client(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "9")
		w.WriteHeader(429)
	}, func(c *Config) { c.Timeouts.Total = 5 * time.Second })
	_, err := c.Chat(t.Context(), ask("Hello"), nil)
	if !errors.Is(err, llm.ErrRateLimited) || len(*waits) != 0 {
		t.Errorf("got %v after waits %v", err, *waits)
	}
}

func TestConnectionRefused(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	c, waits := client(t, nil, func(c *Config) { c.BaseURL = srv.URL + "/v1" })
	_, err := c.Chat(t.Context(), ask("Hello"), nil)
	if !errors.Is(err, llm.ErrDown) || len(*waits) != 1 {
		t.Errorf("got %v after %d waits", err, len(*waits))
	}
}

// hang holds a request until its client is gone, and tells when it came, unless
// asked is nil, and when that was.
func hang(asked chan<- struct{}, gone chan<- time.Time, first ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if asked != nil {
			asked <- struct{}{}
		}
		if len(first) > 0 {
			write(w, first...)
		}
		<-r.Context().Done()
		gone <- time.Now()
	}
}

func TestTimeouts(t *testing.T) {
	for _, tt := range []struct {
		name     string
		timeouts Timeouts
		first    []string
		text     string
		err      error
	}{
		{name: "before the first token", timeouts: Timeouts{FirstToken: 5 * time.Second}, err: llm.ErrFirstToken},
		{name: "a role is no token", timeouts: Timeouts{FirstToken: 5 * time.Second}, first: []string{event("", "")}, err: llm.ErrFirstToken},
		{name: "between tokens", timeouts: Timeouts{Between: 30 * time.Millisecond}, first: []string{event("Hi", "")}, text: "Hi", err: llm.ErrStalled},
		{name: "in all", timeouts: Timeouts{Total: 10 * time.Second, Between: time.Minute}, first: []string{event("Hi", "")}, text: "Hi", err: llm.ErrCut},
		{name: "in all, nothing yet", timeouts: Timeouts{Total: 5 * time.Second}, err: llm.ErrFirstToken},
		{name: "finished, socket left open", first: []string{event("Hi", "stop")}, text: "Hi"},
		{name: "[DONE], socket left open", first: []string{event("Hi", "stop"), done}, text: "Hi"},
		{name: "error event, socket left open", first: []string{`data: {"error":{"type":"bad_request"}}` + "\n\n"}, err: llm.ErrRejected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan time.Time, 4)
			c, _ := client(t, hang(nil, gone, tt.first...), func(c *Config) { c.Timeouts = tt.timeouts })
			res, err := c.Chat(t.Context(), ask("Hello"), nil)
			if !errors.Is(err, tt.err) || res.Text != tt.text {
				t.Errorf("got %q, %v; want %q, %v", res.Text, err, tt.text, tt.err)
			}
			<-gone // the server saw us leave, or the test hangs
		})
	}
}

// TestCancel: the caller is back and the server sees the connection go.
func TestCancel(t *testing.T) {
	superseded := errors.New("superseded by turn 7")
	for _, first := range [][]string{nil, {event("Hi", "")}} {
		asked, started, gone := make(chan struct{}, 1), make(chan struct{}), make(chan time.Time, 1)
		c, _ := client(t, hang(asked, gone, first...))
		ctx, cancel := context.WithCancelCause(t.Context())
		var at time.Time
		go func() {
			<-asked
			if first != nil {
				<-started
			}
			at = time.Now()
			cancel(superseded)
		}()
		_, err := c.Chat(ctx, ask("Hello"), func(string) { close(started) })
		if !errors.Is(err, context.Canceled) || !errors.Is(err, superseded) {
			t.Errorf("got %v", err)
		}
		t.Logf("the server saw the client leave after %s", (<-gone).Sub(at))
	}
}

// TestDialect: what a server refuses is left out at once, and from then on.
func TestDialect(t *testing.T) {
	for _, tt := range []struct {
		name   string
		model  string
		refuse []string // keys and words of a request, each with a hint what to do
		calls  int      // for the first answer
		format llm.Format
	}{
		{name: "all", calls: 1, format: llm.FormatSchema},
		{name: "no json_schema", refuse: []string{"json_schema"}, calls: 2, format: llm.FormatObject},
		{name: "no response_format", refuse: []string{"response_format"}, calls: 3, format: llm.FormatText},
		{name: "no stream_options", refuse: []string{"stream_options"}, calls: 2, format: llm.FormatSchema},
		{name: "other name for the limit", refuse: []string{"max_tokens"}, calls: 2, format: llm.FormatSchema},
		{name: "next to nothing", refuse: []string{"response_format", "stream_options", "temperature", "max_tokens"}, calls: 6, format: llm.FormatText},
		{name: "a reasoning model", model: "o3", calls: 1, format: llm.FormatSchema},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls atomic.Int64
			c, waits := client(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return
				}
				for _, word := range tt.refuse {
					if strings.Contains(string(body), `"`+word+`"`) {
						hint := word + " is not supported here"
						if word == "max_tokens" {
							hint += ", use max_completion_tokens"
						}
						w.WriteHeader(400)
						fmt.Fprintf(w, `{"error":{"message":%q}}`, hint)
						return
					}
				}
				write(w, event("{}", "stop"), done)
			}, func(c *Config) { c.Model = cmp.Or(tt.model, c.Model) })
			r := ask("Hello")
			r.Schema, r.SchemaName, r.MaxTokens = []byte(`{"type":"object"}`), "reply", 100
			for range 2 {
				res, err := c.Chat(t.Context(), r, nil)
				if err != nil || res.Format != tt.format {
					t.Fatalf("got format %s, %v; want %s", res.Format, err, tt.format)
				}
			}
			if got := int(calls.Load()); got != tt.calls+1 {
				t.Errorf("got %d calls for two answers, want %d", got, tt.calls+1)
			}
			if len(*waits) != 0 {
				t.Errorf("waited %v", *waits)
			}
		})
	}
}

// TestRefusalTeachesNothing: a request that fails in every form leaves the form
// as it was.
func TestRefusalTeachesNothing(t *testing.T) {
	c, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":{"message":"your response_format or something else is not supported"}}`)
	})
	r := ask("Hello")
	r.Schema = []byte(`{"type":"object"}`)
	if _, err := c.Chat(t.Context(), r, nil); !errors.Is(err, llm.ErrRejected) {
		t.Errorf("got %v", err)
	}
	if c.dialect() != (dialect{}) {
		t.Errorf("learned %+v", c.dialect())
	}
}

func TestEmbed(t *testing.T) {
	vectors := func(data string) string { return `{"data":[` + data + `]}` }
	for _, tt := range []struct {
		name   string
		status int
		answer string
		want   [][]float32
		err    error
		calls  int
	}{
		{name: "in order", answer: vectors(`{"index":0,"embedding":[1,0]},{"index":1,"embedding":[0,1]}`), want: [][]float32{{1, 0}, {0, 1}}},
		{name: "out of order", answer: vectors(`{"index":1,"embedding":[0,1]},{"index":0,"embedding":[1,0]}`), want: [][]float32{{1, 0}, {0, 1}}},
		{name: "not numbered", answer: vectors(`{"embedding":[1,0]},{"embedding":[0,1]}`), want: [][]float32{{1, 0}, {0, 1}}},
		{name: "one too few", answer: vectors(`{"embedding":[1,0]}`), err: llm.ErrNotAModel},
		{name: "one number twice", answer: vectors(`{"index":1,"embedding":[1,0]},{"index":1,"embedding":[0,1]}`), err: llm.ErrNotAModel},
		{name: "number out of range", answer: vectors(`{"index":-1,"embedding":[1,0]},{"index":5,"embedding":[0,1]}`), err: llm.ErrNotAModel},
		{name: "two dimensions", answer: vectors(`{"index":0,"embedding":[1,0]},{"index":1,"embedding":[0,1,2]}`), err: llm.ErrNotAModel},
		{name: "empty vector", answer: vectors(`{"index":0,"embedding":[]},{"index":1,"embedding":[0]}`), err: llm.ErrNotAModel},
		{name: "not a number", answer: vectors(`{"index":0,"embedding":[1e99]},{"index":1,"embedding":[0]}`), err: llm.ErrNotAModel},
		{name: "not JSON", answer: "secret", err: llm.ErrNotAModel},
		{name: "cut", answer: vectors(`{"index":0,"embedding":[1,0]}`)[:20], err: llm.ErrDown, calls: 2},
		{name: "failing", status: 503, answer: "{}", err: llm.ErrDown, calls: 2},
		{name: "bad key", status: 401, answer: `{"error":{"message":"secret"}}`, err: llm.ErrRejected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				w.WriteHeader(cmp.Or(tt.status, 200))
				_, _ = io.WriteString(w, tt.answer)
			}))
			t.Cleanup(srv.Close)
			e, err := NewEmbedder(Config{BaseURL: srv.URL, EmbeddingModel: "m"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(e.Close)
			e.server.sleep = func(context.Context, time.Duration) error { return nil }
			got, err := e.Embed(t.Context(), []string{"a", "b"})
			if !errors.Is(err, tt.err) || err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want %v", err, tt.err)
			}
			if d := gocmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if want := int64(max(tt.calls, 1)); calls.Load() != want {
				t.Errorf("%d calls, want %d", calls.Load(), want)
			}
		})
	}
}

// TestKeysStayHome: a server gets its own key and no other.
func TestKeysStayHome(t *testing.T) {
	for _, tt := range []struct {
		name, own, want string
		elsewhere       bool
	}{
		{name: "one server", want: "Bearer " + key},
		{name: "one server, two keys", own: "sk-own", want: "Bearer sk-own"},
		{name: "another server", elsewhere: true, want: ""},
		{name: "another server with its key", elsewhere: true, own: "sk-own", want: "Bearer sk-own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var auth string
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				auth = r.Header.Get("Authorization")
				_, _ = io.WriteString(w, `{"data":[{"embedding":[1]}]}`)
			}))
			t.Cleanup(srv.Close)
			c := Config{BaseURL: srv.URL, APIKey: key, EmbeddingAPIKey: tt.own, EmbeddingModel: "m"}
			if tt.elsewhere {
				c.BaseURL, c.EmbeddingBaseURL = "https://elsewhere.example/v1", srv.URL
			}
			e, err := NewEmbedder(c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(e.Close)
			if _, err := e.Embed(t.Context(), []string{"a"}); err != nil {
				t.Fatal(err)
			}
			if auth != tt.want {
				t.Errorf("the server saw %q, want %q", auth, tt.want)
			}
		})
	}
}

// TestConnectionsAreKept: one answer after another uses one connection, and a
// query in the base URL goes along.
func TestConnectionsAreKept(t *testing.T) {
	var dials atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "api-version=7" {
			w.WriteHeader(404)
			return
		}
		write(w, event("Hi", "stop"), usage, done)
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			dials.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	c, _ := client(t, nil, func(c *Config) { c.BaseURL = srv.URL + "/v1/?api-version=7" })
	for range 5 {
		if _, err := c.Chat(t.Context(), ask("Hello"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if dials.Load() != 1 {
		t.Errorf("%d connections for five answers", dials.Load())
	}
}

func TestBreaker(t *testing.T) {
	now := time.Unix(0, 0)
	b := newBreaker(func() time.Time { return now })
	down := &fault{kind: llm.ErrDown}
	for i, err := range []error{down, nil, down, nil, down, context.Canceled, &fault{kind: llm.ErrCut}, down, &fault{kind: llm.ErrRejected}, down} {
		if b.allow() != nil {
			t.Fatalf("open before call %d", i)
		}
		b.record(err)
	}
	if err := b.allow(); !errors.Is(err, llm.ErrDown) {
		t.Fatalf("five of eight failed, but a call is let through: %v", err)
	}
	for range 3 {
		now = now.Add(probeEvery)
		if b.allow() != nil || b.allow() == nil {
			t.Fatal("not exactly one call after five seconds")
		}
		b.record(down)
	}
	now = now.Add(probeEvery)
	if b.allow() != nil || !b.record(nil) || b.allow() != nil {
		t.Fatal("a call that works does not close it")
	}
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		change func(*Config)
		says   string
	}{
		{func(c *Config) {}, ""},
		{func(c *Config) { c.BaseURL = "http://127.0.0.1:11434/v1" }, ""},
		{func(c *Config) { c.BaseURL = "http://[::1]:1/v1" }, ""},
		{func(c *Config) { c.BaseURL, c.AllowInsecure = "http://gpu.internal/v1", true }, ""},
		{func(c *Config) { c.BaseURL = "http://gpu.internal/v1" }, "in clear"},
		{func(c *Config) { c.BaseURL = "http://localhost.evil.example/v1" }, "in clear"},
		{func(c *Config) { c.BaseURL = "" }, "base URL: is missing"},
		{func(c *Config) { c.BaseURL = "api.openai.com/v1" }, "does not begin with https://"},
		{func(c *Config) { c.BaseURL = "ftp://h/v1" }, "does not begin with https://"},
		{func(c *Config) { c.BaseURL = "https://me:sk-secret@h/v1" }, "API key instead"},
		{func(c *Config) { c.BaseURL = "https://sk-secret\x00@h/v1" }, "not a URL"},
		{func(c *Config) { c.Model = " " }, "name is missing"},
		{func(c *Config) { c.APIKey = "sk-secret\n" }, "white space"},
		{func(c *Config) { c.Timeouts.Between = -1 }, "positive"},
	} {
		c := Config{BaseURL: "https://api.openai.com/v1", Model: "m"}
		tt.change(&c)
		_, err := New(c)
		switch {
		case tt.says == "" && err != nil:
			t.Errorf("%s: %v", c.BaseURL, err)
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: got %v, should say %q and no secret", c.BaseURL, err, tt.says)
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(event("Hi", "stop")+done), 1)
	f.Add([]byte(": x\r\ndata: {\"error\": 1}\r\n\xef\xbb\xbfdata:[DONE]"), 3)
	f.Add([]byte("<html>"), 2)
	f.Fuzz(func(t *testing.T, body []byte, size int) {
		e := newEvents(io.NopCloser(&chunks{body, max(size%7, 1)}), 1<<20)
		out, err := io.ReadAll(e)
		if len(out) > len(body)+len("\n")*(strings.Count(string(body), "\n")+1) {
			t.Fatalf("%d bytes came out of %d", len(out), len(body))
		}
		for line := range strings.Lines(string(out)) {
			if !strings.HasPrefix(line, "data:") || !strings.HasSuffix(line, "\n") || len(strings.TrimSpace(line)) == len("data:") {
				t.Fatalf("line %q", line)
			}
		}
		var fault *fault
		if err != nil && !errors.As(err, &fault) {
			t.Fatalf("error %v", err)
		}
		if err == nil && len(out) == 0 {
			t.Fatal("an answer without events is no error")
		}
	})
}

// chunks reads a few bytes at a time.
type chunks struct {
	rest []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(c.size, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}
