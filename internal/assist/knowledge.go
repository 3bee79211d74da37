package assist

import "time"

// Audience says who may read a passage. What comes without one is internal.
type Audience string

// The two audiences.
const (
	AudiencePublic   Audience = "public"
	AudienceInternal Audience = "internal"
)

// Valid reports whether a is an audience.
func (a Audience) Valid() bool { return a == AudiencePublic || a == AudienceInternal }

// Kind says what a document is for.
type Kind string

// The kinds of a document.
const (
	KindPolicy    Kind = "policy"
	KindProduct   Kind = "product"
	KindFAQ       Kind = "faq"
	KindProcedure Kind = "procedure"
)

// Valid reports whether k is a kind.
func (k Kind) Valid() bool {
	switch k {
	case KindPolicy, KindProduct, KindFAQ, KindProcedure:
		return true
	}
	return false
}

// Document is a source of knowledge with a revision.
type Document struct {
	ID         string     `json:"id"`
	Title      string     `json:"title"`
	Kind       Kind       `json:"kind"`
	Audience   Audience   `json:"audience"`
	Collection string     `json:"collection,omitempty"`
	Language   string     `json:"language"` // BCP 47 primary tag: en, de, …
	URL        string     `json:"url,omitempty"`
	ValidFrom  *time.Time `json:"valid_from,omitempty"` // inclusive; nil: since ever
	ValidTo    *time.Time `json:"valid_to,omitempty"`   // exclusive; nil: until further notice
	Source     string     `json:"-"`                    // what was ingested: a folder, a file, a URL; documents gone from it are removed
	Path       string     `json:"path,omitempty"`       // where in the source, for messages
	Revision   string     `json:"revision"`             // hash over everything above and the body
	Body       string     `json:"-"`                    // the text that passages point into
	UpdatedAt  time.Time  `json:"updated_at"`
	Passages   []Passage  `json:"-"`
}

// Passage is a citable piece of a document. Its id is made from the document's
// id and the passage's own words, so an unchanged passage keeps its id, and what
// was learned of it, when its document changes around it.
type Passage struct {
	ID         string `json:"passage_id"`
	DocumentID string `json:"document_id"`
	Heading    string `json:"heading,omitempty"` // path, outermost first: "Returns › Defective items"
	Text       string `json:"text"`
	Start      int    `json:"start"` // byte range in Document.Body
	End        int    `json:"end"`
	Terms      []Term `json:"-"` // lexical terms of title, heading and text, with counts as weights
}

// Term is a normalised word with a weight: a count in a passage, an importance
// in a question.
type Term struct {
	Text   string  `json:"text"`
	Weight float64 `json:"weight"`
}

// Question is what the customer needs now, made from the transcript.
type Question struct {
	Text     string `json:"text"`               // in the customer's own words
	Terms    []Term `json:"terms,omitempty"`    // weighted by age and role
	Language string `json:"language,omitempty"` // best guess
	Quiet    string `json:"quiet,omitempty"`    // why there is nothing to look up: greeting, thanks, …
	Own      []Term `json:"-"`                  // of Text alone, where that may be about something else than what was said before
}

// Hit is a ranked passage.
type Hit struct {
	Passage
	Title     string    `json:"title"`
	Kind      Kind      `json:"kind"`
	Audience  Audience  `json:"audience"`
	URL       string    `json:"url,omitempty"`
	Section   string    `json:"-"` // the document's collection
	Revision  string    `json:"revision"`
	UpdatedAt time.Time `json:"updated_at"`
	Quote     string    `json:"quote"` // the very sentence of Text that answers best
	Score     float64   `json:"score"` // fused; comparable within one answer only
	Ranks     Ranks     `json:"ranks"`

	// OutOfDate: the document has changed or gone since. Set only when a stored
	// suggestion is read.
	OutOfDate bool `json:"out_of_date,omitempty"`
}

// Ranks says where each search placed the passage, 1 = first, 0 = not found by
// it, and with what score.
type Ranks struct {
	Lexical      int     `json:"lexical,omitempty"`
	LexicalScore float64 `json:"lexical_score,omitempty"`
	Dense        int     `json:"dense,omitempty"`
	DenseScore   float64 `json:"dense_score,omitempty"`
}

// Change is what putting a document did.
type Change string

// The changes.
const (
	Added     Change = "added"
	Changed   Change = "changed"
	Unchanged Change = "unchanged"
)
