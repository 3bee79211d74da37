package generic

import (
	"context"
	"net/url"
	"strings"

	"github.com/aside-project/aside/internal/connect"
)

// Checks implements connect.Checker, in the order of deploy/connect-generic.md.
func (t *Tool) Checks(ctx context.Context) []connect.Check {
	in := connect.Check{Name: "webhook in", OK: true}
	var takes []string
	for _, k := range []struct{ secret, name string }{
		{t.cfg.Secret, "/v1/hooks/generic"}, {t.cfg.ZendeskSecret, "/v1/hooks/generic/zendesk"}, {t.cfg.IntercomSecret, "/v1/hooks/generic/intercom"},
	} {
		if k.secret != "" {
			takes = append(takes, k.name)
		}
	}
	in.Detail = "takes signed turns at " + strings.Join(takes, ", ")
	out := connect.Check{Name: "webhook out", OK: true, Detail: "none: suggestions are seen in Aside only; ASIDE_HOOK_URL takes them elsewhere"}
	if u, err := url.Parse(t.cfg.URL); err == nil && t.cfg.URL != "" {
		out.Detail = "suggestions go to " + u.Host
		dead, err := t.store.CountDead(ctx, Name)
		switch {
		case err != nil:
			out.OK, out.Detail = false, err.Error()
		case dead > 0:
			out.OK, out.Detail, out.Fix = false, out.Detail+"; some were given up", "look at them on the page /deliveries, mend the receiver, and replay them"
		}
	}
	return []connect.Check{in, out, connect.LastDelivery(ctx, t.marks, Name, "webhook turn", "send one: deploy/connect-generic.md has the command")}
}
