package replay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
)

const maxLine = 16 << 20 // bytes of a conversation in the file

// script is one conversation to play.
type script struct {
	conversation string
	turns        []turn
}

// key is what the server tells a repeat by.
func (t turn) key() string { return assist.NewTurn{ExternalID: t.external}.Key() }

// turn is one turn.add.
type turn struct {
	id       string // of the frame
	external string
	customer bool
	text     string
	data     json.RawMessage
}

type turnData struct {
	Role       assist.Role    `json:"role"`
	Text       string         `json:"text"`
	ExternalID string         `json:"external_id"`
	Action     *assist.Action `json:"action,omitempty"`
}

// parse reads one line of a conversations file. What the server would refuse
// (empty turns, texts that are too long) is left out or cut, with a note.
func parse(line []byte, run string) (script, []string, error) {
	var c struct {
		ID    string `json:"_id"`
		Turns []struct {
			Role   string          `json:"role"`
			Text   string          `json:"text"`
			Action json.RawMessage `json:"action"`
		} `json:"turns"`
	}
	if err := json.Unmarshal(line, &c); err != nil {
		return script{}, nil, fmt.Errorf("not a conversation in JSON, one per line: %w", err)
	}
	if c.ID == "" {
		return script{}, nil, errors.New(`the conversation has no "_id"`)
	}
	s := script{conversation: conversationID(run, c.ID)}
	var notes []string
	for i, t := range c.Turns {
		note := func(what string) { notes = append(notes, fmt.Sprintf("turn %d %s", i+1, what)) }
		text, cut := clip(t.Text, assist.MaxText)
		if cut {
			note(fmt.Sprintf("is cut to %d characters", assist.MaxText))
		}
		d := turnData{Role: assist.Role(t.Role), Text: text, ExternalID: fmt.Sprintf("%s-%d", s.conversation, i+1)}
		if t.Role == "action" {
			d.Role = assist.RoleAgent
			a, err := action(t.Action)
			if err != nil {
				return script{}, nil, fmt.Errorf("turn %d: %w", i+1, err)
			}
			d.Action = a
		}
		switch {
		case !d.Role.Valid():
			return script{}, nil, fmt.Errorf("turn %d has role %q: it must be customer, agent or action", i+1, t.Role)
		case d.Action == nil && strings.TrimSpace(text) == "":
			note("is left out: it is empty")
			continue
		}
		data, err := json.Marshal(d)
		if err != nil {
			return script{}, nil, fmt.Errorf("turn %d: %w", i+1, err)
		}
		s.turns = append(s.turns, turn{id: fmt.Sprintf("t%d", i+1), external: d.ExternalID, customer: d.Role == assist.RoleCustomer, text: text, data: data})
	}
	return s, notes, nil
}

// conversationID is the same for the same run and id, always. One that is too
// long ends in its hash.
func conversationID(run, id string) string {
	const longest = assist.MaxID - 16 // room for a turn's number
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(run+"-"+id, "_"))
	if len(s) <= longest {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(s[:longest-17], "") + "-" + hex.EncodeToString(sum[:8])
}

// action reads {"name", "values"}. Recordings hold values as a list, an object,
// a single value or null, and not only strings.
func action(raw json.RawMessage) (*assist.Action, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil //nolint:nilnil // no action is an answer
	}
	var a struct {
		Name   string          `json:"name"`
		Values json.RawMessage `json:"values"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, fmt.Errorf("action is not an object with a name: %w", err)
	}
	name := strings.TrimSpace(strings.ToValidUTF8(a.Name[:min(len(a.Name), assist.MaxID)], ""))
	if name == "" {
		return nil, nil //nolint:nilnil // a nameless action says nothing
	}
	out := &assist.Action{Name: name}
	var list []json.RawMessage
	var object map[string]json.RawMessage
	switch {
	case len(a.Values) == 0 || string(a.Values) == "null":
	case json.Unmarshal(a.Values, &list) == nil:
		for _, v := range list {
			out.Values = append(out.Values, plain(v))
		}
	case json.Unmarshal(a.Values, &object) == nil:
		for k, v := range object {
			if value := plain(v); value != "" {
				out.Values = append(out.Values, k+": "+value)
			}
		}
		slices.Sort(out.Values)
	default:
		out.Values = []string{plain(a.Values)}
	}
	out.Values = slices.DeleteFunc(out.Values, func(s string) bool { return strings.TrimSpace(s) == "" })
	out.Values = out.Values[:min(len(out.Values), assist.MaxActions)]
	for i, v := range out.Values {
		out.Values[i], _ = clip(v, assist.MaxActValue)
	}
	return out, nil
}

// plain is a string as it is, nothing for null, and JSON for all else.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// clip cuts s to n characters and drops NULs, which no server takes.
func clip(s string, n int) (string, bool) {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "")
	if utf8.RuneCountInString(s) <= n {
		return s, false
	}
	return string([]rune(s)[:n-1]) + "…", true
}
