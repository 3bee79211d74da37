package generic

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

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
		default:
			if err := t.reach(ctx); err != nil {
				out.OK, out.Detail, out.Fix = false, "nothing answers at "+u.Host+": "+err.Error(), "start the receiver, or mend ASIDE_HOOK_URL; what waits is sent for a day, and listed on the page /deliveries"
			}
		}
	}
	return []connect.Check{in, out, connect.LastDelivery(ctx, t.marks, Name, "webhook turn", "send one: deploy/connect-generic.md has the command")}
}

// reach says whether a server answers where things go out to, whatever it says to
// a HEAD that nobody signed.
func (t *Tool) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, t.cfg.URL, nil)
	if err != nil {
		return err
	}
	res, err := t.o.Client.Do(r)
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err // the address may hold a secret
	}
	if err == nil {
		err = res.Body.Close()
	}
	return err
}
