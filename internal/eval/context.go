package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/prompt"
)

// The thresholds where a suite gives none, as promptfoo has them.
const (
	contextThreshold = 0.5
	similarThreshold = 0.75
)

// passages is what the answer was to stand on: vars.context, else the passages
// that were found.
func (s subject) passages() []string {
	if len(s.c.Context) > 0 {
		return s.c.Context
	}
	if s.out.Suggestion == nil {
		return nil
	}
	var out []string
	for _, h := range s.out.Suggestion.Hits {
		out = append(out, h.Text)
	}
	return out
}

// question is what was asked: vars.query, else the customer's last message, else
// the plain prompt.
func (s subject) question() string {
	if q := s.c.Vars["query"]; q != "" {
		return q
	}
	for i := len(s.c.Turns) - 1; i >= 0; i-- {
		if s.c.Turns[i].Role == assist.RoleCustomer {
			return s.c.Turns[i].Text
		}
	}
	return s.out.Asked
}

// contextRecall: how much of the true answer follows from what was found.
func contextRecall(ctx context.Context, a *Assertion, s subject) Grade {
	context := s.passages()
	if len(context) == 0 && s.out.Suggestion == nil && s.out.Asked != "" {
		context = []string{s.out.Asked} // as promptfoo has it: the passages stand in the prompt
	}
	if len(context) == 0 {
		return failed("no passage was found")
	}
	return sentences(ctx, a, s, prompt.Sentences{Context: strings.Join(context, "\n\n")}, cut(a.value()), "%d of %d sentences of the true answer follow from the passages")
}

// contextRelevance: how much of what was found the question needs.
func contextRelevance(ctx context.Context, a *Assertion, s subject) Grade {
	context := s.passages()
	if len(context) == 0 {
		return failed("no passage was found")
	}
	units := context
	if len(s.c.Context) == 1 { // found passages are cut already
		units = pieces(context[0])
	}
	return sentences(ctx, a, s, prompt.Sentences{Question: s.question()}, units, "%d of %d excerpts are needed")
}

// contextFaithfulness: how much of the answer follows from what was found.
func contextFaithfulness(ctx context.Context, a *Assertion, s subject) Grade {
	context := s.passages()
	switch {
	case s.out.Text == "":
		return failed("there is no answer to judge")
	case len(context) == 0:
		return failed("no passage was found")
	}
	return sentences(ctx, a, s, prompt.Sentences{Question: s.question(), Context: strings.Join(context, "\n\n")}, cut(s.out.Text), "%d of %d sentences follow from the passages")
}

func cut(text string) (out []string) {
	for _, span := range lex.Sentences(text) {
		out = append(out, span.In(text))
	}
	return out
}

var sentenceEnd = regexp.MustCompile(`[.!?]\s+`)

