package prompt

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rollout says which share of the conversations is written with which variant.
// The zero value gives everybody the plain prompt.
type Rollout struct{ shares []share }

type share struct {
	variant string // reply@short
	percent float64
}

// ParseRollout reads a configuration such as "reply@short=10, bot@strict=50":
// variants and the percentage of conversations each gets. What is left of a
// prompt's 100 is the plain one's.
func ParseRollout(text string) (Rollout, error) {
	var r Rollout
	var faults []error
	sums := map[string]float64{}
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		base, variant, _ := strings.Cut(name, "@")
		percent, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), "%"), 64)
		switch {
		case base == "" || variant == "":
			faults = append(faults, fmt.Errorf("%q must name a variant and its percentage, such as reply@short=10", part))
		case err != nil || !(percent >= 0 && percent <= 100):
			faults = append(faults, fmt.Errorf("%s: the percentage must be 0 to 100, not %q", name, value))
		case slices.ContainsFunc(r.shares, func(s share) bool { return s.variant == name }):
			faults = append(faults, fmt.Errorf("%s stands there twice", name))
		default:
			r.shares = append(r.shares, share{name, percent})
			if sums[base] += percent; sums[base] > 100 {
				faults = append(faults, fmt.Errorf("the variants of %s have more than 100 percent together", base))
			}
		}
	}
	return r, errors.Join(faults...)
}

// Check says whether every variant is there.
func (r Rollout) Check(set *Set) error {
	var faults []error
	for _, s := range r.shares {
		_, err := set.Get(s.variant)
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// Pick gives the variant of a prompt that a conversation is written with: always
// the same for the same conversation, while the shares stand. A share that grows
// keeps the conversations it had, if it stands first.
func (r Rollout) Pick(name, conversation string) string {
	if len(r.shares) == 0 {
		return name
	}
	sum := sha256.Sum256([]byte(name + "\x00" + conversation))
	at := float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53) * 100
	for _, s := range r.shares {
		if base, _, _ := strings.Cut(s.variant, "@"); base != name {
			continue
		}
		if at < s.percent {
			return s.variant
		}
		at -= s.percent
	}
	return name
}
