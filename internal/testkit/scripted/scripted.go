// Package scripted is a model's server that follows a script: it speaks the
// OpenAI API over real HTTP, so that tests, measurements and demos use the real
// client path without a model. Left alone it answers usefully, from the numbered
// passages of the request (answer.go); told to, it fails in all the ways that
// models fail.
//
// Everything is decided by the script and the request; there is no chance in it.
// A handler ends as soon as its client is gone. Nothing here is for production.
package scripted

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Mode is one way to behave.
type Mode string

// The modes. Stall, Cut, Reset and BadEvent do it after Behaviour.After tokens.
const (
	Answer      Mode = "answer"       // answer well
	Busy        Mode = "busy"         // 429 with Retry-After
	Fail        Mode = "fail"         // 500
	Hang        Mode = "hang"         // take the request and never answer
	Stall       Mode = "stall"        // begin, then send nothing more
	Cut         Mode = "cut"          // begin, then end cleanly without a finish reason
	Reset       Mode = "reset"        // begin, then reset the connection
	NoDone      Mode = "no-done"      // a whole answer without [DONE]
	LeftOpen    Mode = "left-open"    // a whole answer, and the connection stays open
	BadEvent    Mode = "bad-event"    // begin, then send an event that is not JSON
	BadAnswer   Mode = "bad-answer"   // a whole stream whose text is not the JSON asked for
	WrongSchema Mode = "wrong-schema" // a whole stream whose text is JSON of another shape
	HTML        Mode = "html"         // a web page
	WrongType   Mode = "wrong-type"   // a good stream called text/plain
	Huge        Mode = "huge"         // ten megabytes of text
	Hostile     Mode = "hostile"      // repeat the prompt, obey attackers, add links, invent citations
)

// Modes lists them all.
func Modes() []Mode {
	return []Mode{Answer, Busy, Fail, Hang, Stall, Cut, Reset, NoDone, LeftOpen, BadEvent, BadAnswer, WrongSchema, HTML, WrongType, Huge, Hostile}
}

// Behaviour is how requests are answered. The zero value answers well and at once.
type Behaviour struct {
	Mode            Mode
	FirstToken      time.Duration // from the request's arrival to the first token of a stream, to a tenth of a millisecond
	TokensPerSecond float64       // after it; 0: at once
	After           int           // tokens before a fault in the middle; 0: 5
	RetryAfter      time.Duration // of Busy, in whole seconds; 0: no header
	Times           int           // the first so many requests have Mode, later ones answer well; 0: all
	Share           float64       // this share of the requests has Mode, evenly spread; 0: all
	OneByte         bool          // write the stream one byte at a time
	Refuse          []string      // 400 for chat requests that hold one of these as a key or a word: "json_schema", "stream_options"
	Text            string        // the answer; empty: made from the request
}

// Script is what the server does.
type Script struct {
	Behaviour
	// ByModel holds other behaviours, by model name. Without an entry, a name
	// that ends in @ and a mode (any@cut) has that mode.
	ByModel    map[string]Behaviour
	Models     []string  // of /v1/models; nil: "scripted" and "scripted-embedding"
	Dimension  int       // of embeddings; 0: 256
	Embeddings Behaviour // Mode, FirstToken and Times of the embeddings; Busy, Fail, Hang, HTML and Answer
}

// Request is one logged request.
type Request struct {
	Path   string
	Header http.Header
	Body   []byte
}

// Handler serves a script. Its methods may be called at any time.
type Handler struct {
	mux    *http.ServeMux
	script Script
	gone   chan Request

	mu       sync.Mutex
	requests []Request
	count    map[string]int // by path
	seen     map[string]int // by path and model, for Times and Share
}

const (
	maxBody  = 8 << 20 // bytes of a request
	maxLog   = 1000    // requests kept; later ones are only counted
	hugeText = 10 << 20
)

// New makes a handler for a script.
func New(s Script) *Handler {
	if s.Dimension <= 0 {
		s.Dimension = 256
	}
	if s.Models == nil {
		s.Models = []string{"scripted", "scripted-embedding"}
	}
	h := &Handler{script: s, mux: http.NewServeMux(), gone: make(chan Request, maxLog), count: map[string]int{}, seen: map[string]int{}}
	h.mux.HandleFunc("POST /v1/chat/completions", h.chat)
	h.mux.HandleFunc("POST /v1/embeddings", h.embeddings)
	h.mux.HandleFunc("GET /v1/models", h.models)
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "not_found", "there is nothing at "+r.URL.Path)
	})
	return h
}

// Server is a running handler.
type Server struct {
	*Handler
	URL string // base URL, with /v1
}

