// Package openai reaches any server that speaks the OpenAI API (OpenAI, Azure,
// vLLM, llama.cpp, Ollama, …) and is the only importer of go-openai. What it
// promises:
//
//   - A call ends: it has a limit to its first token, between tokens and in all,
//     and returns at once when its context is done, closing the connection.
//   - An answer is whole or an error. Whole means that the server gave a reason
//     for finishing, and that it was neither length (llm.ErrTooLong) nor a content
//     filter (llm.ErrRejected). The text that came before an error is kept.
//   - Nothing is repeated after the first piece of text. Before it, a busy server
//     is asked again twice, a failing one once, and a server that failed five of
//     the last ten calls is left alone, but for one call every five seconds, or as
//     soon as a busy one asked for.
//   - What a server does not understand (json_schema, json_object,
//     stream_options, temperature, max_tokens) is left out, once learned for good.
//   - The server is not trusted: lines, answers and errors have a size, and its
//     words reach neither a log nor an error, for they may repeat a customer's.
//
// There are no goroutines of its own but timers, which end with their call.
package openai

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

// Timeouts bound a call. A zero value means the default.
type Timeouts struct {
	Connect    time.Duration // to an open connection, TLS included (5 s)
	FirstToken time.Duration // from each try to its first text (8 s)
	Between    time.Duration // from one piece of text to the next (5 s)
	Total      time.Duration // of a call with all its tries (60 s)
}

// Config says where the models are. A chat model needs BaseURL and Model; an
// embedder needs EmbeddingModel and one of the two addresses.
type Config struct {
	BaseURL string // up to and with "/v1"; a query is sent with every request
	APIKey  string // empty: none is sent
	Model   string

	EmbeddingBaseURL string // empty: BaseURL and APIKey serve embeddings too
	EmbeddingAPIKey  string // never falls back to APIKey when EmbeddingBaseURL is set
	EmbeddingModel   string

	AllowInsecure bool // plain http to other machines: customers' words go over the wire in clear
	Timeouts      Timeouts
	MaxAnswer     int               // bytes of text in an answer (256 KiB)
	Transport     http.RoundTripper // nil: a keep-alive transport of the client's own
	Logger        *slog.Logger      // nil: none
	Now           func() time.Time  // nil: time.Now
}

const (
	defaultMaxAnswer = 256 << 10
	maxIdlePerHost   = 64 // idle connections kept, so that a busy hour dials no new ones
)

// server is one address with a model behind it: what a chat model and an
// embedder have in common.
type server struct {
	address   string // without query and trailing slash
	query     url.Values
	key       string
	model     string
	azure     bool // wants the key in a header of its own as well
	timeouts  Timeouts
	maxAnswer int
	http      *http.Client
	log       *slog.Logger
	now       func() time.Time
	sleep     func(context.Context, time.Duration) error
	breaker   *breaker
}

func newServer(c Config, addressName, address, key, modelName, model string) (*server, error) {
	u, err := checkAddress(address, c.AllowInsecure)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addressName, err)
	}
	if strings.TrimSpace(model) == "" {
		return nil, fmt.Errorf("%s is missing: name the model that %s should use", modelName, u.Host)
	}
	if strings.ContainsAny(key, " \t\r\n") {
		return nil, errors.New("the API key contains white space: was it cut or pasted with a line break?")
	}
	s := &server{
		query:     u.Query(),
		key:       key,
		model:     model,
		azure:     strings.HasSuffix(u.Hostname(), ".azure.com"),
		timeouts:  c.Timeouts,
		maxAnswer: c.MaxAnswer,
		log:       c.Logger,
		now:       c.Now,
		sleep:     sleep,
	}
	u.RawQuery = ""
	s.address = strings.TrimRight(u.String(), "/")
	for _, d := range []struct {
		value   *time.Duration
		without time.Duration
	}{
		{&s.timeouts.Connect, 5 * time.Second},
		{&s.timeouts.FirstToken, 8 * time.Second},
		{&s.timeouts.Between, 5 * time.Second},
		{&s.timeouts.Total, 60 * time.Second},
	} {
		if *d.value < 0 {
			return nil, fmt.Errorf("a timeout of the model is %s: it must be positive", *d.value)
		}
		if *d.value == 0 {
			*d.value = d.without
		}
	}
	if s.maxAnswer <= 0 {
		s.maxAnswer = defaultMaxAnswer
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	transport := c.Transport
	if transport == nil {
		transport = newTransport(s.timeouts.Connect)
	}
	s.http = &http.Client{
		Transport: transport,
		// A redirect would carry a customer's words to another address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.breaker = newBreaker(s.now)
	return s, nil
}

func newTransport(connect time.Duration) http.RoundTripper {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: connect,
		ForceAttemptHTTP2:   true, // a cancelled call then keeps the connection
		MaxIdleConns:        2 * maxIdlePerHost,
		MaxIdleConnsPerHost: maxIdlePerHost,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true, // it would hold tokens back, and hide the size
	}
}

// checkAddress says what is wrong with a base URL and how to mend it.
func checkAddress(address string, insecure bool) (*url.URL, error) {
	if address == "" {
		return nil, errors.New("is missing: give the address of the model's server, e.g. https://api.openai.com/v1")
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("is not a URL: write it like https://api.openai.com/v1") // its text may hold a key
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("holds a user name or password: give the key of %s as the API key instead", u.Host)
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, fmt.Errorf("%q does not begin with https:// or http:// and a host: write it like https://api.openai.com/v1", clip(address, 80))
	case u.Fragment != "":
		return nil, fmt.Errorf("%q has a #fragment: leave it out", clip(address, 80))
	case u.Scheme == "http" && !loopback(u.Hostname()) && !insecure:
		return nil, fmt.Errorf("http://%s would send customers' words in clear over the network: use https, or allow it if that network is yours alone (--llm-allow-http, ASIDE_LLM_ALLOW_HTTP)", u.Host)
	}
	return u, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// api is go-openai over one exchange. Making one per call costs nothing beside
// the call, and keeps each call's status and headers apart from all others'.
func (s *server) api(x *exchange) *openai.Client {
	c := openai.DefaultConfig(s.key)
	c.BaseURL = s.address
	c.HTTPClient = x
	return openai.NewClientWithConfig(c)
}

// closeIdle gives unused connections back.
func (s *server) closeIdle() { s.http.CloseIdleConnections() }

// sleep waits for d or ctx, whichever ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
