package suggest

import (
	"strings"
	"time"

	"github.com/aside-project/aside/internal/check"
	"github.com/aside-project/aside/internal/playbook"
)

// Limits says what a role may still give a customer without asking, for check:
// of drafts here, and of what agents type. order is what a limit per order is
// counted by.
func Limits(a playbook.Authority, role string, spent playbook.Spent, at time.Time, order string) []check.Limit {
	limits := make([]check.Limit, 0, len(a.Gestures))
	for _, g := range a.Gestures {
		l := check.Limit{Gesture: g.Title, Titles: g.Titles, Unit: check.Number}
		switch g.Unit {
		case playbook.UnitMoney:
			l.Unit, l.Currency = check.Money, strings.ToLower(a.Currency)
		case playbook.UnitPercent:
			l.Unit = check.Percent
		}
		if _, may := a.Limit(role, g.ID); may {
			ruling := a.Rule(role, g.ID, 1, spent, at, order)
			l.Left, l.Period = float64(ruling.Left)/100, within[ruling.Limit.Period]
		} else {
			l.Barred = true
		}
		limits = append(limits, l)
	}
	return limits
}

var within = map[playbook.Period]string{
	playbook.PeriodOrder: "for this order", playbook.PeriodQuarter: "this quarter", playbook.PeriodYear: "this year",
}
