package bot

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones, also where the system has none

	"go.yaml.in/yaml/v3"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

// SettingsFile is the name of the file with the bot's settings, beside the
// knowledge.
const SettingsFile = "bot.yaml"

// Mode is how far the bot may go.
type Mode string

// The modes.
const (
	Off     Mode = "off"     // customers go straight to a person
	Suggest Mode = "suggest" // the agent is told what the bot would have said
	Answer  Mode = "answer"  // the bot answers
)

// Valid reports whether m is a mode.
func (m Mode) Valid() bool { return m == Off || m == Suggest || m == Answer }

// Settings are what bot.yaml says. The zero value is a bot that nobody asked for.
type Settings struct {
	Mode      Mode
	Name      string
	Greeting  string
	Languages []string // of its own words, the first for everybody else; nil: all it knows
	Topics    Topics
	Hours     *Hours // nil: people are always there
	Away      string // said out of hours; "": its own words
	Limits    Limits
	Threshold float64 // evidence an answer needs, above 0 to 1; 0: retrieve.DefaultAnswerFrom
}

// AnswerFrom is the evidence that an answer needs, 0..1.
func (s Settings) AnswerFrom() float64 { return cmp.Or(s.Threshold, retrieve.DefaultAnswerFrom) }

// Topics say which documents the bot may answer from. A document is allowed when
// Allow names it, or is empty, and Deny does not.
type Topics struct {
	Allow Documents `yaml:"allow"`
	Deny  Documents `yaml:"deny"`
}

// Documents names documents by any of three marks.
type Documents struct {
	Collections []string      `yaml:"collections"`
	Kinds       []assist.Kind `yaml:"kinds"`
	Documents   []string      `yaml:"documents"`
}

func (d Documents) empty() bool { return len(d.Collections)+len(d.Kinds)+len(d.Documents) == 0 }

// Limits bound what customers can have of the bot. Each is a day's, in UTC.
type Limits struct {
	Address      int   `yaml:"address"`      // conversations begun from one address, per hour
	Customer     int   `yaml:"customer"`     // answers to one customer
	Conversation int   `yaml:"conversation"` // answers in one conversation
	Day          int   `yaml:"day"`          // answers to all
	Tokens       int64 `yaml:"tokens"`       // of the model; beyond it answers are the pages' own sentences
}

// DefaultLimits are those of a bot.yaml that names none.
var DefaultLimits = Limits{Address: 60, Customer: 60, Conversation: 20, Day: 20000, Tokens: 2_000_000}

// Parse reads bot.yaml. An error names the line and how to mend it; nothing is
// half read.
func Parse(data []byte) (Settings, error) {
	var doc struct {
		Mode      yaml.Node `yaml:"mode"`
		Name      string    `yaml:"name"`
		Greeting  string    `yaml:"greeting"`
		Languages yaml.Node `yaml:"languages"`
		Topics    yaml.Node `yaml:"topics"`
		Hours     yaml.Node `yaml:"hours"`
		Away      string    `yaml:"away"`
		Limits    yaml.Node `yaml:"limits"`
		Threshold yaml.Node `yaml:"threshold"`
	}
	if err := strict(data, &doc); err != nil {
		return Settings{}, err
	}
	s := Settings{Mode: Mode(doc.Mode.Value), Name: strings.TrimSpace(doc.Name), Greeting: strings.TrimSpace(doc.Greeting), Away: strings.TrimSpace(doc.Away), Limits: DefaultLimits}
	if !s.Mode.Valid() {
		return Settings{}, fmt.Errorf("line %d: the mode must be off, suggest or answer, not %q", max(doc.Mode.Line, 1), doc.Mode.Value)
	}
	for name, text := range map[string]string{"name": s.Name, "greeting": s.Greeting, "away": s.Away} {
		if len(text) > 500 {
			return Settings{}, fmt.Errorf("line 1: the %s is longer than 500 bytes", name)
		}
	}
	var err error
	if s.Languages, err = readLanguages(doc.Languages); err != nil {
		return Settings{}, err
	}
	if err := readTable(doc.Topics, "topics", &s.Topics); err != nil {
		return Settings{}, err
	}
	for _, k := range append(slices.Clone(s.Topics.Allow.Kinds), s.Topics.Deny.Kinds...) {
		if !k.Valid() {
			return Settings{}, fmt.Errorf("line %d: %q is no kind of document: write policy, product, faq or procedure", doc.Topics.Line, k)
		}
	}
	if err := readTable(doc.Limits, "limits", &s.Limits); err != nil {
		return Settings{}, err
	}
	if l := s.Limits; l.Address < 1 || l.Customer < 1 || l.Conversation < 1 || l.Day < 1 || l.Tokens < 0 {
		return Settings{}, fmt.Errorf("line %d: limits must be 1 or more (tokens 0 or more); mode: off is what answers nobody", doc.Limits.Line)
	}
	if s.Hours, err = readHours(doc.Hours); err != nil {
		return Settings{}, err
	}
	if doc.Threshold.Kind != 0 {
		s.Threshold, err = strconv.ParseFloat(doc.Threshold.Value, 64)
		if err != nil || s.Threshold <= 0 || s.Threshold >= 1 {
			return Settings{}, fmt.Errorf("line %d: the threshold must be a number between 0 and 1, not %q; leave it out for the shipped one", doc.Threshold.Line, doc.Threshold.Value)
		}
	}
	return s, nil
}

