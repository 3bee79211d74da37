package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aside-project/aside/prompts"
)

// modelServer answers chats over the OpenAI API as answer says, and counts them.
func modelServer(t *testing.T, answer func(n int, system, user string) string) (env map[string]string, asked func() int) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Messages []struct{ Role, Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || len(q.Messages) == 0 {
			http.Error(w, "no messages", http.StatusBadRequest)
			return
		}
		mu.Lock()
		n++
		text := answer(n, q.Messages[0].Content, q.Messages[len(q.Messages)-1].Content)
		mu.Unlock()
		raw, err := json.Marshal(map[string]any{"model": "m", "choices": []any{map[string]any{"finish_reason": "stop", "delta": map[string]any{"content": text}}}})
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\ndata: [DONE]\n\n", raw)
	}))
	t.Cleanup(s.Close)
	return map[string]string{"ASIDE_LLM_BASE_URL": s.URL + "/v1", "ASIDE_LLM_MODEL": "m"}, func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// TestEvalInterrupt: Ctrl-C in the middle keeps what is done, and --resume
// finishes the rest and no more.
func TestEvalInterrupt(t *testing.T) {
	workdir(t, map[string]string{"s.yaml": strings.Replace(plainSuite, "echo", "openai", 1)})
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan struct{})
	env, asked := modelServer(t, func(n int, _, user string) string {
		if n == 3 {
			interrupt()
			<-ended // or the answer might be quicker
		}
		return user
	})
	args := []string{"eval", "s.yaml", "--no-cache", "--concurrency", "1", "--out", "run", "--json"}
	var out, errs bytes.Buffer
	code := run(ctx, args, func(k string) string { return env[k] }, &out, &errs)
	close(ended)
	if code != exitFailed || !strings.Contains(errs.String(), "stopped after 2 results") || !strings.Contains(errs.String(), "`--out run --resume` goes on from there") {
		t.Fatalf("%d %s%s", code, &out, &errs)
	}
	was := asked()
	code, text, fault := aside(t, env, append(args, "--resume")...)
	if code != exitOK || !strings.Contains(text, `"cases":5,"passed":5`) || asked()-was != 3 {
		t.Errorf("%d, %d more calls\n%s%s", code, asked()-was, text, fault)
	}
}

// TestEvalWatch: a changed suite runs again, one that does not read is said and
// waited for, Ctrl-C ends it.
func TestEvalWatch(t *testing.T) {
	workdir(t, map[string]string{"s.yaml": plainSuite})
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	lines, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"eval", "./s.yaml", "--no-cache", "--watch"}, func(string) string { return "" }, w, w)
		w.Close()
	}()
	heard := make(chan string)
	go func() {
		defer close(heard)
		buf := make([]byte, 64<<10)
		for {
			n, err := lines.Read(buf)
			if err != nil {
				return
			}
			heard <- string(buf[:n])
		}
	}()
	until := func(want string) {
		t.Helper()
		for text := range heard {
			if strings.Contains(text, want) {
				return
			}
		}
		t.Fatalf("%q was never said", want)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile("s.yaml", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	until("all         5       5")
	write("tests: nonsense\n")
	until("there is no file nonsense")
	write(strings.Replace(plainSuite, ", e5]", "]", 1))
	until("all         4       4")
	stop()
	for range heard { // what is said at the end
	}
	if code := <-done; code != exitOK {
		t.Errorf("exit %d", code)
	}
}

// TestEvalAgainstRevision: the prompts of a git revision are run on the same cases.
func TestEvalAgainstRevision(t *testing.T) {
	files := map[string]string{"s.yaml": "tests:\n  - {description: one, vars: {question: how do i wash the heron hoody}, assert: [{type: contains, value: second}]}\n" +
		"  - {description: two, vars: {question: how long do refunds take}, assert: [{type: contains, value: second}]}\n"}
	names, err := fs.Glob(prompts.Files, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		raw, err := fs.ReadFile(prompts.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		files["prompts/"+name] = string(raw)
	}
	workdir(t, files)
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "first"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	tone := filepath.Join("prompts", "tone.md")
	if err := os.WriteFile(tone, []byte(files["prompts/tone.md"]+"- This is the second wording.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	env, asked := modelServer(t, func(_ int, system, _ string) string {
		text := "The first."
		if strings.Contains(system, "second wording") {
			text = "The second."
		}
		return fmt.Sprintf(`{"sentences":[{"text":%q,"citations":[]}]}`, text)
	})
	code, out, errs := aside(t, env, "eval", "./s.yaml", "--provider", "openai", "--no-cache", "--against", "HEAD", "--json")
	var got struct {
		Cases int
		Flips []struct {
			Case   string
			Better bool
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK || got.Cases != 2 || len(got.Flips) != 2 || !got.Flips[0].Better || asked() != 4 {
		t.Errorf("%d, %d calls, %v\n%s%s", code, asked(), err, out, errs)
	}
	if code, _, errs := aside(t, env, "eval", "./s.yaml", "--no-cache", "--against", "no-such-revision"); code != exitUsage || !strings.Contains(errs, "nor a git revision") {
		t.Errorf("%d %s", code, errs)
	}
}