// TB is what Start needs of a test.
type TB interface {
	Helper()
	Cleanup(func())
}

// Start serves a script until the test ends.
func Start(t TB, s Script) *Server {
	t.Helper()
	h := New(s)
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		srv.CloseClientConnections() // handlers that hang end with their client
		srv.Close()
	})
	return &Server{Handler: h, URL: srv.URL + "/v1"}
}

// Requests gives the first 1,000 requests, in the order of their arrival.
func (h *Handler) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// Chats is the number of chat requests so far.
func (h *Handler) Chats() int { return h.counted("/v1/chat/completions") }

// Embeds is the number of embedding requests so far.
func (h *Handler) Embeds() int { return h.counted("/v1/embeddings") }

func (h *Handler) counted(path string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count[path]
}

// Gone receives each request whose client left before its answer was whole.
func (h *Handler) Gone() <-chan Request { return h.gone }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "too_large", "the request is too big or broke off")
		return
	}
	req := Request{Path: r.URL.Path, Header: r.Header.Clone(), Body: body}
	h.mu.Lock()
	h.count[r.URL.Path]++
	if len(h.requests) < maxLog {
		h.requests = append(h.requests, req)
	}
	h.mu.Unlock()
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	defer func() {
		if r.Context().Err() == nil {
			return
		}
		select {
		case h.gone <- req:
		default: // nobody looks
		}
	}()
	h.mux.ServeHTTP(w, r)
}

// behaviour finds how to answer one request, and counts it.
func (h *Handler) behaviour(path, model string) Behaviour {
	b := h.script.Behaviour
	if path == "embeddings" {
		b = h.script.Embeddings
	}
	if other, ok := h.script.ByModel[model]; ok {
		b = other
	} else if _, mode, ok := strings.Cut(model, "@"); ok && slices.Contains(Modes(), Mode(mode)) {
		b.Mode = Mode(mode)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.seen[path+" "+model] + 1
	h.seen[path+" "+model] = n
	if b.Times > 0 && n > b.Times || b.Share > 0 && int(float64(n)*b.Share) == int(float64(n-1)*b.Share) {
		b.Mode = Answer
	}
	if b.After <= 0 {
		b.After = 5
	}
	return b
}

// early does what a mode does instead of an answer; it reports whether it did.
func early(w http.ResponseWriter, r *http.Request, b Behaviour) bool {
	switch b.Mode {
	case Busy:
		if b.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((b.RetryAfter+time.Second-1)/time.Second)))
		}
		refuse(w, http.StatusTooManyRequests, "rate_limit_exceeded", "slow down")
	case Fail:
		refuse(w, http.StatusInternalServerError, "server_error", "the script says to fail")
	case Hang:
		<-r.Context().Done()
	case HTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!doctype html><html><head><title>Welcome</title></head><body>It works.</body></html>")
	default:
		return false
	}
	return true
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	reply(w, status, map[string]any{"error": map[string]any{"message": message, "type": code, "code": code}})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that left is seen by its context
}

func (h *Handler) models(w http.ResponseWriter, _ *http.Request) {
	type model struct {
		ID     string `json:"id"`
		Object string `json:"object"`
	}
	data := []model{}
	for _, id := range h.script.Models {
		data = append(data, model{id, "model"})
	}
	reply(w, http.StatusOK, map[string]any{"object": "list", "data": data})
}

