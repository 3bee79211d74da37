package assist

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Code says what kind of error a user met. It maps one to one to HTTP status
// and WebSocket close codes at the edges.
type Code string

// The codes of the protocol.
const (
	Invalid         Code = "invalid"         // the request is malformed: mend it and send it again
	Unauthenticated Code = "unauthenticated" // no token, an expired or a forged one
	Forbidden       Code = "forbidden"       // this identity may not do that
	NotFound        Code = "not_found"
	Conflict        Code = "conflict" // the same id was used for something else
	TooLarge        Code = "too_large"
	RateLimited     Code = "rate_limited"
	Unavailable     Code = "unavailable" // a part is down: try again
	Internal        Code = "internal"    // our fault; the cause is in the log
)

// Error is an error meant for a user: a code and a message in words that can be
// acted on. Its cause is for the log and never shown.
type Error struct {
	Code    Code
	Message string
	cause   error
}

// Errorf makes an Error without a cause.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an Error whose cause stays in the log.
func Wrap(cause error, code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), cause: cause}
}

// Error is for the log: code, message and cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// Explain says an error to the person who runs Aside, who may see the cause: our
// own errors in their words without the code, and no line twice.
func Explain(err error) string {
	text := err.Error()
	var e *Error
	if errors.As(err, &e) {
		plain := e.Message
		if e.cause != nil {
			plain += " (" + Explain(e.cause) + ")"
		}
		text = strings.Replace(text, e.Error(), plain, 1)
	}
	seen, lines := map[string]bool{}, strings.SplitAfter(text, "\n")
	return strings.TrimRight(strings.Join(slices.DeleteFunc(lines, func(l string) bool {
		l = strings.TrimSpace(l)
		again := seen[l]
		seen[l] = true
		return again
	}), ""), "\n")
}

// CodeOf gives the code of err: that of the first Error in its chain, Internal
// for any other error, "" for nil.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	default:
		return Internal
	}
}

// MessageOf gives the words a user may see. Errors that are not ours say only
// that something went wrong: their text may hold addresses or customer data.
func MessageOf(err error) string {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Message
	default:
		return "something went wrong on our side; try again"
	}
}
