package openai

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/aside-project/aside/internal/llm"
)

// fault is one failed try: which of llm's errors it is, why in our own words,
// and whether it may be repeated.
type fault struct {
	kind    error // of llm
	why     string
	cause   error
	retries int           // how often a call may be repeated after it
	after   time.Duration // what the server asked us to wait; 0: nothing
	said    string        // what a refusing server said, in lower case, to learn from; never shown
}

func (f *fault) Error() string {
	if f.cause != nil {
		return fmt.Sprintf("%v: %s: %v", f.kind, f.why, f.cause)
	}
	return fmt.Sprintf("%v: %s", f.kind, f.why)
}

func (f *fault) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

const (
	maxRetryAfter = 10 * time.Second
	hintV1        = "does the base URL end in /v1?"
)

// httpFault judges an answer that is not a 2xx. body is at most maxErrorBody of it.
func httpFault(model string, status int, h http.Header, body []byte) *fault {
	code := errorCode(body)
	f := &fault{kind: llm.ErrRejected, why: fmt.Sprintf("HTTP %d", status)}
	if code != "" {
		f.why += " (" + code + ")"
	}
	switch {
	case status == http.StatusTooManyRequests && strings.Contains(code, "insufficient_quota"):
		f.why = "the account of the API key has no credit left"
	case status == http.StatusTooManyRequests:
		f.kind, f.retries, f.after = llm.ErrRateLimited, 2, retryAfter(h)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		f.why += ": is the API key right, and may it use this model?"
	case status >= 500:
		f.kind, f.said = llm.ErrDown, lower(body)
		if status <= http.StatusServiceUnavailable && status != http.StatusNotImplemented {
			f.retries = 1
		}
		if status == http.StatusNotImplemented {
			f.kind = llm.ErrRejected
		}
	case status >= 300 && status < 400:
		f.kind, f.why = llm.ErrNotAModel, fmt.Sprintf("HTTP %d sends us elsewhere: give the final address as base URL", status)
	case looksLike(body) == '<':
		f.kind, f.why = llm.ErrNotAModel, fmt.Sprintf("it answers HTML (HTTP %d): %s", status, hintV1)
	case status == http.StatusNotFound && looksLike(body) == '{':
		f.why = fmt.Sprintf("it does not know the model %q, or nothing is at this path: check the model's name; %s", model, hintV1)
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		f.kind, f.why = llm.ErrNotAModel, fmt.Sprintf("HTTP %d: %s", status, hintV1)
	default:
		f.said = lower(body)
	}
	return f
}

// spokenFault judges an error that a server puts into a stream it had begun.
func spokenFault(raw []byte) *fault {
	code := errorCode(raw)
	f := &fault{kind: llm.ErrRejected, why: "it reports an error in its answer"}
	if code != "" {
		f.why += " (" + code + ")"
	}
	switch {
	case strings.Contains(code, "429") || strings.Contains(code, "rate_limit"):
		f.kind, f.retries = llm.ErrRateLimited, 2
	case strings.HasPrefix(code, "5") || strings.Contains(code, "server") || strings.Contains(code, "overloaded") || strings.Contains(code, "Internal"):
		f.kind, f.retries = llm.ErrDown, 1
	}
	return f
}

// errorCode gives the short machine-readable names in an error body: type and
// code. Free text stays behind: it may repeat a message, or the key.
func errorCode(body []byte) string {
	type detail struct {
		Type string `json:"type"`
		Code any    `json:"code"`
	}
	var outer struct {
		Error json.RawMessage `json:"error"`
		detail
	}
	if json.Unmarshal(body, &outer) != nil {
		return ""
	}
	d := outer.detail
	if len(outer.Error) > 0 {
		var inner detail
		if json.Unmarshal(outer.Error, &inner) == nil {
			d = inner
		}
	}
	var names []string
	for _, v := range []any{d.Code, d.Type} {
		var s string
		switch v := v.(type) {
		case string:
			s = v
		case float64:
			s = strconv.FormatFloat(v, 'f', -1, 64)
		}
		if isName(s) {
			names = append(names, s)
		}
	}
	return strings.Join(names, ", ")
}

// isName reports whether s looks like rate_limit_exceeded rather than like
// words or a key.
func isName(s string) bool {
	if s == "" || len(s) > 40 || strings.HasPrefix(s, "sk-") {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' {
			return false
		}
	}
	return true
}

func lower(b []byte) string { return strings.ToLower(string(b)) }

// looksLike gives the first character that is not white space: '{' for JSON,
// '<' for HTML.
func looksLike(body []byte) byte {
	body = bytes.TrimLeft(body, "\xef\xbb\xbf \t\r\n")
	if len(body) == 0 {
		return 0
	}
	return body[0]
}

// retryAfter reads the header in milliseconds, seconds or as a date, 0 to 10 s.
func retryAfter(h http.Header) time.Duration {
	var d time.Duration
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil {
		d = time.Duration(min(max(ms, 0), 1e6) * float64(time.Millisecond))
	} else if s, err := strconv.ParseFloat(h.Get("Retry-After"), 64); err == nil {
		d = time.Duration(min(max(s, 0), 1e6) * float64(time.Second))
	} else if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		d = time.Until(at)
	}
	return min(max(d, 0), maxRetryAfter)
}

// try runs once until it succeeds, must not be repeated, or has been repeated
// as often as its fault allows. It never waits beyond the deadline of ctx.
func (s *server) try(ctx context.Context, once func() error) error {
	for n := 0; ; n++ {
		err := once()
		var f *fault
		if err == nil || !errors.As(err, &f) || n >= f.retries {
			return err
		}
		wait := backoff(f.after, n)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			return err
		}
		s.log.Debug("model call is repeated", "model", s.model, "try", n+2, "wait", wait, "after", f.why)
		if s.sleep(ctx, wait) != nil {
			return ended(ctx)
		}
	}
}

// backoff is what the server asked for, else 200 ms doubled, and up to a
// quarter more so that many callers do not come back together.
func backoff(asked time.Duration, n int) time.Duration {
	d := cmp.Or(asked, 200*time.Millisecond<<n)
	return d + time.Duration(rand.Int64N(int64(d)/4+1))
}

// ended says why a context is done, with the error that callers look for and
// the cause that the maintainer looks for.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

var errNotJSON = errors.New("not the JSON that was expected")

// isJSON reports whether err comes from decoding. Such errors may quote what
// they could not read.
func isJSON(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind)
}

// local reports whether go-openai refused a request itself, without sending it.
func local(err error) bool {
	for _, e := range []error{
		openai.ErrChatCompletionInvalidModel,
		openai.ErrReasoningModelMaxTokensDeprecated,
		openai.ErrReasoningModelLimitationsOther,
		openai.ErrReasoningSamplingUnsupported,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
