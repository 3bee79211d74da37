package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/bot"
	"github.com/aside-project/aside/internal/llm"
)

// Output is what came out of a case, to be graded.
type Output struct {
	Text       string             // the draft's text; "" when there is none
	Asked      string             // what a plain prompt asked, filled in; "" for ours
	Suggestion *assist.Suggestion // nil for a plain prompt
	Latency    time.Duration
	Tokens     assist.Usage
	Cost       float64 // in dollars, by the prices given; 0 when none are
	Priced     bool
	Bot        *bot.Decision // of the customer's bot; nil for a draft that an agent reads
}

// subject is everything a grader may look at.
type subject struct {
	c     Case
	out   Output
	know  *Knowledge
	guide *guide // nil where nobody follows procedures
	judge func(ctx context.Context, id string, repeat int) (asked, error)
	embed func(id string) (llm.Embedder, error) // by a provider's id, "" the configured one; nil: there is none
}

// Grade is what one assertion says of an answer.
type Grade struct {
	Pass   bool
	Score  float64 // 0..1
	Reason string
	Err    error // it could not be said: neither pass nor fail
}

// kind is one sort of assertion.
type kind struct {
	valid func(*Assertion) error // nil: whatever value
	grade func(context.Context, *Assertion, subject) Grade
}

// unsupported says why a kind that promptfoo has is not here.
var unsupported = map[string]string{
	"javascript": "suites hold no code", "python": "suites hold no code", "ruby": "suites hold no code",
	"webhook": "nothing is called but the model", "similar:dot": "use similar, which is by cosine", "similar:euclidean": "use similar, which is by cosine",
	"g-eval": "use llm-rubric", "model-graded-closedqa": "use llm-rubric",
	"is-sql": "there is no reader of SQL here", "contains-sql": "there is no reader of SQL here",
	"finish-reason": "a cut answer is an error of the case already", "classifier": "it calls another host",
	"is-valid-function-call": "no functions are called", "is-valid-openai-function-call": "no functions are called", "is-valid-openai-tools-call": "no tools are called",
	"bleu": "use rouge-n", "gleu": "use rouge-n", "meteor": "use rouge-n",
	"perplexity": "servers of our kind do not give it", "moderation": "it calls another host",
	"select-best": "use `aside eval compare`", "human": "use `aside eval compare`",
}

// aliases are promptfoo's other names of a kind.
var aliases = map[string]string{"similar:cosine": "similar", "model-graded-factuality": "factuality"}

// Kinds lists the assertions there are.
func Kinds() []string { return sortedKeys(kinds()) }

func kinds() map[string]kind {
	return map[string]kind{
		"equals":        {needEqual, func(_ context.Context, a *Assertion, s subject) Grade { return equals(a, s.out.Text) }},
		"contains":      {needText, contains(false, true)},
		"icontains":     {needText, contains(true, true)},
		"contains-all":  {needTexts, contains(false, true)},
		"icontains-all": {needTexts, contains(true, true)},
		"contains-any":  {needTexts, contains(false, false)},
		"icontains-any": {needTexts, contains(true, false)},
		"starts-with": {needText, text(func(a *Assertion, t string) Grade {
			return passIf(strings.HasPrefix(t, a.value()), "it begins with %q", clip(t, 40))
		})},
		"regex": {needRegexp, text(func(a *Assertion, t string) Grade {
			re := regexp.MustCompile(a.value())
			if m := re.FindString(t); m != "" || re.MatchString(t) {
				return passed("%q matches", clip(m, 60))
			}
			return failed("nothing matches %s", a.value())
		})},
		"is-json":       {needSchema, text(func(a *Assertion, t string) Grade { return isJSON(a, t) })},
		"contains-json": {needSchema, text(containsJSON)},
		"is-xml":        {needElements, text(isXML)},
		"contains-xml":  {needElements, text(containsXML)},
		"is-html":       {needNothing, text(isHTML)},
		"contains-html": {needNothing, text(containsHTML)},
		"word-count":    {needNumber, text(wordCount)},
		"levenshtein":   {needText, text(levenshtein)},
		"latency":       {needThreshold, latency},
		"cost":          {needThreshold, cost},
		"rouge-n":       {needText, text(rouge)},
		"similar":       {needTexts, similar},
		"llm-rubric":    {needText, rubric},

		"factuality":           {needText, factuality},
		"answer-relevance":     {needNothing, answerRelevance},
		"context-recall":       {needText, contextRecall},
		"context-relevance":    {needNothing, contextRelevance},
		"context-faithfulness": {needNothing, contextFaithfulness},

		"assert-set": {needSet, nil},

		"cites":         {needTexts, aside(cites)},
		"retrieves":     {needTexts, aside(retrieves)},
		"grounded":      {needNothing, aside(grounded)},
		"promises-kept": {needNothing, aside(promisesKept)},
		"next-step":     {needTexts, aside(nextStep)},
		"abstains":      {needNothing, aside(abstains)},
		"hands-over":    {nil, aside(handsOver)},
		"no-internal":   {nil, aside(noInternal)},
		"no-link":       {needNothing, noLink},
		"tone":          {needNothing, text(tone)},
		"options":       {needNumber, aside(options)},
		"offers":        {needTexts, aside(offers)},
		"authority":     {needNothing, aside(authority)},
		"superseded":    {needTexts, aside(superseded)},
		"language":      {needText, text(language)},
		"acknowledges":  {needTexts, aside(acknowledges)},
		"state":         {needTexts, aside(state)},
	}
}

