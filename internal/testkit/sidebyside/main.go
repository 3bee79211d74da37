// Command sidebyside runs one generated suite of plain prompts with aside and with
// promptfoo, and compares wall clock and memory: `make bench-promptfoo`. Both ask
// the same model on this machine, which answers at once; caches are off. With
// "agree" it compares what both say of every assertion: `make agree-promptfoo`.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	cases = 200
	runs  = 5
	jobs  = "4"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-promptfoo:", err)
		os.Exit(1)
	}
}

func run() error {
	promptfoo := os.Getenv("PROMPTFOO")
	if promptfoo == "" {
		found, err := exec.LookPath("promptfoo")
		if err != nil {
			fmt.Println("bench-promptfoo: skipped, there is no promptfoo here. `npm install --prefix /tmp/pf promptfoo@0.123.1`, then PROMPTFOO=/tmp/pf/node_modules/.bin/promptfoo make bench-promptfoo")
			return nil
		}
		promptfoo = found
	}
	// It ends without a word on standard output where Node is older than it asks for.
	if out, err := exec.Command(promptfoo, "--version").CombinedOutput(); err != nil {
		return fmt.Errorf("promptfoo does not start: %w\n%s", err, out)
	}
	if len(os.Args) > 1 && os.Args[1] == "agree" {
		return agree(promptfoo)
	}
	dir, err := os.MkdirTemp("", "sidebyside")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var asked atomic.Int64
	address, stop, err := serveModel(&asked)
	if err != nil {
		return err
	}
	defer stop()
	suite := filepath.Join(dir, "suite.yaml")
	if err := os.WriteFile(suite, []byte(suiteText(address)), 0o644); err != nil {
		return err
	}
	env := environment(dir, address)
	tools := []struct {
		name string
		args []string
	}{
		{"promptfoo", []string{promptfoo, "eval", "-c", suite, "--no-cache", "-j", jobs, "--no-progress-bar", "--no-table", "--no-write"}},
		{"aside", []string{"bin/aside", "eval", suite, "--no-cache", "--concurrency", jobs}},
	}
	fmt.Printf("%d cases, 3 assertions each, concurrency %s, caches off, medians of %d runs\n", cases, jobs, runs)
	median := map[string][2]float64{}
	for _, t := range tools {
		var walls, memory []float64
		for range runs {
			before := asked.Load()
			wall, rss, err := measure(t.args, env)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			if n := asked.Load() - before; n != cases {
				return fmt.Errorf("%s asked the model %d times, not %d", t.name, n, cases)
			}
			walls, memory = append(walls, wall.Seconds()), append(memory, rss)
		}
		slices.Sort(walls)
		slices.Sort(memory)
		median[t.name] = [2]float64{walls[runs/2], memory[runs/2]}
		fmt.Printf("%-10s %7.3f s (%.3f … %.3f)  %6.1f MB (%.1f … %.1f)\n", t.name, walls[runs/2], walls[0], walls[runs-1], memory[runs/2], memory[0], memory[runs-1])
	}
	p, a := median["promptfoo"], median["aside"]
	fmt.Printf("aside is %.1f times as fast with 1/%.1f of the memory; promised are 10 and 1/4\n", p[0]/a[0], p[1]/a[1])
	if p[0] < 10*a[0] || p[1] < 4*a[1] {
		return errors.New("that is less than promised")
	}
	return nil
}

// environment is that of both tools: their model is on this machine, and nothing
// else is called.
func environment(dir, address string) []string {
	return append(os.Environ(), "ASIDE_LLM_BASE_URL="+address, "ASIDE_LLM_MODEL=m", "OPENAI_API_KEY=none",
		"PROMPTFOO_DISABLE_TELEMETRY=1", "PROMPTFOO_DISABLE_UPDATE=1", "PROMPTFOO_CONFIG_DIR="+filepath.Join(dir, "promptfoo"))
}

// measure runs a command to its end: its wall clock, and the most memory it or a
// process it waited for had, in MB.
func measure(args, env []string) (time.Duration, float64, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = env
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	wall := time.Since(began)
	if err != nil {
		text := out.String()
		return 0, 0, fmt.Errorf("%w\n%s", err, text[max(0, len(text)-2000):])
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0, errors.New("this system does not say how much memory was used")
	}
	return wall, float64(usage.Maxrss) / 1024, nil
}

// suiteText is the suite, in words both tools read.
func suiteText(address string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `description: Plain prompts, side by side.
prompts:
  - "You are a support agent. Answer {{name}} about order {{order}}: {{question}}"
providers:
  - id: openai:chat:m
    config: {apiBaseUrl: "%s", temperature: 0, max_tokens: 100}
tests:
`, address)
	for i := range cases {
		fmt.Fprintf(&b, `  - description: case %d
    vars: {name: Dana%d, order: WF-%06d, question: "Where is my parcel number %d, and when does it come?"}
    assert:
      - {type: contains, value: Dana%d}
      - {type: icontains, value: "parcel number %d"}
      - {type: regex, value: 'WF-\d{6}'}
`, i, i, i, i, i, i)
	}
	return b.String()
}

// serveModel answers every chat at once, with the prompt.
func serveModel(asked *atomic.Int64) (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Stream   bool
			Messages []struct{ Content any }
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err == nil {
			err = json.Unmarshal(body, &q)
		}
		if err != nil || len(q.Messages) == 0 {
			http.Error(w, "no messages", http.StatusBadRequest)
			return
		}
		asked.Add(1)
		text := fmt.Sprint(q.Messages[len(q.Messages)-1].Content)
		choice := func(key string) map[string]any {
			return map[string]any{"id": "x", "model": "m", "choices": []any{map[string]any{"index": 0, "finish_reason": "stop", key: map[string]any{"role": "assistant", "content": text}}}}
		}
		if q.Stream {
			w.Header().Set("Content-Type", "text/event-stream")
			raw, _ := json.Marshal(choice("delta")) // of texts and numbers only
			fmt.Fprintf(w, "data: %s\n\ndata: [DONE]\n\n", raw)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		answer := choice("message")
		answer["object"], answer["usage"] = "chat.completion", map[string]any{"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
		_ = json.NewEncoder(w).Encode(answer) // a client that left does not wait
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }() // ends when it is closed
	return "http://" + l.Addr().String() + "/v1", func() { server.Close(); <-done }, nil
}
