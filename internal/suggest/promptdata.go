package suggest

import (
	"strings"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/playbook"
	"github.com/aside-project/aside/internal/prompt"
)

// How much of a chat and of the knowledge a model is told, in characters: about
// four to a token.
const (
	maxPromptTurns   = 40
	maxPromptChat    = 12000
	maxPromptTurn    = 4000
	maxPromptPassage = 4000
)

// promptData numbers the passages 1…n, as the prompt's only names for them, and
// keeps the end of a long chat.
func promptData(m assist.Moment, q assist.Question, hits []assist.Hit, steps []assist.NextStep, options []assist.Option) prompt.Reply {
	data := prompt.Reply{
		Language: q.Language, Customer: firstName(m.Turns), Agent: cut(m.Agent.Name, 80), Instruction: m.Instruction,
	}
	if data.Language == "" {
		data.Language = "en"
	}
	for i, h := range hits {
		title := h.Title
		if h.Heading != "" && !strings.HasPrefix(h.Heading, h.Title) {
			title += " › " + h.Heading
		} else if h.Heading != "" {
			title = h.Heading
		}
		data.Passages = append(data.Passages, prompt.Passage{
			Number: i + 1, Title: cut(title, 200), Internal: h.Audience != assist.AudiencePublic, Text: cut(h.Text, maxPromptPassage),
		})
	}
	for _, s := range steps {
		data.Steps = append(data.Steps, prompt.Step{Text: cut(s.Text, 600), Kind: string(s.Kind), State: string(s.State), Current: s.Current})
	}
	for _, o := range options {
		data.Options = append(data.Options, prompt.Option{Title: cut(o.Title, 200), Detail: cut(o.Detail, 400), Cost: cut(o.Cost, 80), Lead: o.Authority == playbook.Lead})
	}
	data.Turns, data.Omitted = promptTurns(m.Turns)
	return data
}

// promptTurns gives the turns to tell, oldest first, and how many older ones are
// left out. The last turn is always told.
func promptTurns(turns []assist.Turn) (told []prompt.Turn, omitted int) {
	size, from := 0, len(turns)
	for from > 0 && len(turns)-from < maxPromptTurns {
		text := turnText(turns[from-1])
		if n := utf8.RuneCountInString(text); size > 0 && size+n > maxPromptChat {
			break
		} else {
			size += n
		}
		from--
	}
	for _, t := range turns[from:] {
		if text := turnText(t); text != "" {
			told = append(told, prompt.Turn{Who: who(t), Text: text})
		}
	}
	return told, from
}

func turnText(t assist.Turn) string {
	if t.Action != nil {
		text := t.Action.Name
		if len(t.Action.Values) > 0 {
			text += ": " + strings.Join(t.Action.Values, ", ")
		}
		return cut(text, maxPromptTurn)
	}
	return cut(strings.TrimSpace(t.Text), maxPromptTurn)
}

func who(t assist.Turn) string {
	switch {
	case t.Action != nil:
		return "Done by the agent in another system"
	case t.Role == assist.RoleCustomer:
		return "Customer"
	case t.Role == assist.RoleAgent:
		return "Agent"
	case t.Role == assist.RoleBot:
		return "Bot"
	}
	return "Note"
}

// cut keeps the first characters of a text.
func cut(s string, limit int) string {
	n := 0
	for i := range s {
		if n == limit {
			return s[:i] + " …"
		}
		n++
	}
	return s
}
