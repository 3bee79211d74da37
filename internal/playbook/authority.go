package playbook

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// AuthorityFile is the name of the file with the limits, beside the knowledge.
const AuthorityFile = "authority.yaml"

// Authority says what each role may give a customer without asking. The zero
// value lets nobody give anything.
type Authority struct {
	Currency string // ISO 4217
	Policy   string // document that states the limits for people
	Gestures []Gesture
	limits   map[string]map[string]Limit // role → gesture
}

// Gesture is something given beyond what policy grants anyway.
type Gesture struct {
	ID     string
	Title  string
	Action string // the button: "Add Store Credit"
	Unit   Unit
	Rank   int               // 1 is the smallest
	Titles map[string]string // its titles in other languages, by language; may be nil
}

// Unit is what a limit counts.
type Unit string

// The units.
const (
	UnitMoney   Unit = "money"
	UnitPercent Unit = "percent"
	UnitCount   Unit = "count"
)

// Period is how long a limit holds before it begins anew.
type Period string

// The periods.
const (
	PeriodOrder   Period = "order"
	PeriodQuarter Period = "quarter"
	PeriodYear    Period = "year"
)

// Limit is the most a role may give one customer in one period.
type Limit struct {
	Amount Amount
	Period Period
}

// Amount is in hundredths of the gesture's unit, so that sums are exact.
type Amount int64

// Hundredths makes an amount of a number of units; false when it is negative, no
// number, or too large to be meant.
func Hundredths(units float64) (Amount, bool) {
	if math.IsNaN(units) || units < 0 || units > 1e9 {
		return 0, false
	}
	return Amount(math.Round(units * 100)), true
}

// In says an amount as people write it: "$25", "10 percent", "1".
func (a Amount) In(unit Unit, currency string) string {
	n := strconv.FormatInt(int64(a/100), 10)
	if a%100 != 0 {
		n += fmt.Sprintf(".%02d", a%100)
	}
	switch unit {
	case UnitMoney:
		if sign, ok := signs[currency]; ok {
			return sign + n
		}
		return n + " " + currency
	case UnitPercent:
		return n + " percent"
	}
	return n
}

// signs of the currencies that are understood; others are refused, for nobody
// could check an amount in them.
var signs = map[string]string{"USD": "$", "EUR": "€", "GBP": "£", "CAD": "CA$", "AUD": "A$", "NZD": "NZ$", "JPY": "¥", "BRL": "R$",
	"CHF": "CHF ", "SEK": "SEK ", "NOK": "NOK ", "DKK": "DKK ", "PLN": "PLN ", "CZK": "CZK ", "MXN": "MX$", "INR": "₹"}

// roles an agent can have, least first.
var roles = []string{"agent", "senior", "lead"}

// DefaultRole is an agent's role when the token does not say.
const DefaultRole = "agent"

var errLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\n\s*)?line (\d+): (.*)`)

// ParseAuthority reads authority.yaml. An error names the line and how to mend
// it; nothing is half read.
func ParseAuthority(data []byte) (Authority, error) {
	var doc struct {
		Currency yaml.Node `yaml:"currency"`
		Policy   string    `yaml:"policy"`
		Gestures yaml.Node `yaml:"gestures"`
		Limits   yaml.Node `yaml:"limits"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return Authority{}, errors.New("line 1: the file is empty")
		}
		if m := errLine.FindStringSubmatch(err.Error()); m != nil {
			return Authority{}, fmt.Errorf("line %s: %s", m[1], strings.TrimSpace(m[2]))
		}
		return Authority{}, fmt.Errorf("line 1: %w", err)
	}
	a := Authority{Currency: doc.Currency.Value, Policy: doc.Policy, limits: map[string]map[string]Limit{}}
	if _, ok := signs[a.Currency]; !ok {
		return Authority{}, fmt.Errorf("line %d: the currency %q is not known: write an ISO code such as USD or EUR", max(doc.Currency.Line, 1), a.Currency)
	}
	if err := a.readGestures(doc.Gestures); err != nil {
		return Authority{}, err
	}
	if err := a.readLimits(doc.Limits); err != nil {
		return Authority{}, err
	}
	return a, nil
}

