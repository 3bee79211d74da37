package app_test

import (
	"encoding/json"
	"net/http"
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
		late := time.After(30 * time.Second)
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
	doctor := func(name string) app.Check {
		t.Helper()
		for _, c := range app.Examine(t.Context(), cfg, quiet()) {
			if c.Name == name {
				return c
			}
		}
		t.Fatalf("the doctor does not speak of %s", name)
		return app.Check{}
	}

	until(true, map[string]string{"database": "ok", "read replica": "degraded: it is no standby; retrieval reads from the database itself", "event bus": "ok"})
	if c := doctor("event bus"); !c.OK || !strings.Contains(c.Detail, "NATS server n0") {
		t.Errorf("%+v", c)
	}
	if c := doctor("read replica"); c.OK || !strings.Contains(c.Detail, "it is no standby") || !strings.Contains(c.Fix, "ASIDE_DATABASE_READ_URL") {
		t.Errorf("%+v", c)
	}

	bus.Cut()
	until(true, map[string]string{"database": "ok", "read replica": "degraded", "event bus": "degraded: no server answers"})
	if c := doctor("event bus"); c.OK || !strings.Contains(c.Fix, "ASIDE_NATS_URL") {
		t.Errorf("%+v", c)
	}
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
