package eval

import (
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// Cause says where a failed case went wrong, so that a maintainer knows what to
// mend: the pages, the search, the draft or the prompt.
type Cause string

// The causes, in the order they are looked for.
const (
	CauseSilence      Cause = "should have kept silent"
	CauseNoPage       Cause = "not in the knowledge"
	CauseNotFound     Cause = "not retrieved"
	CauseNotUsed      Cause = "retrieved, not used"
	CauseContradicted Cause = "used, contradicted"
	CauseForm         Cause = "tone or form"
)

// causeOf assigns a failed case. It goes by what failed, and by how far the page
// or the words that the case expects came.
func causeOf(c Case, grades []AssertResult, out Output, know *Knowledge) Cause {
	s := out.Suggestion
	if s == nil {
		return CauseForm
	}
	cause := CauseForm
	worst := func(found Cause) {
		if slices.Index(causeOrder, found) < slices.Index(causeOrder, cause) {
			cause = found
		}
	}
	for i, g := range grades {
		if g.Outcome != Failed {
			continue
		}
		a := c.Asserts[i]
		switch a.Name() {
		case "abstains":
			worst(CauseSilence)
		case "hands-over":
			if out.Bot != nil {
				worst(CauseSilence) // the bot answered what a person should
			}
		case "cites", "retrieves", "next-step":
			worst(pageCause(a.Values, s, know))
		case "contains", "icontains", "contains-any", "icontains-any", "contains-all", "icontains-all":
			worst(wordsCause(a.Values, s, know))
		case "not-abstains":
			worst(CauseNotUsed)
		case "grounded", "promises-kept", "no-internal", "superseded", "no-link", "not-retrieves",
			"not-contains", "not-icontains", "not-contains-any", "not-icontains-any", "not-regex", "not-cites":
			worst(CauseContradicted)
		}
	}
	return cause
}

// causeOrder: what comes first explains what comes after it.
var causeOrder = []Cause{CauseSilence, CauseNoPage, CauseNotFound, CauseContradicted, CauseNotUsed, CauseForm}

// pageCause says how far one of these documents came.
func pageCause(ids []string, s *assist.Suggestion, know *Knowledge) Cause {
	known := false
	for _, d := range know.docs {
		known = known || matches(ids, d.ID)
	}
	for _, h := range s.Hits {
		if matches(ids, h.DocumentID) {
			return CauseNotUsed
		}
	}
	if !known {
		return CauseForm // words of a step, not a page
	}
	return CauseNotFound
}

// wordsCause says where one of these words stands.
func wordsCause(words []string, s *assist.Suggestion, know *Knowledge) Cause {
	in := func(text string) bool {
		low := strings.ToLower(text)
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(low, strings.ToLower(w)) })
	}
	for _, h := range s.Hits {
		if in(h.Text) {
			return CauseNotUsed
		}
	}
	for _, d := range know.docs {
		for _, p := range d.Passages {
			if in(p.Text) {
				return CauseNotFound
			}
		}
	}
	return CauseNoPage
}

// matches reports whether a document is one of those named: by its id, by the
// last part of it, or by the file it is a row of.
func matches(names []string, id string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.Contains("/"+id+"/", "/"+n+"/") })
}
