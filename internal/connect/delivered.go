package connect

import (
	"context"
	"fmt"
	"time"
)

// LastDelivery is the check whether a tool's deliveries come and are believed; fix
// says what to do when not. That none came yet is not in order: nothing works then. A
// refused one after it is a finding only when no good one came for an hour: anybody
// can send what is not signed.
func LastDelivery(ctx context.Context, marks Marks, tool, name, fix string) Check {
	c := Check{Name: name, Fix: fix}
	came, err := marks.Marked(ctx, tool, MarkDelivery)
	if err == nil {
		var refused time.Time
		if refused, err = marks.Marked(ctx, tool, MarkRefused); err == nil {
			switch {
			case refused.After(came) && time.Since(came) > time.Hour:
				c.Detail = "the last one, at " + refused.UTC().Format(time.RFC3339) + ", was refused: it was not signed with the configured secret, or more than 5 minutes off"
			case came.IsZero():
				c.Detail = "none came yet"
			default:
				c.OK, c.Detail, c.Fix = true, fmt.Sprintf("the last one came at %s", came.UTC().Format(time.RFC3339)), ""
			}
			return c
		}
	}
	c.Detail = err.Error()
	return c
}