// Grade says what an assertion holds of an answer. A not- turns pass and fail
// round, never an error.
func (a *Assertion) grade(ctx context.Context, s subject) Grade {
	g := kinds()[a.Type].grade(ctx, a, s)
	if a.Not && g.Err == nil {
		g.Pass, g.Score = !g.Pass, 1-g.Score
	}
	return g
}

func passed(format string, args ...any) Grade {
	return Grade{Pass: true, Score: 1, Reason: fmt.Sprintf(format, args...)}
}

func failed(format string, args ...any) Grade { return Grade{Reason: fmt.Sprintf(format, args...)} }

func passIf(ok bool, format string, args ...any) Grade {
	if ok {
		return passed(format, args...)
	}
	return failed(format, args...)
}

// text makes a grader of one that looks at the words only.
func text(f func(*Assertion, string) Grade) func(context.Context, *Assertion, subject) Grade {
	return func(_ context.Context, a *Assertion, s subject) Grade { return f(a, s.out.Text) }
}

// aside makes a grader of one that needs a suggestion.
func aside(f func(*Assertion, subject) Grade) func(context.Context, *Assertion, subject) Grade {
	return func(_ context.Context, a *Assertion, s subject) Grade {
		if s.out.Suggestion == nil {
			return Grade{Err: errors.New("it is about suggestions, and this is the answer to a plain prompt")}
		}
		return f(a, s)
	}
}

func needNothing(a *Assertion) error {
	if len(a.Values) > 0 && a.Values[0] != "" && a.Values[0] != "true" {
		return fmt.Errorf("it takes no value")
	}
	return nil
}

func needText(a *Assertion) error {
	if len(a.Values) != 1 || a.Values[0] == "" {
		return fmt.Errorf("it needs a value, one text")
	}
	return nil
}

// needEqual takes a text, or a mapping that the answer must be as JSON.
func needEqual(a *Assertion) error {
	if a.Schema != "" {
		a.Values = []string{a.Schema}
	}
	return needText(a)
}

func needTexts(a *Assertion) error {
	if len(a.Values) == 1 && strings.HasPrefix(a.Type, "contains-") || len(a.Values) == 1 && strings.HasPrefix(a.Type, "icontains-") {
		parts := strings.Split(a.Values[0], ",") // "a, b" as in promptfoo
		a.Values = nil
		for _, p := range parts {
			a.Values = append(a.Values, strings.TrimSpace(p))
		}
	}
	if len(a.Values) == 0 || slices.Contains(a.Values, "") {
		return fmt.Errorf("it needs a value: a text or a list of texts")
	}
	return nil
}

func needRegexp(a *Assertion) error {
	if err := needText(a); err != nil {
		return err
	}
	if _, err := regexp.Compile(a.value()); err != nil {
		return fmt.Errorf("the pattern is not one that Go reads: %w", err)
	}
	return nil
}

func needNumber(a *Assertion) error {
	if a.Schema != "" && a.Type == "word-count" {
		var r wordRange
		if err := json.Unmarshal([]byte(a.Schema), &r); err != nil {
			return fmt.Errorf("value must be a number or {min, max}: %w", err)
		}
		return nil
	}
	if _, err := strconv.Atoi(a.value()); err != nil {
		return fmt.Errorf("its value must be a whole number, not %q", a.value())
	}
	return nil
}

func needThreshold(a *Assertion) error {
	if a.Threshold == nil {
		return fmt.Errorf("it needs a threshold")
	}
	return nil
}