type chatRequest struct {
	Model    string `json:"model"`
	Messages []struct {
		Role    string  `json:"role"`
		Content content `json:"content"`
	} `json:"messages"`
	Stream        bool `json:"stream"`
	MaxTokens     int  `json:"max_tokens"`
	MaxCompletion int  `json:"max_completion_tokens"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	ResponseFormat struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
}

// content is a message's text: a string, or a list of parts.
type content string

func (c *content) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*c = content(s)
		return nil
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(b, &parts); err != nil {
		return fmt.Errorf("content is neither a text nor a list of parts: %w", err)
	}
	for _, p := range parts {
		*c += content(p.Text)
	}
	return nil
}

func (h *Handler) chat(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	raw, _ := io.ReadAll(r.Body) // in memory already
	var q chatRequest
	if err := json.Unmarshal(raw, &q); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "the request is not a chat request in JSON")
		return
	}
	b := h.behaviour("chat", q.Model)
	for _, word := range b.Refuse {
		if strings.Contains(string(raw), `"`+word+`"`) {
			refuse(w, http.StatusBadRequest, "invalid_request_error", word+" is not supported")
			return
		}
	}
	if early(w, r, b) {
		return
	}
	text := b.Text
	if text == "" {
		text = compose(q, b.Mode)
	}
	longest := 8
	if b.Mode == Huge {
		longest = 4096
	}
	tokens, finish := split(text, longest), "stop"
	if limit := max(q.MaxTokens, q.MaxCompletion); limit > 0 && len(tokens) > limit {
		tokens, finish = tokens[:limit], "length"
	}
	if !q.Stream {
		if wait(r, arrived.Add(b.FirstToken+pace(b, len(tokens)))) {
			reply(w, http.StatusOK, map[string]any{
				"id": "chatcmpl-scripted", "object": "chat.completion", "model": q.Model,
				"choices": []any{map[string]any{"index": 0, "message": map[string]any{"role": "assistant", "content": strings.Join(tokens, "")}, "finish_reason": finish}},
				"usage":   usageOf(q, len(tokens)),
			})
		}
		return
	}
	stream(w, r, b, q, tokens, finish, arrived.Add(b.FirstToken))
}

func usageOf(q chatRequest, completion int) map[string]int {
	prompt := 0
	for _, m := range q.Messages {
		prompt += (len(m.Content) + 3) / 4
	}
	return map[string]int{"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
}

// stream sends tokens at the pace of b from start on, and the fault of its mode.
func stream(w http.ResponseWriter, r *http.Request, b Behaviour, q chatRequest, tokens []string, finish string, start time.Time) {
	w.Header().Set("Content-Type", "text/event-stream")
	if b.Mode == WrongType {
		w.Header().Set("Content-Type", "text/plain")
	}
	flusher, _ := w.(http.Flusher)
	flush := func() {
		if flusher != nil {
			flusher.Flush()
		}
	}
	send := func(s string) {
		if !b.OneByte {
			_, _ = io.WriteString(w, s)
			return
		}
		for i := range len(s) {
			_, _ = io.WriteString(w, s[i:i+1])
			flush()
		}
	}
	model, _ := json.Marshal(q.Model) // a string always marshals
	chunk := func(delta string, finish string) {
		send(`data: {"id":"chatcmpl-scripted","object":"chat.completion.chunk","model":` + string(model) +
			`,"choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + "}]}\n\n")
	}
	for i, token := range tokens {
		if due := start.Add(pace(b, i)); time.Until(due) > 0 {
			flush()
			if i == 0 {
				due = due.Add(-timerLate)
			}
			if !wait(r, due) {
				return
			}
			for i == 0 && time.Now().Before(start) {
				runtime.Gosched()
			}
		}
		if r.Context().Err() != nil {
			return
		}
		if i == b.After {
			switch b.Mode {
			case Cut:
				return
			case Reset:
				flush()
				reset(w)
				return
			case Stall:
				flush()
				<-r.Context().Done()
				return
			case BadEvent:
				send("data: {\"choices\":[{\"delta\":{\"content\":\n\n")
				return
			}
		}
		text, _ := json.Marshal(token)
		if i == 0 {
			chunk(`{"role":"assistant","content":`+string(text)+`}`, "null")
			flush()
			continue
		}
		chunk(`{"content":`+string(text)+`}`, "null")
	}
	chunk("{}", strconv.Quote(finish))
	if b.Mode == LeftOpen {
		flush()
		<-r.Context().Done()
		return
	}
	if q.StreamOptions.IncludeUsage {
		u, _ := json.Marshal(usageOf(q, len(tokens)))
		send(`data: {"id":"chatcmpl-scripted","object":"chat.completion.chunk","model":` + string(model) + `,"choices":[],"usage":` + string(u) + "}\n\n")
	}
	if b.Mode != NoDone {
		send("data: [DONE]\n\n")
	}
}

// pace is the time from the first token to token n.
func pace(b Behaviour, n int) time.Duration {
	if b.TokensPerSecond <= 0 {
		return 0
	}
	return time.Duration(float64(n) / b.TokensPerSecond * float64(time.Second))
}

// timerLate is how late a timer may come on a quiet machine.
const timerLate = 1500 * time.Microsecond

// wait waits until a time; false when the client left before.
func wait(r *http.Request, until time.Time) bool {
	d := time.Until(until)
	if d <= 0 {
		return r.Context().Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// reset drops the connection as a crash would.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if errors.Is(err, http.ErrNotSupported) {
		panic(http.ErrAbortHandler) // HTTP/2 resets its stream so
	}
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// split cuts a text into tokens: words with the space before them, those of more
// than longest characters in pieces.
func split(text string, longest int) []string {
	var out []string
	start, runes := 0, 0
	for i, r := range text {
		if i > start && (r == ' ' || runes == longest) {
			out = append(out, text[start:i])
			start, runes = i, 0
		}
		runes++
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}