func (a *Authority) readGestures(n yaml.Node) error {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return fmt.Errorf("line %d: gestures must be a table of name: {title, action, unit, rank}", max(n.Line, 1))
	}
	used := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		var g struct {
			Title  string            `yaml:"title"`
			Action string            `yaml:"action"`
			Unit   Unit              `yaml:"unit"`
			Rank   int               `yaml:"rank"`
			Titles map[string]string `yaml:"titles"`
		}
		if err := decode(value, &g, "title", "action", "unit", "rank", "titles"); err != nil {
			return err
		}
		switch {
		case used[key.Value]:
			return fmt.Errorf("line %d: the gesture %s is given twice", key.Line, key.Value)
		case g.Title == "":
			return fmt.Errorf("line %d: the gesture %s has no title", key.Line, key.Value)
		case g.Unit != UnitMoney && g.Unit != UnitPercent && g.Unit != UnitCount:
			return fmt.Errorf("line %d: the unit of %s must be money, percent or count, not %q", value.Line, key.Value, g.Unit)
		case g.Rank < 1:
			return fmt.Errorf("line %d: the rank of %s must be 1 or more; 1 is the smallest gesture", value.Line, key.Value)
		}
		for language, title := range g.Titles {
			if !slices.Contains([]string{"de", "fr", "es", "pt"}, language) || strings.TrimSpace(title) == "" {
				return fmt.Errorf("line %d: titles of %s must be texts by language, de, fr, es or pt, not %q", value.Line, key.Value, language)
			}
		}
		used[key.Value] = true
		a.Gestures = append(a.Gestures, Gesture{key.Value, g.Title, g.Action, g.Unit, g.Rank, g.Titles})
	}
	slices.SortStableFunc(a.Gestures, func(x, y Gesture) int { return cmp.Compare(x.Rank, y.Rank) })
	return nil
}

func (a *Authority) readLimits(n yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: limits must be a list of {role, gesture, amount, period}", max(n.Line, 1))
	}
	for _, row := range n.Content {
		var l struct {
			Role    string    `yaml:"role"`
			Gesture string    `yaml:"gesture"`
			Amount  yaml.Node `yaml:"amount"`
			Period  Period    `yaml:"period"`
		}
		if err := decode(row, &l, "role", "gesture", "amount", "period"); err != nil {
			return err
		}
		units, err := strconv.ParseFloat(l.Amount.Value, 64)
		amount, ok := Hundredths(units)
		g, known := a.Gesture(l.Gesture)
		switch {
		case !slices.Contains(roles, l.Role):
			return fmt.Errorf("line %d: the role must be %s, not %q", row.Line, strings.Join(roles, ", "), l.Role)
		case !known:
			return fmt.Errorf("line %d: there is no gesture %q above", row.Line, l.Gesture)
		case err != nil || !ok || amount == 0:
			return fmt.Errorf("line %d: the amount must be a number above 0, not %q; the currency stands at the top of the file", row.Line, l.Amount.Value)
		case g.Unit == UnitPercent && amount > 100*100:
			return fmt.Errorf("line %d: %s percent is more than everything", row.Line, l.Amount.Value)
		case l.Period != PeriodOrder && l.Period != PeriodQuarter && l.Period != PeriodYear:
			return fmt.Errorf("line %d: the period must be order, quarter or year, not %q", row.Line, l.Period)
		}
		if a.limits[l.Role] == nil {
			a.limits[l.Role] = map[string]Limit{}
		}
		if _, twice := a.limits[l.Role][l.Gesture]; twice {
			return fmt.Errorf("line %d: %s for role %s is given twice", row.Line, l.Gesture, l.Role)
		}
		a.limits[l.Role][l.Gesture] = Limit{amount, l.Period}
	}
	return nil
}

// decode reads one row and refuses keys that nobody reads: a misspelt limit must
// not be no limit.
func decode(n *yaml.Node, into any, known ...string) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expected {%s}", n.Line, strings.Join(known, ", "))
	}
	for i := 0; i < len(n.Content); i += 2 {
		if k := n.Content[i]; !slices.Contains(known, k.Value) {
			return fmt.Errorf("line %d: the key %q is not known; known are %s", k.Line, k.Value, strings.Join(known, ", "))
		}
	}
	if err := n.Decode(into); err != nil {
		if m := errLine.FindStringSubmatch(err.Error()); m != nil {
			return fmt.Errorf("line %s: %s", m[1], strings.TrimSpace(m[2]))
		}
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	return nil
}

