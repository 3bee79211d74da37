package bot

import (
	"net/url"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/check"
)

// Decision is what becomes of a suggestion for a customer: an answer, or the
// reason for which a person takes over, or neither when there was nothing to
// answer.
type Decision struct {
	Answer     string
	Sources    []assist.Source
	Suggestion *assist.Suggestion // what the answer was made of
	Code       assist.HandoffCode // why a person takes over; "" with an answer
	Reason     string             // the same in one sentence
	Quiet      bool               // small talk: nothing to answer and nobody to call
}

// Decide answers only with a draft whose every sentence is proven from public
// passages that the topics allow: the model's, or else the one made of the
// passages' own sentences. Everything else goes to a person.
func Decide(s assist.Suggestion, topics Topics) Decision {
	refuse := func(code assist.HandoffCode, reason string) Decision { return Decision{Code: code, Reason: reason} }
	switch {
	case s.Question.Quiet != "" && s.State == assist.SuggestionAbstained:
		return Decision{Quiet: true}
	case s.State == assist.SuggestionAbstained:
		return refuse(assist.HandoffNoEvidence, "Nothing public answers this.")
	case s.State != assist.SuggestionReady && s.State != assist.SuggestionFailed, s.Draft == nil && s.Instant == nil:
		return refuse(assist.HandoffFault, "No draft was finished.")
	}
	for _, h := range s.Hits {
		if h.Audience != assist.AudiencePublic {
			return refuse(assist.HandoffBlocked, "A passage that is not public was among the sources.")
		}
	}
	if len(s.Hits) > 0 && !topics.allows(s.Hits[0]) {
		return refuse(assist.HandoffTopic, "The bot may not speak about “"+s.Hits[0].Title+"”.")
	}
	for _, d := range []*assist.Draft{s.Draft, s.Instant} {
		if d == nil {
			continue
		}
		plain, ok := proven(*d, s.Hits)
		if !ok || !slices.ContainsFunc(cited(plain, s.Hits), topics.allows) {
			continue
		}
		if slices.ContainsFunc(cited(plain, s.Hits), func(h assist.Hit) bool { return !topics.allows(h) }) {
			return refuse(assist.HandoffTopic, "The answer stands on a page that the bot may not speak about.")
		}
		used := s
		used.Draft, used.State = &plain, assist.SuggestionReady
		return Decision{Answer: plain.Text, Sources: sources(plain, s.Hits), Suggestion: &used}
	}
	return refuse(assist.HandoffBlocked, "Not every sentence of the draft is proven by a public page.")
}

// proven gives the draft as a customer may read it: checked anew, nothing marked,
// something cited, no deed, and no link but to the house's own pages. Questions
// back are left out: the bot could do nothing with what it is told. What
// customers say of themselves proves nothing here, so the transcript is no source.
func proven(d assist.Draft, hits []assist.Hit) (assist.Draft, bool) {
	var kept []assist.Sentence
	for _, s := range d.Sentences {
		if len(s.Citations) > 0 || !strings.Contains(s.Text, "?") {
			kept = append(kept, s)
		}
	}
	report := check.All(check.Input{Draft: assist.NewDraft(d.Origin, kept), Hits: hits})
	if report.Standing != assist.StandingReady || report.Dropped > 0 {
		return d, false
	}
	for _, v := range report.Verdicts {
		if v.Outcome != assist.Pass {
			return d, false
		}
	}
	d = report.Draft
	if len(cited(d, hits)) == 0 {
		return d, false
	}
	for _, s := range d.Sentences {
		for _, v := range check.Values(s.Text) {
			if v.Kind == check.Commitment && !(v.Rule() && verbatim(s)) {
				return d, false
			}
		}
	}
	return d, ownLinks(d.Text, hits)
}

// verbatim reports whether a sentence is a page's own: "we ship to every country"
// then says what the page says, and commits nobody.
func verbatim(s assist.Sentence) bool {
	return slices.ContainsFunc(s.Citations, func(c assist.Citation) bool { return c.Quote == s.Text })
}

// cited are the passages a draft stands on, in its order.
func cited(d assist.Draft, hits []assist.Hit) []assist.Hit {
	var out []assist.Hit
	for _, s := range d.Sentences {
		for _, c := range s.Citations {
			i := slices.IndexFunc(hits, func(h assist.Hit) bool { return h.ID == c.PassageID })
			if i >= 0 && !slices.ContainsFunc(out, func(h assist.Hit) bool { return h.ID == c.PassageID }) {
				out = append(out, hits[i])
			}
		}
	}
	return out
}

// sources are the pages of a draft that a customer can open.
func sources(d assist.Draft, hits []assist.Hit) []assist.Source {
	var out []assist.Source
	for _, h := range cited(d, hits) {
		s := assist.Source{Title: h.Title, URL: h.URL}
		if (strings.HasPrefix(s.URL, "https://") || strings.HasPrefix(s.URL, "http://")) && !slices.ContainsFunc(out, func(o assist.Source) bool { return o.URL == s.URL }) {
			out = append(out, s)
		}
	}
	return out
}

// ownLinks reports whether every link of a text is the address of a page of the
// knowledge, and every mail address is of the domain of one. That a passage's text
// holds a link is not enough: documents may be poisoned, and nobody reads the
// answer before the customer does.
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