func needSchema(a *Assertion) error {
	if len(a.Values) > 0 && a.Schema == "" && a.Values[0] != "" {
		a.Schema = a.Values[0]
	}
	if a.Schema == "" {
		return nil
	}
	_, err := schema(a.Schema)
	return err
}

func needSet(a *Assertion) error {
	if len(a.Set) == 0 {
		return fmt.Errorf("it needs assert, a list of assertions")
	}
	if a.Not {
		return fmt.Errorf("a set cannot be turned round; turn its assertions")
	}
	return nil
}

func equals(a *Assertion, t string) Grade {
	var want, got any
	if json.Unmarshal([]byte(a.value()), &want) == nil && json.Unmarshal([]byte(t), &got) == nil {
		w, _ := json.Marshal(want)
		g, _ := json.Marshal(got)
		return passIf(string(w) == string(g), "it is %s", clip(t, 80))
	}
	return passIf(t == a.value(), "it is %q", clip(t, 80))
}

func contains(fold, all bool) func(context.Context, *Assertion, subject) Grade {
	return text(func(a *Assertion, t string) Grade {
		if fold {
			t = strings.ToLower(t)
		}
		var found, missing []string
		for _, v := range a.Values {
			low := v
			if fold {
				low = strings.ToLower(v)
			}
			if strings.Contains(t, low) {
				found = append(found, v)
			} else {
				missing = append(missing, v)
			}
		}
		switch {
		case all && len(missing) == 0, !all && len(found) > 0:
			return passed("%q stands there", found)
		case all:
			g := failed("%q is missing", missing)
			g.Score = float64(len(found)) / float64(len(a.Values))
			return g
		}
		return failed("none of %q stands there", missing)
	})
}

func schema(text string) (*jsonschema.Resolved, error) {
	var s jsonschema.Schema
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("its value must be a JSON schema: %w", err)
	}
	return s.Resolve(nil)
}

func isJSON(a *Assertion, t string) Grade {
	var v any
	if err := json.Unmarshal([]byte(strings.TrimSpace(t)), &v); err != nil {
		return failed("it is not JSON: %v", err)
	}
	if a.Schema == "" {
		return passed("it is JSON")
	}
	s, err := schema(a.Schema)
	if err != nil {
		return Grade{Err: err}
	}
	if err := s.Validate(v); err != nil {
		return failed("it does not fit the schema: %v", err)
	}
	return passed("it fits the schema")
}

func containsJSON(a *Assertion, t string) Grade {
	for i, r := range t {
		if r != '{' && r != '[' {
			continue
		}
		var raw json.RawMessage
		if json.NewDecoder(strings.NewReader(t[i:])).Decode(&raw) == nil {
			if g := isJSON(a, string(raw)); g.Pass || g.Err != nil {
				return g
			}
		}
	}
	return failed("there is no JSON in it that fits")
}

type wordRange struct{ Min, Max *int }

func wordCount(a *Assertion, t string) Grade {
	n := len(strings.Fields(t))
	var r wordRange
	if a.Schema != "" {
		if err := json.Unmarshal([]byte(a.Schema), &r); err != nil {
			return Grade{Err: err}
		}
	} else if want, err := strconv.Atoi(a.value()); err == nil {
		r = wordRange{&want, &want}
	}
	return passIf((r.Min == nil || n >= *r.Min) && (r.Max == nil || n <= *r.Max), "it has %d words", n)
}

func levenshtein(a *Assertion, t string) Grade {
	limit := 5.0
	if a.Threshold != nil {
		limit = *a.Threshold
	}
	x, y := []rune(a.value()), []rune(t)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		last := row[0]
		row[0]++
		for j := range y {
			change := last
			if x[i] != y[j] {
				change++
			}
			last = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	d := row[len(y)]
	return passIf(float64(d) <= limit, "%d characters differ", d)
}

func latency(_ context.Context, a *Assertion, s subject) Grade {
	ms := float64(s.out.Latency.Microseconds()) / 1000
	return passIf(ms <= *a.Threshold, "it took %.0f ms", ms)
}

func cost(_ context.Context, a *Assertion, s subject) Grade {
	if !s.out.Priced {
		if s.out.Tokens.Prompt == 0 && s.out.Tokens.Completion == 0 {
			return passed("no model was called")
		}
		return Grade{Err: errors.New("the price is not known: give --price IN,OUT (dollars per million tokens)")}
	}
	return passIf(s.out.Cost <= *a.Threshold, "it cost $%.5f", s.out.Cost)
}
