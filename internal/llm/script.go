package llm

import (
	"context"
	"strings"
	"sync"
)

// Script is a ChatModel that says what it was told to say. It is for tests and
// for trying things without a model. The zero value answers nothing.
type Script struct {
	Deltas []string                 // the answer, piece by piece
	Answer func(r Request) []string // used instead of Deltas when set
	Err    error                    // how the call ends; nil: a finish reason came
	Format Format                   // "": json_schema
	Label  string                   // the model's name; "": script

	// Before, if set, is called before piece i is given out; i is the number of
	// pieces before the call ends. It may wait, and must return when ctx ends.
	Before func(ctx context.Context, i int)

	mu       sync.Mutex
	requests []Request
	ended    int
}

// Name is the script's label.
func (s *Script) Name() string {
	if s.Label == "" {
		return "script"
	}
	return s.Label
}

// Chat gives the pieces out in order, then ends as the script says. It stops as
// soon as ctx does.
func (s *Script) Chat(ctx context.Context, r Request, delta func(string)) (Response, error) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.ended++
		s.mu.Unlock()
	}()
	pieces := s.Deltas
	if s.Answer != nil {
		pieces = s.Answer(r)
	}
	var text strings.Builder
	response := func() Response {
		f := s.Format
		if f == "" {
			f = FormatSchema
		}
		prompt := 0
		for _, m := range r.Messages {
			prompt += len(m.Content) / 4
		}
		return Response{Text: text.String(), Model: s.Name(), Format: f, Prompt: prompt, Completion: text.Len() / 4}
	}
	for i := 0; i <= len(pieces); i++ {
		if s.Before != nil {
			s.Before(ctx, i)
		}
		if err := ctx.Err(); err != nil {
			return response(), err
		}
		if i < len(pieces) {
			text.WriteString(pieces[i])
			delta(pieces[i])
		}
	}
	return response(), s.Err
}

// Requests gives what was asked so far, oldest first.
func (s *Script) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Running says how many calls have begun and not ended.
func (s *Script) Running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests) - s.ended
}
