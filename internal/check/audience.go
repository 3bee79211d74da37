package check

import (
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// runLength is how many words in a row make a quotation of an internal passage.
const runLength = 8

// Audience finds runs of words that stand in an internal passage and nowhere the
// customer could have read them. What an internal passage allows may be said;
// its wording stays inside.
func Audience(draft assist.Draft, hits []assist.Hit, turns []assist.Turn) []assist.Verdict {
	inside := newRuns(hits, turns)
	if len(inside.of) == 0 {
		return nil
	}
	return internalRuns(draft.Text, -1, 0, inside).in(draft)
}

type runVerdicts []assist.Verdict

// in gives each verdict the sentence that it begins in.
func (vs runVerdicts) in(d assist.Draft) []assist.Verdict {
	at := starts(d)
	for i := range vs {
		for n, s := range at {
			if vs[i].Start >= s {
				vs[i].Sentence = n
			}
		}
	}
	return vs
}

type runs struct {
	seed maphash.Seed
	of   map[uint64]*assist.Hit
}

func newRuns(hits []assist.Hit, turns []assist.Turn) runs {
	r := runs{seed: maphash.MakeSeed(), of: map[uint64]*assist.Hit{}}
	for i := range hits {
		if hits[i].Audience != assist.AudiencePublic {
			r.each(hits[i].Text, func(hash uint64, _ int, _ int) { r.of[hash] = &hits[i] })
		}
	}
	if len(r.of) == 0 {
		return r
	}
	forget := func(hash uint64, _ int, _ int) { delete(r.of, hash) }
	for _, h := range hits {
		if h.Audience == assist.AudiencePublic {
			r.each(h.Text, forget)
		}
	}
	for _, t := range turns {
		if t.Role != assist.RoleSystem {
			r.each(t.Text, forget)
		}
	}
	return r
}

// each gives every run of words of a text by its hash and byte range.
func (r runs) each(text string, f func(hash uint64, start, end int)) {
	words := lex.Words(text)
	if len(words) < runLength {
		return
	}
	var h maphash.Hash
	h.SetSeed(r.seed)
	low := make([]string, len(words))
	for i, w := range words {
		low[i] = strings.ToLower(w.In(text))
	}
	for i := 0; i+runLength <= len(words); i++ {
		h.Reset()
		for _, w := range low[i : i+runLength] {
			h.WriteString(w)
			h.WriteByte(0)
		}
		f(h.Sum64(), words[i].Start, words[i+runLength-1].End)
	}
}

func internalRuns(text string, sentence, offset int, inside runs) runVerdicts {
	if len(inside.of) == 0 {
		return nil
	}
	var verdicts runVerdicts
	inside.each(text, func(hash uint64, start, end int) {
		h := inside.of[hash]
		if h == nil {
			return
		}
		if n := len(verdicts); n > 0 && offset+start <= verdicts[n-1].End { // goes on
			last := &verdicts[n-1]
			last.End = offset + end
			last.Words = text[last.Start-offset : end]
			return
		}
		verdicts = append(verdicts, assist.Verdict{
			Check: checkAudience, Outcome: assist.Warn, Sentence: sentence,
			Words: text[start:end], Start: offset + start, End: offset + end,
			Reason: fmt.Sprintf("These words stand in %s, which is internal: say it in your own words.", name(h)),
		})
	})
	return verdicts
}