// ThresholdFile is the name, beside SettingsFile, of the threshold that "aside eval
// abstention --write" found.
const ThresholdFile = "threshold.json"

// WithThreshold gives bot.yaml with the calibrated threshold. One that bot.yaml
// names itself stands.
func WithThreshold(settings, calibration []byte) ([]byte, error) {
	s, err := Parse(settings)
	if err != nil || s.Threshold != 0 {
		return settings, err
	}
	var c struct {
		Threshold float64 `json:"threshold"`
	}
	if err := json.Unmarshal(calibration, &c); err != nil || c.Threshold <= 0 || c.Threshold >= 1 {
		return nil, fmt.Errorf("%s has no threshold between 0 and 1; write it anew with: aside eval abstention --write %s", ThresholdFile, ThresholdFile)
	}
	settings = fmt.Appendf(slices.Clone(settings), "\nthreshold: %g # %s\n", c.Threshold, ThresholdFile)
	if _, err := Parse(settings); err != nil {
		return nil, fmt.Errorf("the threshold of %s does not fit below %s; write it there as threshold: %g", ThresholdFile, SettingsFile, c.Threshold)
	}
	return settings, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\n\s*)?line (\d+): (.*)`)

func strict(data []byte, into any) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	err := dec.Decode(into)
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return errors.New("line 1: the file is empty")
	}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("line %s: %s", m[1], strings.TrimSpace(m[2]))
	}
	return fmt.Errorf("line 1: %w", err)
}

// readTable decodes a node that may be absent, with its lines in the errors and
// no unknown names.
func readTable(n yaml.Node, name string, into any) error {
	if n.Kind == 0 {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: %s must be a table", n.Line, name)
	}
	text, err := yaml.Marshal(&n)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	if err := strict(text, into); err != nil {
		_, what, _ := strings.Cut(err.Error(), ": ") // the line counts from the table
		return fmt.Errorf("line %d: %s: %s", n.Line, name, what)
	}
	return nil
}

func readLanguages(n yaml.Node) ([]string, error) {
	if n.Kind == 0 {
		return nil, nil
	}
	var list []string
	if err := n.Decode(&list); err != nil || len(list) == 0 {
		return nil, fmt.Errorf("line %d: languages must be a list such as [en, de]", n.Line)
	}
	for _, l := range list {
		if _, known := phrasebook[l]; !known {
			return nil, fmt.Errorf("line %d: the bot has no words in %q: it speaks %s", n.Line, l, strings.Join(spoken, ", "))
		}
	}
	return list, nil
}

// Hours say when people are there.
type Hours struct {
	zone   *time.Location
	week   [7][]span // by time.Weekday
	closed map[string]bool
}

// span is a part of a day, in minutes from midnight.
type span struct{ from, to int }

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

func readHours(n yaml.Node) (*Hours, error) {
	if n.Kind == 0 {
		return nil, nil
	}
	var doc struct {
		Zone   string              `yaml:"zone"`
		Days   map[string][]string `yaml:"days"`
		Closed []string            `yaml:"closed"`
	}
	if err := readTable(n, "hours", &doc); err != nil {
		return nil, err
	}
	fail := func(format string, a ...any) (*Hours, error) {
		return nil, fmt.Errorf("line %d: hours: %s", n.Line, fmt.Sprintf(format, a...))
	}
	zone, err := time.LoadLocation(doc.Zone)
	if doc.Zone == "" || doc.Zone == "Local" || err != nil {
		return fail("zone must be a time zone such as Europe/Berlin, not %q", doc.Zone)
	}
	h := &Hours{zone: zone, closed: map[string]bool{}}
	for name, spans := range doc.Days {
		day := slices.IndexFunc(weekdays, func(w string) bool { return w == strings.ToLower(name) || w[:3] == strings.ToLower(name) })
		if day < 0 {
			return fail("%q is no weekday: write monday or mon", name)
		}
		for _, text := range spans {
			s, ok := parseSpan(text)
			if !ok {
				return fail("%s: %q must be from-to, such as 09:00-17:30", name, text)
			}
			h.week[day] = append(h.week[day], s)
		}
		slices.SortFunc(h.week[day], func(a, b span) int { return cmp.Compare(a.from, b.from) })
	}
	for _, d := range doc.Closed {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			return fail("closed: %q must be a date such as 2026-12-25", d)
		}
		h.closed[d] = true
	}
	if !slices.ContainsFunc(h.week[:], func(s []span) bool { return len(s) > 0 }) {
		return fail("days names no hours at all; leave hours out when people are always there")
	}
	return h, nil
}

func parseSpan(text string) (span, bool) {
	from, to, found := strings.Cut(strings.ReplaceAll(text, " ", ""), "-")
	f, ok1 := minutes(from)
	t, ok2 := minutes(to)
	return span{f, t}, found && ok1 && ok2 && f < t
}

func minutes(clock string) (int, bool) {
	hh, mm, found := strings.Cut(clock, ":")
	h, err1 := strconv.Atoi(hh)
	m, err2 := strconv.Atoi(mm)
	n := 60*h + m
	return n, found && err1 == nil && err2 == nil && h >= 0 && m >= 0 && m < 60 && n <= 24*60
}

// Open reports whether people are there, and when they are back if not: the zero
// time when that is more than two months away. Clocks that change are the zone's
// matter: half past nine is what the clock on the wall shows.
func (h *Hours) Open(now time.Time) (open bool, opensAt time.Time) {
	if h == nil {
		return true, time.Time{}
	}
	now = now.In(h.zone)
	for day := range 62 {
		date := time.Date(now.Year(), now.Month(), now.Day()+day, 0, 0, 0, 0, h.zone)
		if h.closed[date.Format(time.DateOnly)] {
			continue
		}
		for _, s := range h.week[date.Weekday()] {
			at := func(m int) time.Time {
				return time.Date(date.Year(), date.Month(), date.Day(), m/60, m%60, 0, 0, h.zone)
			}
			from, to := at(s.from), at(s.to)
			switch {
			case now.Before(from):
				return false, from
			case now.Before(to):
				return true, time.Time{}
			}
		}
	}
	return false, time.Time{}
}

// allows reports whether the bot may answer from a passage.
func (t Topics) allows(h assist.Hit) bool {
	return (t.Allow.empty() || t.Allow.names(h)) && !t.Deny.names(h)
}

func (d Documents) names(h assist.Hit) bool {
	return slices.Contains(d.Documents, h.DocumentID) || slices.Contains(d.Kinds, h.Kind) || h.Section != "" && slices.Contains(d.Collections, h.Section)
}
