// Package check looks at text for a customer and says what in it is not proven:
// pure functions from draft, passages and transcript to verdicts, one file per
// check. Nothing here believes what a model says about itself.
//
//	citations   the quote stands in the passage, word for word     citations.go
//	supported   each sentence is carried by what it cites          supported.go
//	promises    amounts, dates, durations, commitments have a source   promises.go
//	links       only links that stand in the knowledge or the chat   links.go
//	audience    no words, facts or codes that only an internal passage has   audience.go
//	authority   no gesture beyond what this agent may give          authority.go
//	tone        hints on wording; they never block                  tone.go
//
// A verdict names the words and the reason in one plain sentence. An agent may
// send anyway: verdicts inform, they do not stop.
package check

import (
	"cmp"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// LinksName is how verdicts name the check of links.
const LinksName = checkLinks

// The names of the checks.
const (
	checkCitations = "citations"
	checkSupported = "supported"
	checkPromises  = "promises"
	checkLinks     = "links"
	checkAudience  = "audience"
)

// Input is everything a draft is held against.
type Input struct {
	Draft assist.Draft
	Hits  []assist.Hit  // the passages the draft was made from
	Turns []assist.Turn // the transcript

	Limits []Limit // what the agent may still give; nil: not checked

	Read *Reading // for drafts that are held against the same hits and turns one after the other; may be nil
}

// Report is what the checks say.
type Report struct {
	Draft      assist.Draft // with citations that hold, courtesy marked, one text
	Verdicts   []assist.Verdict
	Standing   assist.Standing
	CheckCount int // how many facts somebody should look at
	Dropped    int // citations that did not hold
}

// All runs every check on a draft.
func All(in Input) Report {
	draft, verdicts, dropped := Citations(in.Draft, in.Hits)
	for i := range draft.Sentences {
		s := &draft.Sentences[i]
		s.Courtesy = len(s.Citations) == 0 && courteous(draft.Origin, *s)
	}
	read := in.Read.of(in.Hits, in.Turns)
	verdicts = slices.Concat(verdicts,
		read.supported(draft),
		read.promises(draft),
		read.linked(draft),
		read.audience(draft, in.Limits),
		runVerdicts(Authority(draft.Text, in.Limits, in.Hits)).in(draft),
		runVerdicts(Tone(draft.Text)).in(draft),
	)
	verdicts = onceMarked(allowed(verdicts, draft.Text, in.Limits))
	r := Report{Draft: draft, Verdicts: verdicts, CheckCount: countFacts(verdicts), Dropped: dropped, Standing: assist.StandingReady}
	switch {
	case nothingCarried(draft):
		r.Standing = assist.StandingNoSource
	case r.CheckCount > 0:
		r.Standing = assist.StandingCheck
	}
	return r
}

// courteous believes the instant draft about its own phrases, which are the
// house's; a model's word for it counts for nothing.
func courteous(origin assist.Origin, s assist.Sentence) bool {
	return origin == assist.OriginKnowledge && s.Courtesy || Courtesy(s.Text)
}

// Text checks what an agent typed. All hits and the transcript count as sources,
// because an agent cites nothing; the agent's own statements need no support,
// only their facts do. limits are what this agent may still give; none: not
// checked.
func Text(text string, hits []assist.Hit, turns []assist.Turn, limits ...Limit) []assist.Verdict {
	read := reading(hits, turns)
	verdicts := slices.Concat(
		promises(text, -1, 0, read.everything(), nil),
		links(text, -1, 0, read.links()),
		read.insider(text, limits),
		Authority(text, limits, hits),
		Tone(text),
	)
	spans := lex.Sentences(text)
	for i := range verdicts {
		v := &verdicts[i]
		for n, s := range spans {
			if v.Start >= s.Start && v.Start < s.End {
				v.Sentence = n
			}
		}
	}
	return onceMarked(allowed(verdicts, text, limits))
}

// onceMarked sorts verdicts, and leaves out that a fact is internal where
// another check objects to the same words already.
func onceMarked(verdicts []assist.Verdict) []assist.Verdict {
	type place struct{ start, end int }
	objected := map[place]bool{}
	for _, v := range verdicts {
		if v.Check != checkAudience && v.Outcome != assist.Pass {
			objected[place{v.Start, v.End}] = true
		}
	}
	verdicts = slices.DeleteFunc(verdicts, func(v assist.Verdict) bool {
		return v.Check == checkAudience && objected[place{v.Start, v.End}]
	})
	sortVerdicts(verdicts)
	return verdicts
}

// countFacts counts what an agent has to look at: marked words one by one, and a
// sentence as a whole only when none of its words are marked.
func countFacts(verdicts []assist.Verdict) int {
	type place struct{ sentence, start, end int }
	words := map[place]bool{}
	marked := map[int]bool{}
	for _, v := range verdicts {
		if v.Outcome == assist.Pass || whole(v) {
			continue
		}
		words[place{v.Sentence, v.Start, v.End}] = true
		marked[v.Sentence] = true
	}
	n := len(words)
	for _, v := range verdicts {
		if v.Outcome != assist.Pass && whole(v) && !marked[v.Sentence] {
			marked[v.Sentence] = true
			n++
		}
	}
	return n
}

func whole(v assist.Verdict) bool { return v.Check == checkSupported || v.Check == checkCitations }

func nothingCarried(d assist.Draft) bool {
	claims := 0
	for _, s := range d.Sentences {
		if len(s.Citations) > 0 {
			return false
		}
		if !s.Courtesy {
			claims++
		}
	}
	return claims > 0
}

func sortVerdicts(v []assist.Verdict) {
	slices.SortStableFunc(v, func(a, b assist.Verdict) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
}

// starts gives the byte offset of each sentence in the draft's text.
func starts(d assist.Draft) []int {
	out := make([]int, len(d.Sentences))
	at := 0
	for i, s := range d.Sentences {
		out[i] = at
		at += len(s.Text) + 1
	}
	return out
}

func byID(hits []assist.Hit) map[string]*assist.Hit {
	m := make(map[string]*assist.Hit, len(hits))
	for i := range hits {
		m[hits[i].ID] = &hits[i]
	}
	return m
}

// name is how a verdict calls a passage.
func name(h *assist.Hit) string {
	switch {
	case h.Heading == "":
		return "“" + clip(h.Title, 80) + "”"
	case h.Title == "" || strings.HasPrefix(h.Heading, h.Title):
		return "“" + clip(h.Heading, 80) + "”"
	}
	return "“" + clip(h.Title+" › "+h.Heading, 80) + "”"
}

// clip shortens words for a message, whole characters only.
func clip(s string, limit int) string {
	n := 0
	for i := range s {
		if n == limit {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
