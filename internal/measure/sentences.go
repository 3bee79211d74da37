package measure

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/suggest"
)

// SentenceReport says how well the instant draft picks the sentences that answer,
// held against what a person marked in the page or, where nobody did, against
// what the human agent then said. Words are content words.
type SentenceReport struct {
	Queries   int     `json:"queries"`
	Drafted   int     `json:"drafted"`   // questions whose draft says something of a page
	Precision float64 `json:"precision"` // of the draft's words, those in the gold text; mean over all questions
	Recall    float64 `json:"recall"`    // of the gold text's words, those in the draft
	F1        float64 `json:"f1"`
	Right     float64 `json:"right"` // share of questions with a sentence of which most words are in the gold text
	Words     float64 `json:"words"` // of passages, a draft, in the mean over those drafted
}

// Golden is a question and what answers it.
type Golden struct {
	Query
	Metadata struct {
		Grounding string `json:"grounding"` // what a person marked in the page
		Response  string `json:"response"`  // what the agent said next
	} `json:"metadata"`
}

func (g Golden) text() string {
	if g.Metadata.Grounding != "" {
		return g.Metadata.Grounding
	}
	return g.Metadata.Response
}

// ReadGolden reads the questions of a queries file that have a gold text.
func ReadGolden(file string) ([]Golden, error) {
	var out []Golden
	err := readLines(file, func(_ int, g Golden) error {
		if g.text() != "" && (g.Answerable == nil || *g.Answerable) {
			out = append(out, g)
		}
		return nil
	})
	return out, err
}

// Sentences drafts an answer to every question. With onlyRight the search finds
// nothing but the right passages, so that the choice of sentences is measured and
// not the search; questions whose right passages are not found at all are left
// out.
func Sentences(ctx context.Context, index retrieve.Index, queries []Golden, right Qrels, onlyRight bool) (SentenceReport, error) {
	retriever := retrieve.New(index, nil, retrieve.Options{})
	reports := make([]SentenceReport, len(queries))
	err := each(ctx, len(queries), func(ctx context.Context, i int) error {
		q := queries[i]
		k := &onlyPassages{retriever: retriever, index: index}
		if onlyRight {
			k.ids = right[q.ID]
		}
		m := assist.Moment{SuggestionID: "s", Conversation: q.ID, Turns: q.Turns(), Audience: assist.AudienceInternal}
		s := suggest.New(suggest.Options{Knowledge: k}).Run(ctx, m, deaf{})
		if onlyRight && k.found == 0 {
			return nil
		}
		if s.State == assist.SuggestionFailed {
			return fmt.Errorf("query %s: %s", q.ID, s.Reason)
		}
		reports[i] = sentencesOf(s, q.text())
		return nil
	})
	var sum SentenceReport
	for _, r := range reports {
		sum.Queries += r.Queries
		sum.Drafted += r.Drafted
		sum.Precision += r.Precision
		sum.Recall += r.Recall
		sum.F1 += r.F1
		sum.Right += r.Right
		sum.Words += r.Words
	}
	n := max(float64(sum.Queries), 1)
	sum.Precision, sum.Recall, sum.F1, sum.Right = round(sum.Precision/n), round(sum.Recall/n), round(sum.F1/n), round(sum.Right/n)
	sum.Words = round(sum.Words / max(float64(sum.Drafted), 1))
	return sum, err
}

// sentencesOf compares what one draft says of passages with the gold text.
func sentencesOf(s assist.Suggestion, gold string) SentenceReport {
	r := SentenceReport{Queries: 1}
	want := lex.Terms(gold, "en")
	if s.Instant == nil {
		return r
	}
	var got []string
	for _, sentence := range s.Instant.Sentences {
		if len(sentence.Citations) == 0 {
			continue
		}
		terms := lex.Terms(sentence.Text, "en")
		got = append(got, terms...)
		if 2*common(terms, want) > len(terms) {
			r.Right = 1
		}
	}
	if len(got) == 0 {
		return r
	}
	both := float64(common(got, want))
	r.Drafted, r.Words = 1, float64(len(got))
	r.Precision, r.Recall = both/float64(len(got)), both/float64(max(len(want), 1))
	if both > 0 {
		r.F1 = 2 * r.Precision * r.Recall / (r.Precision + r.Recall)
	}
	return r
}

// common counts the words of a that are in b, each as often as it is in both.
func common(a, b []string) int {
	left := map[string]int{}
	for _, t := range b {
		left[t]++
	}
	n := 0
	for _, t := range a {
		if left[t] > 0 {
			left[t]--
			n++
		}
	}
	return n
}

// Pages puts the passages of a corpus together to the pages they were cut from,
// for whoever may read everything to speak from.
func Pages(corpus []assist.Document) []assist.Document {
	at := map[string]int{}
	var pages []assist.Document
	for _, d := range corpus {
		id := cmp.Or(d.Path, d.ID)
		i, known := at[id]
		if !known {
			i = len(pages)
			at[id] = i
			title, _, _ := strings.Cut(d.Title, " | ")
			pages = append(pages, assist.Document{ID: id, Title: title, Kind: assist.KindFAQ, Audience: assist.AudiencePublic, Language: d.Language, Path: d.Path})
		}
		for _, p := range d.Passages {
			p.DocumentID, p.Heading = id, strings.ReplaceAll(d.Title, " | ", " › ")
			pages[i].Passages = append(pages[i].Passages, p)
		}
	}
	return pages
}

// onlyPassages is a knowledge that finds certain passages only; without ids all.
type onlyPassages struct {
	retriever *retrieve.Retriever
	index     retrieve.Index
	ids       map[string]bool
	found     int
}

func (k *onlyPassages) Search(ctx context.Context, scope retrieve.Scope, q assist.Question) (retrieve.Result, error) {
	if k.ids != nil {
		scope.K = 100
	}
	res, err := k.retriever.Search(ctx, scope, q)
	if err != nil || k.ids == nil {
		return res, err
	}
	res.Hits = slices.DeleteFunc(res.Hits, func(h assist.Hit) bool { return !k.ids[h.ID] })
	res.Weak = false
	k.found += len(res.Hits)
	return res, nil
}

func (k *onlyPassages) Document(ctx context.Context, scope retrieve.Scope, id string) (*assist.Document, error) {
	return k.index.Document(ctx, scope, id)
}

// deaf is a watcher that does not listen.
type deaf struct{}

func (deaf) Passages(assist.Suggestion) {}
func (deaf) Instant(assist.Suggestion)  {}
func (deaf) Delta(string)               {}
