// Package bot decides what a customer may be told without a person: the same
// pipeline as for agents, with stricter rules. It only decides; it sends nothing
// and keeps nothing.
package bot

import (
	"net/url"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/check"
)

// Decision is what becomes of a customer's turn: an answer, or a hand-over with
// its reason for the agent, or neither when there was nothing to answer.
type Decision struct {
	Answer string
	Reason string // why a person takes over; "" with an answer
	Quiet  bool   // small talk: nothing to answer and nobody to call
}

// Decide answers only with a draft whose every sentence is proven from public
// passages: the model's, or else the one made of the passages' own sentences.
// Everything else goes to a person.
func Decide(s assist.Suggestion, turns []assist.Turn) Decision {
	switch {
	case s.Question.Quiet != "" && s.State == assist.SuggestionAbstained:
		return Decision{Quiet: true}
	case s.State == assist.SuggestionAbstained:
		return Decision{Reason: "Nothing public answers this."}
	case s.State != assist.SuggestionReady && s.State != assist.SuggestionFailed:
		return Decision{Reason: "No draft was finished."}
	}
	for _, h := range s.Hits {
		if h.Audience != assist.AudiencePublic {
			return Decision{Reason: "A passage that is not public was among the sources."}
		}
	}
	for _, d := range []*assist.Draft{s.Draft, s.Instant} {
		if d != nil && proven(*d, s.Hits, turns) {
			return Decision{Answer: d.Text}
		}
	}
	return Decision{Reason: "Not every sentence of the draft is proven by a public page."}
}

// proven reports whether a customer may read the draft as it is: checked anew,
// nothing marked, something cited, no deed, and no link but to the house's own
// pages. What customers say of themselves proves nothing here, so the transcript
// is no source.
func proven(d assist.Draft, hits []assist.Hit, _ []assist.Turn) bool {
	report := check.All(check.Input{Draft: d, Hits: hits})
	if report.Standing != assist.StandingReady || report.Dropped > 0 {
		return false
	}
	for _, v := range report.Verdicts {
		if v.Outcome != assist.Pass {
			return false
		}
	}
	cited := false
	for _, s := range report.Draft.Sentences {
		cited = cited || len(s.Citations) > 0
	}
	if !cited {
		return false
	}
	for _, v := range check.Values(report.Draft.Text) {
		if v.Kind == check.Commitment {
			return false
		}
	}
	return ownLinks(report.Draft.Text, hits)
}

// ownLinks reports whether every link of a text is the address of a page of the
// knowledge, and every mail address is of the domain of one. That a passage's text holds a link is not enough: documents may be
// poisoned, and nobody reads the answer before the customer does.
func ownLinks(text string, hits []assist.Hit) bool {
	var pages []assist.Hit
	for _, h := range hits {
		if h.URL != "" {
			pages = append(pages, assist.Hit{URL: h.URL})
		}
	}
	if strings.ContainsRune(text, '@') {
		for _, v := range check.Values(text) {
			if v.Kind == check.Email && !ownMail(text[v.Start:v.End], pages) {
				return false
			}
		}
	}
	draft := assist.NewDraft(assist.OriginModel, []assist.Sentence{{Text: text}})
	return len(check.Links(draft, pages, nil)) == 0
}

// ownMail reports whether a mail address is of the domain that a page stands on,
// or of one that this is a part of: orders@shop.example for help.shop.example.
func ownMail(address string, pages []assist.Hit) bool {
	_, domain, _ := strings.Cut(strings.ToLower(address), "@")
	if labels := strings.Split(domain, "."); len(labels) < 2 || len(labels) == 2 && len(labels[0]) <= 3 {
		return false // co.uk is nobody's
	}
	for _, p := range pages {
		u, err := url.Parse(p.URL)
		if err != nil {
			continue
		}
		if host := strings.ToLower(u.Hostname()); host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}
