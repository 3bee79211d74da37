package measure

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/testkit"
)

// files writes files into a folder of the test.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestNextSteps(t *testing.T) {
	dir := files(t, map[string]string{
		"p/care--lamp.md": "# Lamps\n\nA lamp flickers.\n\n1. [Open Case] Open a case.\n2. [Send Bulb] Send a bulb.\n",
		"p/care--tent.md": "# Tents\n\nA tent leaks.\n\n1. [Open Case] Open a case.\n2. [Book Repair] Book it.\n",
		"c.jsonl":         `{"_id":"a","turns":[{"role":"customer","text":"My lamp flickers"},{"role":"action","text":"","action":{"name":"open-case"}},{"role":"action","text":"","action":{"name":null,"one_of":["send-bulb","call"]}},{"role":"agent","text":"Done"}]}` + "\n\n",
		"n.jsonl": `{"_id":"1","conversation":"a","sees_turns":1,"policy":"care/lamp","target":{"step":"take_action","accept":["open-case"]}}` + "\n" +
			`{"_id":"2","conversation":"a","sees_turns":2,"policy":"care/lamp","target":{"step":"take_action","accept":["send-bulb","call"]}}` + "\n" +
			`{"_id":"3","conversation":"a","sees_turns":3,"policy":"care/lamp","target":{"step":"retrieve_utterance"}}` + "\n",
	})
	in := StepsInput{Policies: filepath.Join(dir, "p"), Conversations: filepath.Join(dir, "c.jsonl"), Points: filepath.Join(dir, "n.jsonl")}
	r, err := NextSteps(in)
	if err != nil {
		t.Fatal(err)
	}
	if r.Points != 2 || r.AllPoints != 3 || r.Hit1 != 1 || r.Hit3 != 1 || r.PolicyAccuracy != 1 {
		t.Errorf("%+v", r)
	}
	in.LearnConversations, in.LearnPoints = in.Conversations, in.Points
	if r, err = NextSteps(in); err != nil || r.Learned != 1 || r.Hit1 != 1 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestNextStepsBadFiles(t *testing.T) {
	dir := files(t, map[string]string{
		"p/a.md": "1. [A] a\n", "c.jsonl": `{"_id":"a","turns":[]}`, "n.jsonl": `{"_id":"1","conversation":"b","sees_turns":1}`, "broken.jsonl": "{}\n{",
	})
	at := func(name string) string { return filepath.Join(dir, name) }
	for want, in := range map[string]StepsInput{
		"no Markdown files":    {Policies: dir, Conversations: at("c.jsonl"), Points: at("n.jsonl")},
		`conversation "b"`:     {Policies: at("p"), Conversations: at("c.jsonl"), Points: at("n.jsonl")},
		"broken.jsonl, line 2": {Policies: at("p"), Conversations: at("broken.jsonl"), Points: at("n.jsonl")},
		"no such file":         {Policies: at("p"), Conversations: at("none.jsonl"), Points: at("n.jsonl")},
	} {
		if _, err := NextSteps(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestTextOrderOnRealChats holds the figures that need no learning, on real
// chats where a developer has them.
func TestTextOrderOnRealChats(t *testing.T) {
	dir := filepath.Join(testkit.Dir(t), "dev", "abcd")
	if _, err := os.Stat(filepath.Join(dir, "next_steps.jsonl")); os.IsNotExist(err) {
		t.Skip(err)
	}
	r, err := NextSteps(StepsInput{Policies: filepath.Join(dir, "policies"), Conversations: filepath.Join(dir, "conversations.jsonl"), Points: filepath.Join(dir, "next_steps.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d points: hit@1 %.3f, hit@3 %.3f, procedure %.3f, kind %.3f, p95 %.2f ms", r.Points, r.Hit1, r.Hit3, r.PolicyAccuracy, r.KindAccuracy, r.P95)
	if r.Hit1 < 0.58 || r.Hit3 < 0.74 || r.KindAccuracy < 0.67 {
		t.Error("worse than it was")
	}
}
