package app_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/testkit/natsd"
	"github.com/aside-project/aside/internal/testkit/testdb"
	"github.com/aside-project/aside/internal/web"
)

// TestWhatIsAway has parts go that the server can do without, and then the one it
// cannot: readiness and the doctor name them, and the doctor says what to do.
func TestWhatIsAway(t *testing.T) {
	bus := natsd.Cluster(t, 1)
	db := testdb.Own(t, false)
	a, cfg := server(t, func(c *app.Config) {
		c.Database, c.NATS = db.URL(), bus.URL(0)
		c.Read = db.URL() // a primary, and no replica
	})
	// until asks until the parts are as wanted: name → ok, degraded or missing.
	until := func(ready bool, want map[string]string) {
		t.Helper()
		late := time.After(time.Minute)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			is, parts := readiness(t, a.URL())
			same := is == ready && len(parts) == len(want)
			for name, state := range want {
				same = same && strings.HasPrefix(parts[name], state)
			}
			if same {
				return
			}
			select {
			case <-tick.C:
			case <-late:
				t.Fatalf("ready %v, parts %v; want %v %v", is, parts, ready, want)
			}
		}
	}
	// doctor asks until the doctor says of a part what is wanted: it gives each little time.
	doctor := func(name string, ok bool, detail, fix string) {
		t.Helper()
		for late := time.Now().Add(2 * time.Minute); ; {
			checks := app.Examine(t.Context(), cfg, quiet())
			i := slices.IndexFunc(checks, func(c app.Check) bool { return c.Name == name })
			if i < 0 {
				t.Fatalf("the doctor does not speak of %s", name)
			}
			if c := checks[i]; c.OK == ok && strings.Contains(c.Detail, detail) && strings.Contains(c.Fix, fix) {
				return
			} else if time.Now().After(late) {
				t.Fatalf("%+v; want %v, %q, %q", c, ok, detail, fix)
			}
		}
	}

	until(true, map[string]string{"database": "ok", "read replica": "degraded: it is no standby; retrieval reads from the database itself", "event bus": "ok"})
	doctor("event bus", true, "NATS server n0", "")
	doctor("read replica", false, "it is no standby", "ASIDE_DATABASE_READ_URL")

	bus.Cut()
	until(true, map[string]string{"database": "ok", "read replica": "degraded", "event bus": "degraded: no server answers"})
	doctor("event bus", false, "", "ASIDE_NATS_URL")
	bus.Heal()
	until(true, map[string]string{"database": "ok", "read replica": "degraded", "event bus": "ok"})

	db.Crash(t)
	until(false, map[string]string{"database": "missing", "read replica": "degraded", "event bus": "ok"})
	db.Start(t)
	until(true, map[string]string{"database": "ok", "read replica": "degraded", "event bus": "ok"})
}

// readiness asks a server what it can do: ok, degraded or missing, and why.
func readiness(t *testing.T, url string) (ready bool, parts map[string]string) {
	t.Helper()
	res, err := http.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	var body struct {
		Ready bool       `json:"ready"`
		Parts []web.Part `json:"parts"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if body.Ready != (res.StatusCode == http.StatusOK) {
		t.Errorf("status %d, ready %v", res.StatusCode, body.Ready)
	}
	parts = map[string]string{}
	for _, p := range body.Parts {
		state := "ok"
		if !p.OK {
			state = "missing"
		} else if p.Degraded {
			state = "degraded"
		}
		parts[p.Name] = state + ": " + p.Detail
	}
	return body.Ready, parts
}