// Gesture gives a gesture by its id.
func (a Authority) Gesture(id string) (Gesture, bool) {
	for _, g := range a.Gestures {
		if g.ID == id {
			return g, true
		}
	}
	return Gesture{}, false
}

// ByAction gives the gesture that a button gives.
func (a Authority) ByAction(action string) (Gesture, bool) {
	for _, g := range a.Gestures {
		if g.Action != "" && Key(g.Action) == Key(action) {
			return g, true
		}
	}
	return Gesture{}, false
}

// Limit gives what a role may give, false when it may not give this at all. An
// unknown role is nobody's: it may give nothing.
func (a Authority) Limit(role, gesture string) (Limit, bool) {
	l, ok := a.limits[cmp.Or(role, DefaultRole)][gesture]
	return l, ok
}

// ValidRole reports whether a token may name this role; "" is the default one.
func ValidRole(role string) bool { return role == "" || slices.Contains(roles, role) }

// PeriodKey names the period that a moment falls in: "quarter 2026-4". For a
// period of one order, order names it; an unknown order is that of the
// conversation.
func PeriodKey(p Period, at time.Time, order string) string {
	switch p {
	case PeriodOrder:
		return "order " + order
	case PeriodYear:
		return at.UTC().Format("year 2006")
	}
	return fmt.Sprintf("quarter %d-%d", at.UTC().Year(), (int(at.UTC().Month())+2)/3)
}

// Spent is what a customer was given already, by gesture and period key.
type Spent map[string]Amount

// SpentKey is the key of Spent.
func SpentKey(gesture, period string) string { return gesture + "|" + period }

// Ruling says what may be given of a gesture.
type Ruling struct {
	Gesture Gesture
	Limit   Limit
	Left    Amount // of the limit, in this period
	Period  string // the period's key
	May     bool   // the amount that was asked about fits
	Reason  string // why not, for the agent, in English
	asked   Amount
	used    Amount
	known   bool
	money   string // currency
}

// Rule says whether a role may give an amount of a gesture now, given what was
// spent on this customer by all agents together.
func (a Authority) Rule(role, gesture string, amount Amount, spent Spent, at time.Time, order string) Ruling {
	g, known := a.Gesture(gesture)
	r := Ruling{Gesture: g, asked: amount, known: known && amount > 0, money: a.Currency}
	limit, ok := a.Limit(role, gesture)
	if !r.known || !ok {
		r.Reason = r.Why("en")
		return r
	}
	r.Limit, r.Period = limit, PeriodKey(limit.Period, at, order)
	r.used = spent[SpentKey(gesture, r.Period)]
	r.Left = max(limit.Amount-r.used, 0)
	r.May = amount <= r.Left
	r.Reason = r.Why("en")
	return r
}

// Why says in a language why the amount may not be given, "" when it may.
func (r Ruling) Why(language string) string {
	w := wordsOf(language)
	say := func(a Amount) string { return a.In(r.Gesture.Unit, r.money) }
	switch {
	case r.May:
		return ""
	case !r.known:
		return w.notAGesture
	case r.Limit.Amount == 0:
		return fmt.Sprintf(w.notYours, r.Gesture.Title)
	case r.used > 0:
		return fmt.Sprintf(w.tooMuchUsed, say(r.asked), say(r.Limit.Amount), w.periods[r.Limit.Period], say(r.used))
	}
	return fmt.Sprintf(w.tooMuch, say(r.asked), say(r.Limit.Amount), w.periods[r.Limit.Period])
}

// Periods gives the periods that limits on a gesture count by.
func (a Authority) Periods(gesture string) []Period {
	var out []Period
	for _, role := range roles {
		if l, ok := a.limits[role][gesture]; ok && !slices.Contains(out, l.Period) {
			out = append(out, l.Period)
		}
	}
	return out
}
