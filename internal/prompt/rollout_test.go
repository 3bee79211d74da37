package prompt

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

func TestRollout(t *testing.T) {
	pick := func(config string) map[string]string {
		t.Helper()
		r, err := ParseRollout(config)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for i := range 20000 {
			id := fmt.Sprintf("conv-%d", i)
			got[id] = r.Pick("reply", id)
			if other := r.Pick("summary", id); other != "summary" {
				t.Fatalf("a prompt without variants became %s", other)
			}
		}
		return got
	}
	share := func(got map[string]string, name string) float64 {
		n := 0.0
		for _, v := range got {
			if v == name {
				n++
			}
		}
		return 100 * n / float64(len(got))
	}
	small, large := pick("reply@short=10, reply@warm = 5%"), pick("reply@short=30,reply@warm=5")
	for name, want := range map[string]float64{"reply@short": 10, "reply@warm": 5, "reply": 85} {
		if got := share(small, name); math.Abs(got-want) > 1 {
			t.Errorf("%s is written to %.1f %% of the conversations, want %.0f", name, got, want)
		}
	}
	for id, v := range small {
		if v == "reply@short" && large[id] != v {
			t.Fatalf("%s had %s and lost it when the share grew", id, v)
		}
	}
	if got := share(pick(""), "reply"); got != 100 {
		t.Errorf("without a rollout the plain prompt has %.1f %%", got)
	}
	if got := share(pick("reply@short=100"), "reply@short"); got != 100 {
		t.Errorf("100 %% is %.1f %%", got)
	}
}

func TestRolloutFaults(t *testing.T) {
	for config, want := range map[string]string{
		"reply=10":                 "must name a variant",
		"reply@short":              "0 to 100",
		"reply@short=NaN":          "0 to 100",
		"reply@short=101":          "0 to 100",
		"reply@a=60,reply@b=60":    "more than 100 percent",
		"reply@a=10, reply@a = 20": "twice",
	} {
		if _, err := ParseRollout(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", config, err, want)
		}
	}
	r, err := ParseRollout("reply@gone=5")
	if err != nil {
		t.Fatal(err)
	}
	set, err := Load(fstest.MapFS{"reply.md": {Data: []byte("---\ndescription: x\n---\n{{define \"system\"}}a{{end}}{{define \"user\"}}u{{end}}")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Check(set); err == nil || !strings.Contains(err.Error(), "reply@gone") {
		t.Errorf("a variant that is not there: %v", err)
	}
}
