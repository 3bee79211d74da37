package assist

import (
	"strings"
	"time"
)

// Origin says who wrote a draft.
type Origin string

// The origins of a draft.
const (
	OriginKnowledge Origin = "knowledge" // instant: sentences of passages, no model
	OriginModel     Origin = "model"
)

// Draft is a proposed reply. It is text for an agent to edit, never sent by
// itself.
type Draft struct {
	Origin    Origin     `json:"origin"`
	Text      string     `json:"text"` // the sentences joined, without citation marks
	Sentences []Sentence `json:"sentences"`
}

// NewDraft joins sentences into a draft.
func NewDraft(origin Origin, sentences []Sentence) Draft {
	var b strings.Builder
	for i, s := range sentences {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s.Text)
	}
	return Draft{Origin: origin, Text: b.String(), Sentences: sentences}
}

// Sentence is one sentence of a draft with what it stands on.
type Sentence struct {
	Text      string     `json:"text"`
	Courtesy  bool       `json:"courtesy,omitempty"` // greets, thanks, asks: claims nothing, needs no source
	Citations []Citation `json:"citations,omitempty"`
}

// Citation ties a sentence to the exact words of a passage. A model's citation
// is a claim until check has found the quote.
type Citation struct {
	PassageID string `json:"passage_id"`
	Quote     string `json:"quote"`
	Start     int    `json:"start"` // byte range of Quote in the passage's text
	End       int    `json:"end"`
}

// StepKind says what a next step asks of the agent.
type StepKind string

// The kinds of a next step.
const (
	StepDo      StepKind = "do"
	StepAsk     StepKind = "ask"
	StepSay     StepKind = "say"
	StepOffer   StepKind = "offer"
	StepHandOff StepKind = "hand_over"
)

// StepState says where a step stands.
type StepState string

// The states of a step.
const (
	StepTodo    StepState = "todo"
	StepDone    StepState = "done"
	StepSkipped StepState = "skipped"
	// StepImpossible is a step that the transcript rules out. Nobody sets it;
	// Why has the words.
	StepImpossible StepState = "impossible"
)

// Valid reports whether s is a state an agent can set.
func (s StepState) Valid() bool { return s == StepTodo || s == StepDone || s == StepSkipped }

// NextStep is one thing for the agent to do, with the policy it comes from.
type NextStep struct {
	ID      string    `json:"id"` // stable while its sentence stands: document id, "/", step number
	Kind    StepKind  `json:"kind"`
	Text    string    `json:"text"`
	State   StepState `json:"state"`
	Current bool      `json:"current,omitempty"` // do this now
	Why     string    `json:"why,omitempty"`     // why it comes first, with the customer's words; never for the customer
	Action  string    `json:"action,omitempty"`  // the button in another system: "Pull up Account"
	Policy  PolicyRef `json:"policy"`
}

// PolicyRef points at the sentence a step or an option comes from.
type PolicyRef struct {
	DocumentID string `json:"document_id,omitempty"`
	PassageID  string `json:"passage_id,omitempty"`
	Title      string `json:"title,omitempty"`
	Quote      string `json:"quote,omitempty"`
}

// Option is one of up to three ways policy allows this to be solved.
type Option struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Detail    string    `json:"detail,omitempty"`
	Cost      string    `json:"cost,omitempty"`
	Authority string    `json:"authority,omitempty"` // whose say it needs; "" or "you": this agent's
	Policy    PolicyRef `json:"policy"`
}

// Outcome of one check.
type Outcome string

// The outcomes of a check.
const (
	Pass  Outcome = "pass"
	Warn  Outcome = "warn"
	Block Outcome = "block"
)

// Verdict is one check's outcome, with the words it is about and the reason in
// one plain sentence.
type Verdict struct {
	Check    string  `json:"check"` // supported, promises, links, …
	Outcome  Outcome `json:"outcome"`
	Sentence int     `json:"sentence"` // index into the draft's sentences; -1: the whole text
	Words    string  `json:"words,omitempty"`
	Start    int     `json:"start"` // byte range of Words in the text that was checked
	End      int     `json:"end"`
	Reason   string  `json:"reason"`
}

// SuggestionState is where a suggestion stands.
type SuggestionState string

// The states of a suggestion; doc.go draws them.
const (
	SuggestionDrafting   SuggestionState = "drafting"
	SuggestionReady      SuggestionState = "ready"
	SuggestionAbstained  SuggestionState = "abstained"
	SuggestionFailed     SuggestionState = "failed"
	SuggestionSuperseded SuggestionState = "superseded"
	SuggestionAccepted   SuggestionState = "accepted"
	SuggestionEdited     SuggestionState = "edited"
	SuggestionDismissed  SuggestionState = "dismissed"
)