// pieces cuts a context as promptfoo does: by lines where there are several, else
// after sentences.
func pieces(text string) (out []string) {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	if len(lines) < 2 {
		lines = nil
		for text != "" {
			at := sentenceEnd.FindStringIndex(text)
			if at == nil {
				at = []int{len(text), len(text)}
			} else {
				at[0]++ // the stop belongs to the sentence
			}
			lines = append(lines, text[:at[0]])
			text = text[at[1]:]
		}
	}
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// maxSentences bounds what a judge is asked about at once: a longer list gets
// answers with holes.
const maxSentences = 40

// sentences asks the judge for one verdict per sentence; the share that holds is
// the score. A verdict that is missing is an error, never a yes.
func sentences(ctx context.Context, a *Assertion, s subject, data prompt.Sentences, list []string, format string) Grade {
	for _, text := range list {
		if text = strings.TrimSpace(text); text != "" {
			data.Sentences = append(data.Sentences, prompt.Sentence{Number: len(data.Sentences) + 1, Text: text})
		}
	}
	n := len(data.Sentences)
	if n == 0 {
		return failed("there is no sentence to judge")
	}
	if n > maxSentences {
		return Grade{Err: fmt.Errorf("there are %d sentences to judge; a judge is asked about %d at most", n, maxSentences)}
	}
	type verdicts struct {
		Verdicts []struct {
			Number int
			Reason string
			Holds  *bool
		}
	}
	check := func(v verdicts) error {
		seen := make([]bool, n)
		for _, one := range v.Verdicts {
			if one.Number < 1 || one.Number > n || seen[one.Number-1] || one.Holds == nil {
				return fmt.Errorf("the verdict number %d is not one of %d, or twice, or empty", one.Number, n)
			}
			seen[one.Number-1] = true
		}
		if len(v.Verdicts) != n {
			return fmt.Errorf("it has %d verdicts for %d sentences", len(v.Verdicts), n)
		}
		return nil
	}
	return graded(ctx, a, s, func(ctx context.Context, j asked) (opinion, error) {
		p, err := j.prompt("judge-sentences")
		if err != nil {
			return opinion{}, err
		}
		v, err := ask(ctx, j.model, p, data, check)
		if err != nil {
			return opinion{}, err
		}
		holds, first := 0, ""
		for _, one := range v.Verdicts {
			if *one.Holds {
				holds++
			} else if first == "" {
				first = fmt.Sprintf("; not %q: %s", clip(data.Sentences[one.Number-1].Text, 80), clip(one.Reason, 120))
			}
		}
		return a.scored(float64(holds)/float64(n), contextThreshold, format+"%s", holds, n, first), nil
	})
}

// factuality: the answer's facts beside an expert's. Only a contradiction fails.
func factuality(ctx context.Context, a *Assertion, s subject) Grade {
	if s.out.Text == "" {
		return failed("there is no answer to judge")
	}
	type relation struct{ Reason, Category string }
	check := func(r relation) error {
		switch r.Category {
		case "subset", "superset", "same", "contradiction", "immaterial":
			return nil
		}
		return fmt.Errorf("there is no category %q", r.Category)
	}
	return graded(ctx, a, s, func(ctx context.Context, j asked) (opinion, error) {
		p, err := j.prompt("judge-facts")
		if err != nil {
			return opinion{}, err
		}
		r, err := ask(ctx, j.model, p, prompt.Facts{Question: s.question(), Expert: a.value(), Reply: s.out.Text}, check)
		if err != nil {
			return opinion{}, err
		}
		o := opinion{pass: r.Category != "contradiction", reason: r.Category + ": " + clip(r.Reason, 200)}
		if o.pass {
			o.score = 1
		}
		return o, nil
	})
}

// answerRelevance: a judge writes the question that the answer answers, and it is
// held against the one that was asked.
func answerRelevance(ctx context.Context, a *Assertion, s subject) Grade {
	asking := s.question()
	switch {
	case s.out.Text == "":
		return failed("there is no answer to judge")
	case strings.TrimSpace(asking) == "":
		return Grade{Err: errors.New("nothing was asked: give vars.query")}
	}
	type question struct{ Question *string }
	check := func(q question) error {
		if q.Question == nil {
			return errors.New("it lacks question")
		}
		return nil
	}
	return graded(ctx, a, s, func(ctx context.Context, j asked) (opinion, error) {
		p, err := j.prompt("judge-question")
		if err != nil {
			return opinion{}, err
		}
		q, err := ask(ctx, j.model, p, prompt.Question{Reply: s.out.Text}, check)
		if err != nil {
			return opinion{}, err
		}
		if strings.TrimSpace(*q.Question) == "" {
			return a.scored(0, contextThreshold, "it answers no question"), nil
		}
		like, by, err := s.like(ctx, a, asking, *q.Question)
		if err != nil {
			return opinion{}, err
		}
		return a.scored(like, contextThreshold, "it answers %q, %.2f like what was asked, by %s", clip(*q.Question, 120), like, by), nil
	})
}

// similar: how like one of the values the answer is.
func similar(ctx context.Context, a *Assertion, s subject) Grade {
	if strings.TrimSpace(s.out.Text) == "" {
		return failed("there is no answer to compare")
	}
	best, by := math.Inf(-1), ""
	for _, v := range a.Values {
		like, name, err := s.like(ctx, a, v, s.out.Text)
		if err != nil {
			return Grade{Err: err}
		}
		if like > best {
			best, by = like, name
		}
	}
	threshold := similarThreshold
	if a.Threshold != nil {
		threshold = *a.Threshold
	}
	g := passIf(best >= threshold, "it is %.2f like it, by %s; %.2f is asked for", best, by, threshold)
	g.Score = min(max(best, 0), 1)
	return g
}

// like says how like two texts are, -1 to 1, and by what: the embedding model, or,
// where none is configured, the terms they share.
func (s subject) like(ctx context.Context, a *Assertion, x, y string) (cosine float64, by string, err error) {
	model, err := s.embed(orElse(a.Embedder, s.c.Embedder))
	if err != nil {
		return 0, "", fmt.Errorf("similarity: %w", err)
	}
	if model == nil {
		return lexicalCosine(x, y), "terms in common (no embedding model)", nil
	}
	v, err := model.Embed(ctx, []string{x, y})
	if err != nil {
		return 0, "", fmt.Errorf("similarity: %w", err)
	}
	var dot, xx, yy float64
	for i := range v[0] {
		p, q := float64(v[0][i]), float64(v[1][i])
		dot, xx, yy = dot+p*q, xx+p*p, yy+q*q
	}
	if xx == 0 || yy == 0 {
		return 0, "", fmt.Errorf("similarity: %s gave an empty vector", model.Name())
	}
	return dot / math.Sqrt(xx*yy), model.Name(), nil
}

// lexicalCosine is the cosine of two texts' counts of terms.
func lexicalCosine(x, y string) float64 {
	language := lex.Language(x)
	count := func(text string) (map[string]float64, float64) {
		terms, sum := map[string]float64{}, 0.0
		for _, t := range lex.Terms(text, language) {
			terms[t]++
		}
		for _, n := range terms {
			sum += n * n
		}
		return terms, sum
	}
	p, pp := count(x)
	q, qq := count(y)
	if pp == 0 || qq == 0 {
		return 0
	}
	dot := 0.0
	for t, n := range p {
		dot += n * q[t]
	}
	return dot / math.Sqrt(pp*qq)
}
