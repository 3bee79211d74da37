package openai

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"

	"github.com/aside-project/aside/internal/llm"
)

const (
	maxLine  = 256 << 10 // bytes in a line of a stream
	maxStray = 4 << 10   // bytes kept of an answer that is no stream, to say what it is
)

// events reads a server's event stream and passes on what go-openai should see:
// lines "data: …\n", one per Read where it fits. Comments, other fields, empty
// lines, CRs and a byte order mark stay behind. A line that is too long, an
// error object or an answer without events end the stream with a *fault.
type events struct {
	src   *bufio.Reader
	body  io.Closer
	left  int64  // bytes that may still come
	line  []byte // the current line
	rest  []byte // of it, not yet read; with its end of line
	began bool   // an event came
	first bool   // the first line was read
	stray []byte
	err   error
}

func newEvents(body io.ReadCloser, limit int64) *events {
	return &events{src: bufio.NewReaderSize(body, 4<<10), body: body, left: limit}
}

func (e *events) Close() error { return e.body.Close() }

func (e *events) Read(p []byte) (int, error) {
	for len(e.rest) == 0 {
		if e.err != nil {
			return 0, e.err
		}
		e.next()
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// next reads one line and decides on it: rest, err or neither is set.
func (e *events) next() {
	whole, err := e.readLine()
	if err != nil && !errors.Is(err, io.EOF) {
		e.err = err
		return
	}
	e.err = err
	line := bytes.TrimSpace(e.line)
	if !e.first {
		e.first = true
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	data, isData := bytes.CutPrefix(line, []byte("data:"))
	data = bytes.TrimSpace(data)
	switch {
	case isData && len(data) > 0 && (whole || string(data) == "[DONE]" || json.Valid(data)):
		e.began = true
		if f := errorIn(data); f != nil {
			e.err = f
			return
		}
		// The line is written anew in place: it never grows.
		e.rest = append(append(e.line[:0], "data:"...), data...)
		e.rest = append(e.rest, '\n')
	case !isData && !e.began && len(e.stray) < maxStray && !field(line):
		e.stray = append(e.stray, line[:min(len(line), maxStray-len(e.stray))]...)
	}
	if errors.Is(e.err, io.EOF) && !e.began {
		e.err = strayFault(e.stray)
	}
}

// readLine fills line with the next one, its end included, and says whether it
// had an end.
func (e *events) readLine() (whole bool, err error) {
	e.line = e.line[:0]
	for {
		part, err := e.src.ReadSlice('\n')
		e.left -= int64(len(part))
		e.line = append(e.line, part...)
		switch {
		case e.left < 0:
			return false, errTooBig
		case len(e.line) > maxLine:
			return false, &fault{kind: llm.ErrTooLong, why: "a line of its stream is longer than 256 KiB"}
		case err == nil:
			return true, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return false, err
		}
	}
}

// field reports whether a line is one that streams have beside data.
func field(line []byte) bool {
	return bytes.HasPrefix(line, []byte(":")) || bytes.HasPrefix(line, []byte("event:")) ||
		bytes.HasPrefix(line, []byte("id:")) || bytes.HasPrefix(line, []byte("retry:"))
}

// errorIn gives the error object at the top of an event, if there is one.
func errorIn(data []byte) *fault {
	if !bytes.Contains(data, []byte(`"error"`)) {
		return nil
	}
	var v struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(data, &v) != nil || len(v.Error) == 0 || string(v.Error) == "null" {
		return nil
	}
	return spokenFault(data)
}

// withoutURL drops the address from a transport's error: a query may hold what
// a log should not.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
