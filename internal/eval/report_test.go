package eval

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s: %s", name, d)
	}
}

func sample() []Result {
	turns := []assist.Turn{{Seq: 1, Role: assist.RoleCustomer, Text: "hi </script><b>"}}
	return []Result{
		{Suite: "a", Case: "a/one", Cluster: "a/one", Prompt: "reply", Provider: "instant", Outcome: Passed, Score: 1, Output: "Yes.", LatencyMS: 1.5, Line: "a.yaml:3", Turns: turns,
			Asserts: []AssertResult{{Type: "cites", Value: []string{"returns"}, Metric: "cites", Outcome: Passed, Score: 1, Weight: 1, Reason: "it cites returns"}}},
		{Suite: "a", Case: "a/two", Cluster: "a/two", Prompt: "reply", Provider: "instant", Outcome: Failed, Cause: CauseNotFound, Output: "No\x01 & never.", LatencyMS: 2, Line: "a.yaml:7", Turns: turns,
			Asserts: []AssertResult{{Type: "contains", Value: []string{"<60>"}, Metric: "facts", Outcome: Failed, Weight: 1, Reason: "it is missing"}}},
		{Suite: "b", Case: "b/three", Cluster: "b/three", Prompt: "reply", Provider: "instant", Outcome: Errored, Reason: "the model did not answer", Line: "b.yaml:1"},
		{Suite: "b", Case: "b/four", Cluster: "b/four", Prompt: "reply", Provider: "instant", Outcome: Skipped, Reason: "it needs a model", Line: "b.yaml:2"},
	}
}

func TestReports(t *testing.T) {
	var b bytes.Buffer
	WriteTable(&b, sample(), false)
	golden(t, "table.txt", b.String())
	b.Reset()
	WriteTable(&b, sample(), true)
	golden(t, "verbose.txt", b.String())
	b.Reset()
	if err := WriteBench(&b, sample()); err != nil {
		t.Fatal(err)
	}
	golden(t, "bench.txt", b.String())
	b.Reset()
	if err := WriteJUnit(&b, sample()); err != nil {
		t.Fatal(err)
	}
	golden(t, "junit.xml", b.String())
	if err := xml.Unmarshal(b.Bytes(), new(junitSuites)); err != nil {
		t.Errorf("JUnit cannot be read back: %v", err)
	}
	b.Reset()
	x, y := flips(200, 20, 2)
	WriteGate(&b, Gate(y, Baselines(x), GateOptions{}))
	golden(t, "gate.txt", b.String())
}

func TestPage(t *testing.T) {
	x, y := flips(40, 3, 1)
	c := Compare("a", "b", x, y)
	var b bytes.Buffer
	if err := WriteHTML(&b, sample(), &c, sample()[:1]); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if strings.Contains(page, "hi </script>") || strings.Contains(page, "https://") || strings.Contains(page, "http://") {
		t.Error("the page holds raw text of a customer, or an address")
	}
	_, rest, _ := strings.Cut(page, `id="data">`)
	raw, _, _ := strings.Cut(rest, "</script>")
	var back struct{ Results, Before []Result }
	if err := json.Unmarshal([]byte(raw), &back); err != nil || len(back.Results) != 4 || len(back.Before) != 1 || back.Results[0].Turns[0].Text != "hi </script><b>" {
		t.Errorf("the page's data: %v, %+v", err, back)
	}
}

func TestWriteReports(t *testing.T) {
	dir := t.TempDir()
	if err := WriteReports(dir, sample()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"summary.json", "results.json", "junit.xml", "bench.txt", "report.html"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
