package openai

import (
	"bytes"
	"io"
	"mime"
	"net/http"

	"github.com/aside-project/aside/internal/llm"
)

const (
	maxErrorBody = 64 << 10 // bytes read of an answer that is an error
	maxWire      = 64 << 20 // bytes read of a stream: every token comes in some 250 bytes of JSON
	maxBody      = 16 << 20 // bytes read of any other answer: 32 vectors of 4,096 numbers are 2 MB
)

// exchange is one request and its answer, under go-openai, which knows no
// limits, waits for a line after an error before it tells, and keeps headers to
// itself. The answer's body is guarded; a bad status is a fault right away.
type exchange struct {
	server *server
	stream bool
	body   io.ReadCloser // of a good answer
}

// Do implements go-openai's HTTPDoer.
func (x *exchange) Do(req *http.Request) (*http.Response, error) {
	if len(x.server.query) > 0 {
		q := req.URL.Query()
		for k, v := range x.server.query {
			q[k] = v
		}
		req.URL.RawQuery = q.Encode()
	}
	if x.server.azure && x.server.key != "" {
		req.Header.Set("Api-Key", x.server.key)
	}
	resp, err := x.server.http.Do(req)
	if err != nil {
		return nil, &fault{kind: llm.ErrDown, why: "no connection to " + req.URL.Host, cause: withoutURL(err), retries: 1}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what came of it is enough to judge by
		resp.Body.Close()
		return nil, httpFault(x.server.model, resp.StatusCode, resp.Header, body)
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/html" {
		resp.Body.Close()
		return nil, &fault{kind: llm.ErrNotAModel, why: "it answers HTML: " + hintV1}
	}
	if x.stream {
		resp.Body = newEvents(resp.Body, maxWire)
	} else {
		resp.Body = &limited{src: resp.Body, left: maxBody}
	}
	x.body = resp.Body
	return resp, nil
}

// drain reads an answer to its end, so that its connection can serve the next
// call. The caller bounds the time.
func (x *exchange) drain() {
	if x.body != nil {
		_, _ = io.Copy(io.Discard, x.body) // only the connection is at stake
	}
}

// limited is a body of at most left bytes.
type limited struct {
	src  io.ReadCloser
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooBig
	}
	n, err := l.src.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

func (l *limited) Close() error { return l.src.Close() }

var errTooBig = &fault{kind: llm.ErrTooLong, why: "the answer is too big to be read"}

// strayFault judges an answer that came without a single event.
func strayFault(stray []byte) *fault {
	switch looksLike(stray) {
	case 0:
		return &fault{kind: llm.ErrCut, why: "it ended before it began", retries: 1}
	case '<':
		return &fault{kind: llm.ErrNotAModel, why: "it answers HTML: " + hintV1}
	case '{':
		if bytes.Contains(stray, []byte(`"error"`)) {
			return spokenFault(stray)
		}
	}
	return &fault{kind: llm.ErrNotAModel, why: "it does not answer with a stream of events: " + hintV1}
}
