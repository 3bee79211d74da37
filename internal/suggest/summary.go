package suggest

import (
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/check"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/prompt"
)

// Summarizer writes the summary of a chat for the person who takes it over, so
// that the customer is asked nothing twice. Without a model, or when the model
// fails or says what the chat does not, the summary is made of the chat's own
// words.
type Summarizer struct {
	Model   llm.ChatModel // nil: the chat's own words
	Prompts *prompt.Set   // needed with a Model
	Rollout prompt.Rollout
	Logger  *slog.Logger // nil: silent
}

// Summary is a summary with what wrote it.
type Summary struct {
	Text   string // lines such as "Wants: …"
	Prompt *assist.PromptRef
	Model  string // "": the chat's own words
	Usage  assist.Usage
}

// Summarize gives the summary of a chat; reason is why it is handed over, in
// plain words, "" when nobody said. It waits for the model as long as ctx does,
// and never fails.
func (s Summarizer) Summarize(ctx context.Context, conversation string, turns []assist.Turn, reason string) Summary {
	if s.Model == nil || s.Prompts == nil || len(turns) == 0 {
		return Summary{Text: extract(turns)}
	}
	out, err := s.write(ctx, conversation, turns, reason)
	if err == nil {
		return out
	}
	if s.Logger != nil {
		s.Logger.Warn("summarise with model", "conversation", conversation, "model", s.Model.Name(), "error", err)
	}
	return Summary{Text: extract(turns), Usage: out.Usage}
}

func (s Summarizer) write(ctx context.Context, conversation string, turns []assist.Turn, reason string) (out Summary, err error) {
	m, mask := masked(assist.Moment{Turns: turns, Instruction: reason})
	p, err := s.Prompts.Get(s.Rollout.Pick("summary", conversation))
	if err != nil {
		return out, err
	}
	data := prompt.Summary{Language: "en", Reason: cut(m.Instruction, maxLine)}
	data.Turns, data.Omitted = promptTurns(m.Turns)
	r, err := p.Render(data)
	if err != nil {
		return out, err
	}
	answer, err := s.Model.Chat(ctx, llm.Request{
		Messages:   []llm.Message{{Role: "system", Content: r.System}, {Role: "user", Content: r.User}},
		SchemaName: "summary", Schema: r.Schema, MaxTokens: r.Params.MaxTokens, Temperature: r.Params.Temperature, Key: conversation,
	}, func(string) {})
	out.Usage = assist.Usage{Prompt: answer.Prompt, Completion: answer.Completion}
	if err != nil {
		return out, err
	}
	var said struct{ Wants, Known, Tried, Open string }
	from, to := strings.IndexByte(answer.Text, '{'), strings.LastIndexByte(answer.Text, '}')
	if from < 0 || to < from {
		return out, malformed("it holds no object")
	}
	if err := json.Unmarshal([]byte(answer.Text[from:to+1]), &said); err != nil {
		return out, malformed("%v", err)
	}
	if strings.TrimSpace(said.Wants) == "" {
		return out, malformed("it does not say what the customer wants")
	}
	text := mask.Restore(lines("Wants", said.Wants, "Known", said.Known, "So far", said.Tried, "Next", said.Open))
	// What a chat does not hold, its summary may not: nobody could find out where
	// the amount or the link came from.
	d := assist.NewDraft(assist.OriginModel, []assist.Sentence{{Text: text}})
	for _, v := range slices.Concat(check.Promises(d, nil, turns), check.Links(d, nil, turns)) {
		return out, malformed("the chat does not hold what it says: %s", v.Check)
	}
	out.Text, out.Model = text, s.Model.Name()
	out.Prompt = &assist.PromptRef{Name: r.Name, Version: r.Version, Text: r.System + "\n\n" + r.User}
	return out, nil
}

// lines writes label and text by turns, one a line, without those that are empty.
func lines(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if text := strings.Join(strings.Fields(pairs[i+1]), " "); text != "" {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(pairs[i] + ": " + cut(text, maxLine))
		}
	}
	return b.String()
}

// number finds what identifies an order, a parcel or a customer.
var number = regexp.MustCompile(`\b[A-Z]{1,4}-?[0-9][0-9A-Z-]{3,}\b|#[0-9]{3,}\b`)

// extract makes a summary of a chat's own words: what the customer came with and
// wrote last, the numbers they gave, and what was done and said.
func extract(turns []assist.Turn) string {
	var first, last, told string
	var known, done []string
	for _, t := range turns {
		text := strings.TrimSpace(t.Text)
		switch {
		case t.Action != nil:
			done = append(done, strings.TrimSpace(t.Action.Name+" "+strings.Join(t.Action.Values, " ")))
		case t.Role == assist.RoleCustomer:
			if len(strings.Fields(first)) < 4 {
				first = text // a greeting says nothing yet
			}
			last = text
			for _, n := range number.FindAllString(text, -1) {
				if !slices.Contains(known, n) {
					known = append(known, n)
				}
			}
		case t.Role == assist.RoleAgent || t.Role == assist.RoleBot:
			told = text
		}
	}
	quote := func(s string) string {
		if s == "" {
			return ""
		}
		return "“" + cut(strings.Join(strings.Fields(s), " "), 200) + "”"
	}
	if last == first {
		last = ""
	}
	return lines("Wants", quote(first), "Last wrote", quote(last), "Known", strings.Join(known, ", "),
		"Done", strings.Join(done, ", "), "Last told", quote(told))
}
