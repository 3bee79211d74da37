package eval

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/aside-project/aside/internal/llm"
)

// recording is one recorded answer, a line of a cassette.
type recording struct {
	Key        string     `json:"key"`
	Text       string     `json:"text"`
	Model      string     `json:"model"`
	Format     llm.Format `json:"format"`
	Prompt     int        `json:"prompt_tokens,omitempty"`
	Completion int        `json:"completion_tokens,omitempty"`
}

// requestKey names a request: the same words, form and settings to the same
// model at the same repeat.
func requestKey(model string, repeat int, r llm.Request) string {
	raw, err := json.Marshal(struct {
		Model       string
		Repeat      int
		Messages    []llm.Message
		SchemaName  string
		Schema      json.RawMessage
		MaxTokens   int
		Temperature float64
	}{model, repeat, r.Messages, r.SchemaName, r.Schema, r.MaxTokens, r.Temperature})
	if err != nil {
		panic(err) // a prompt's schema was parsed when it was loaded
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// ErrNotRecorded is a request that a cassette does not hold.
var ErrNotRecorded = errors.New("this request is not in the recording: record again with --record FILE")

// Cassette is recorded answers in a JSON Lines file. It may be used side by side.
type Cassette struct {
	Name string

	mu      sync.Mutex
	answers map[string]recording
	file    *os.File // nil: read only
	private bool     // never committed: answers are not scanned for keys
}

// secret finds what looks like a key: cassettes are committed.
var secret = regexp.MustCompile(`(?i)\b(sk-[a-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[A-Z0-9]{16}|xox[abp]-[a-z0-9-]{10,}|AIza[A-Za-z0-9_-]{30,}|Bearer\s+[A-Za-z0-9._-]{20,})|-----BEGIN [A-Z ]*PRIVATE KEY-----`)

// OpenCassette reads a recording from fsys. A line that holds what looks like a
// key is refused.
func OpenCassette(fsys fs.FS, name string) (*Cassette, error) {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("open cassette: %w", err)
	}
	return parseCassette(name, raw)
}

func parseCassette(name string, raw []byte) (*Cassette, error) {
	c := &Cassette{Name: name, answers: map[string]recording{}}
	sc := bufio.NewScanner(bytes.NewReader(raw))
	sc.Buffer(nil, 16<<20)
	for line := 1; sc.Scan(); line++ {
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		var a recording
		if err := json.Unmarshal(sc.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		if at := secret.FindIndex(sc.Bytes()); at != nil {
			return nil, fmt.Errorf("%s:%d: at column %d stands what looks like a key: recordings are committed, remove it", name, line, at[0]+1)
		}
		c.answers[a.Key] = a
	}
	return c, sc.Err()
}

// Record opens a cassette file to be added to; what it holds already is played.
func Record(name string) (*Cassette, error) {
	raw, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open cassette: %w", err)
	}
	c, err := parseCassette(name, raw)
	if err != nil {
		return nil, err
	}
	return c, c.keep(name)
}

// keep has new answers written to a file.
func (c *Cassette) keep(name string) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("open cassette: %w", err)
	}
	if c.file, err = os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return fmt.Errorf("open cassette: %w", err)
	}
	return nil
}

// openCache opens the response cache of a folder: a cassette that is never
// committed. Lines that cannot be read are forgotten.
func openCache(dir string) (*Cassette, error) {
	name := filepath.Join(dir, "answers.jsonl")
	c := &Cassette{Name: name, answers: map[string]recording{}, private: true}
	raw, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open the response cache: %w", err)
	}
	for _, line := range bytes.Split(raw, []byte("\n")) {
		var a recording
		if json.Unmarshal(line, &a) == nil {
			c.answers[a.Key] = a
		}
	}
	return c, c.keep(name)
}

// Close ends recording.
func (c *Cassette) Close() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

func (c *Cassette) get(key string) (recording, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.answers[key]
	return a, ok
}

func (c *Cassette) put(a recording) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	raw, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("record an answer: %w", err)
	}
	if !c.private && secret.Match(raw) {
		return errors.New("record an answer: it holds what looks like a key")
	}
	c.answers[a.Key] = a
	if c.file != nil {
		if _, err := c.file.Write(append(raw, '\n')); err != nil {
			return fmt.Errorf("record an answer: %w", err)
		}
	}
	return nil
}

// replay plays recorded answers at one repeat; what is missing is asked of the
// model behind it, if there is one, and recorded.
type replay struct {
	tape   *Cassette
	behind llm.ChatModel // nil: only what is recorded
	name   string
	server string // part of the key where answers of several are kept together
	repeat int
}

func (p replay) Name() string { return p.name }

func (p replay) Chat(ctx context.Context, r llm.Request, delta func(string)) (llm.Response, error) {
	if err := ctx.Err(); err != nil {
		return llm.Response{}, err
	}
	key := requestKey(p.server, p.repeat, r)
	if a, ok := p.tape.get(key); ok {
		delta(a.Text)
		return llm.Response{Text: a.Text, Model: a.Model, Format: a.Format, Prompt: a.Prompt, Completion: a.Completion}, nil
	}
	if p.behind == nil {
		return llm.Response{}, fmt.Errorf("%s, request %s: %w", p.tape.Name, key[:12], ErrNotRecorded)
	}
	out, err := p.behind.Chat(ctx, r, delta)
	if err != nil {
		return out, err
	}
	return out, p.tape.put(recording{key, out.Text, out.Model, out.Format, out.Prompt, out.Completion})
}