// Standing is the overall state in three words, tied to checks.
type Standing string

// The standings an agent sees.
const (
	StandingReady    Standing = "ready"     // every sentence supported
	StandingCheck    Standing = "check"     // some facts to check: CheckCount says how many
	StandingNoSource Standing = "no_source" // nothing in the knowledge carries an answer
)

// Suggestion is the stored whole: what was asked, what was found, what was
// drafted and what the checks said, with everything needed to explain it later.
type Suggestion struct {
	ID               string          `json:"id"`
	Conversation     string          `json:"conversation"`
	ForSeq           int64           `json:"for_seq"` // the turn it answers
	State            SuggestionState `json:"state"`
	Standing         Standing        `json:"standing"`
	CheckCount       int             `json:"check_count,omitempty"`
	Instruction      string          `json:"instruction,omitempty"` // what the agent asked for: "shorter"
	Question         Question        `json:"question"`
	Hits             []Hit           `json:"hits"`
	Evidence         float64         `json:"evidence,omitempty"` // how sure it is that the hits answer, 0..1
	Instant          *Draft          `json:"instant,omitempty"`
	Draft            *Draft          `json:"draft,omitempty"` // the best draft there is: the model's, else the instant one
	Steps            []NextStep      `json:"steps,omitempty"`
	Options          []Option        `json:"options,omitempty"`
	Anticipates      string          `json:"anticipates,omitempty"` // the unasked next question
	Verdicts         []Verdict       `json:"verdicts,omitempty"`    // on Draft
	Dropped          int             `json:"dropped,omitempty"`     // citations that did not hold
	Reason           string          `json:"reason,omitempty"`      // why abstained, failed or written without a model
	Prompt           *PromptRef      `json:"prompt,omitempty"`
	Model            string          `json:"model,omitempty"`
	Usage            Usage           `json:"usage,omitzero"`
	KnowledgeVersion int64           `json:"knowledge_version"`
	Timings          Timings         `json:"timings"`
	CreatedAt        time.Time       `json:"created_at"`
	SupersededBy     int64           `json:"superseded_by,omitempty"`
}

// PromptRef says which prompt wrote a draft.
type PromptRef struct {
	Name    string `json:"name"`
	Version string `json:"version"` // hash of the files it was rendered from
	Text    string `json:"text,omitempty"`
}

// Usage is what a model call cost, in tokens.
type Usage struct {
	Prompt     int `json:"prompt"`
	Completion int `json:"completion"`
}

// Timings are milliseconds from the start of the run, which may begin while its turn
// is being stored.
type Timings struct {
	Passages   float64 `json:"passages_ms"`
	Instant    float64 `json:"instant_ms"`
	FirstToken float64 `json:"first_token_ms,omitempty"`
	Ready      float64 `json:"ready_ms,omitempty"`
}

// Feedback is an agent's mark on a suggestion.
type Feedback struct {
	SuggestionID string `json:"suggestion_id"`
	Verdict      string `json:"verdict"` // good or bad
	Reason       string `json:"reason,omitempty"`
}

// Validate checks the mark and, for a bad one, its reason.
func (f Feedback) Validate() error {
	if err := checkID("suggestion_id", f.SuggestionID, true); err != nil {
		return err
	}
	switch f.Verdict {
	case "good", "bad":
	default:
		return Errorf(Invalid, "verdict must be good or bad, not %q", clip(f.Verdict))
	}
	switch f.Reason {
	case "", "wrong_fact", "outdated", "off_topic", "tone", "bad_timing":
		return nil
	}
	return Errorf(Invalid, "reason must be wrong_fact, outdated, off_topic, tone or bad_timing, not %q", clip(f.Reason))
}

// SuggestionOutcome is what became of a suggestion when its reply was sent, or
// how an agent marked it.
type SuggestionOutcome struct {
	SuggestionID string          `json:"suggestion_id"`
	State        SuggestionState `json:"state,omitempty"` // accepted, edited, dismissed
	ReplySeq     int64           `json:"reply_seq,omitempty"`
	EditDistance int             `json:"edit_distance,omitempty"` // characters changed
	Verdict      string          `json:"verdict,omitempty"`       // good or bad
	Reason       string          `json:"reason,omitempty"`
	By           string          `json:"by,omitempty"`
}

// StepChange is an agent's tick on a next step.
type StepChange struct {
	StepID string    `json:"step_id"`
	State  StepState `json:"state"`
	By     string    `json:"by,omitempty"`
}
