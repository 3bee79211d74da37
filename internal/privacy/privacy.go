// Package privacy finds personal secrets in text and puts placeholders in their
// place: card numbers, IBANs, phone numbers, mail addresses, national ids, keys
// and passwords. What people write in chats goes through here before it goes to a
// model or becomes a vector, a stored question or a lesson; only the agent's view
// gets the words back. Logs hold ids, never text.
//
// Documents do not: a page's phone number and address are there to be told, and
// whoever ingests a page decides what stands on it.
//
// It finds what has a form or a checksum. Names and addresses have neither and
// stay. Order numbers, prices and dates are not secrets and stay too: a support
// chat is about them.
package privacy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kind says what sort of secret was found. It is the word in the placeholder.
type Kind string

// The kinds of secrets.
const (
	Card     Kind = "CARD"
	IBAN     Kind = "IBAN"
	Phone    Kind = "PHONE"
	Mail     Kind = "MAIL"
	National Kind = "ID"
	Key      Kind = "KEY"
	Password Kind = "PASSWORD"
)

// Found is one secret in a text.
type Found struct {
	Kind       Kind
	Start, End int // byte range
}

// Find gives the secrets of a text in order; none overlap.
func Find(text string) []Found {
	var all []Found
	look := glance(text)
	for _, d := range detectors {
		if !look.may(d.kind) {
			continue
		}
		for _, at := range d.pattern.FindAllStringSubmatchIndex(text, -1) {
			start, end := at[0], at[1]
			if len(at) > 2 && at[2] >= 0 { // the group is the secret, the rest its surroundings
				start, end = at[2], at[3]
			}
			if d.holds == nil || d.holds(text, start, end) {
				if d.cut != nil {
					end = d.cut(text, start, end)
				}
				all = append(all, Found{d.kind, start, end})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Found) int { return a.Start - b.Start })
	kept := all[:0]
	for _, f := range all {
		if n := len(kept); n > 0 && f.Start < kept[n-1].End {
			if f.End > kept[n-1].End {
				kept[n-1].End = f.End
			}
			continue
		}
		kept = append(kept, f)
	}
	return kept
}

// Hide replaces every secret by its kind, for logs and vectors: nothing brings
// it back.
func Hide(text string) string {
	return replace(text, func(f Found) string { return "[" + string(f.Kind) + "]" })
}

// Drop takes every secret out, for what is learned from a text: not even that
// there was one is a word of the question.
func Drop(text string) string {
	return replace(text, func(Found) string { return "…" })
}

// Mask hides the secrets of one conversation and brings them back. The same
// secret always gets the same placeholder. The zero value is ready; a Mask is
// for one goroutine until its last Hide, then Restore may be called by many.
type Mask struct {
	placeholders map[string]string // of a secret
	secrets      map[string]string // of a placeholder
	count        map[Kind]int
}

// Hide replaces every secret by a placeholder such as [CARD_1].
func (m *Mask) Hide(text string) string {
	return replace(text, func(f Found) string {
		secret := text[f.Start:f.End]
		if p, ok := m.placeholders[secret]; ok {
			return p
		}
		if m.placeholders == nil {
			m.placeholders, m.secrets, m.count = map[string]string{}, map[string]string{}, map[Kind]int{}
		}
		m.count[f.Kind]++
		p := fmt.Sprintf("[%s_%d]", f.Kind, m.count[f.Kind])
		m.placeholders[secret], m.secrets[p] = p, secret
		return p
	})
}

var placeholder = regexp.MustCompile(`\[[A-Z]+_[0-9]+\]`)

// Restore puts the secrets back. Placeholders that Hide never gave stay as they
// are.
func (m *Mask) Restore(text string) string {
	if len(m.secrets) == 0 || !strings.Contains(text, "[") {
		return text
	}
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		if secret, ok := m.secrets[p]; ok {
			return secret
		}
		return p
	})
}

// Empty reports whether nothing was hidden.
func (m *Mask) Empty() bool { return len(m.secrets) == 0 }

func replace(text string, with func(Found) string) string {
	found := Find(text)
	if len(found) == 0 {
		return text
	}
	var b strings.Builder
	at := 0
	for _, f := range found {
		b.WriteString(text[at:f.Start])
		b.WriteString(with(f))
		at = f.End
	}
	b.WriteString(text[at:])
	return b.String()
}
