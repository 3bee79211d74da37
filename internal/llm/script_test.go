package llm

import (
	"context"
	"errors"
	"strings"
	"testing"
)

var (
	_ ChatModel = (*Script)(nil)
	_ ChatModel = Hostile{}
)

func TestScript(t *testing.T) {
	s := &Script{Deltas: []string{"a", "b"}, Err: ErrCut}
	var got []string
	r, err := s.Chat(t.Context(), Request{Key: "k"}, func(d string) { got = append(got, d) })
	if !errors.Is(err, ErrCut) || r.Text != "ab" || strings.Join(got, "|") != "a|b" || r.Model != "script" || r.Format != FormatSchema {
		t.Errorf("got %v %+v %q", err, r, got)
	}
	if q := s.Requests(); len(q) != 1 || q[0].Key != "k" || s.Running() != 0 {
		t.Errorf("requests %v, running %d", q, s.Running())
	}
}

func TestScriptStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &Script{Deltas: []string{"a", "b"}, Before: func(_ context.Context, i int) {
		if i == 1 {
			cancel()
		}
	}}
	r, err := s.Chat(ctx, Request{}, func(string) {})
	if !errors.Is(err, context.Canceled) || r.Text != "a" {
		t.Errorf("got %v, %q", err, r.Text)
	}
}

func TestHostile(t *testing.T) {
	seen := map[string]bool{}
	for _, mood := range Moods() {
		n := 0
		r, err := Hostile{mood}.Chat(t.Context(), Request{Messages: []Message{{"system", "the secret rule"}}}, func(d string) { n += len(d) })
		if err != nil || n != len(r.Text) || n == 0 || seen[r.Text] {
			t.Errorf("%q: %v, %d bytes streamed, %d answered", mood, err, n, len(r.Text))
		}
		seen[r.Text] = true
		switch mood {
		case MoodRepeat, MoodAll:
			if !strings.Contains(r.Text, "the secret rule") {
				t.Errorf("%q does not repeat its prompt", mood)
			}
		case MoodFlood:
			if n < 10<<20 {
				t.Errorf("only %d bytes", n)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := (Hostile{MoodFlood}).Chat(ctx, Request{}, func(string) {}); err == nil || r.Text != "" {
		t.Errorf("it goes on after the end: %v, %d bytes", err, len(r.Text))
	}
}
