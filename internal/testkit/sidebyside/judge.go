package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// serveJudge is a judge that goes by rules, asked in promptfoo's words or in ours:
// a sentence follows from a context that holds its words in a row, is needed if it
// shares two words with the question, and contradicts an expert if either has a
// word that the other lacks. It also gives vectors: the counts of words.
func serveJudge() (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Input    json.RawMessage
			Messages []struct{ Content string }
			Stream   bool
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err == nil {
			err = json.Unmarshal(body, &q)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/embeddings") {
			var texts []string
			if json.Unmarshal(q.Input, &texts) != nil {
				texts = []string{strings.Trim(string(q.Input), `"`)}
			}
			var data []any
			for i, t := range texts {
				data = append(data, map[string]any{"index": i, "object": "embedding", "embedding": counts(t)})
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "model": "words", "data": data, "usage": map[string]any{"prompt_tokens": 1, "total_tokens": 1}})
			return
		}
		var all strings.Builder
		for _, m := range q.Messages {
			all.WriteString(m.Content + "\n")
		}
		text := opinion(all.String())
		choice := func(key string) map[string]any {
			return map[string]any{"id": "x", "model": "m", "choices": []any{map[string]any{"index": 0, "finish_reason": "stop", key: map[string]any{"role": "assistant", "content": text}}}}
		}
		if q.Stream {
			w.Header().Set("Content-Type", "text/event-stream")
			raw, _ := json.Marshal(choice("delta")) // of texts and numbers only
			fmt.Fprintf(w, "data: %s\n\ndata: [DONE]\n\n", raw)
			return
		}
		answer := choice("message")
		answer["object"], answer["usage"] = "chat.completion", map[string]any{"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
		_ = json.NewEncoder(w).Encode(answer) // a client that left does not wait
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }() // ends when it is closed
	return "http://" + l.Addr().String() + "/v1", func() { server.Close(); <-done }, nil
}

func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789", r) })
}

func counts(text string) []float64 {
	v := make([]float64, 512)
	for _, w := range words(text) {
		h := fnv.New32a()
		_, _ = io.WriteString(h, w)
		v[h.Sum32()%512]++
	}
	return v
}

func follows(sentence, context string) bool {
	return strings.Contains(" "+strings.Join(words(context), " ")+" ", " "+strings.Join(words(sentence), " ")+" ")
}

func needed(sentence, question string) bool {
	asked, shared := words(question), 0
	for _, w := range words(sentence) {
		if slices.Contains(asked, w) {
			shared++
		}
	}
	return shared >= 2
}

// relation is the place in subset, superset, same, contradiction.
func relation(expert, reply string) int {
	lacks := func(a, b string) bool {
		return slices.ContainsFunc(words(a), func(w string) bool { return !slices.Contains(words(b), w) })
	}
	more, less := lacks(reply, expert), lacks(expert, reply)
	switch {
	case more && less:
		return 3
	case more:
		return 1
	case less:
		return 0
	}
	return 2
}

func asking(answer string) string {
	return "how long do " + strings.Join(words(answer)[:2], " ")
}

// part is what stands between the last begin and the end after it.
func part(text, begin, end string) string {
	at := strings.LastIndex(text, begin)
	if at < 0 {
		return ""
	}
	inside, _, _ := strings.Cut(text[at+len(begin):], end)
	return strings.TrimSpace(inside)
}

func lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

var fences = regexp.MustCompile(`(?s)<<< (\w+) (\w+)\n(.*?)\n>>> (\w+)`)

// opinion answers whichever question it is asked.
func opinion(text string) string {
	data := map[string][]string{}
	for _, m := range fences.FindAllStringSubmatch(text, -1) {
		data[m[1]] = append(data[m[1]], m[3])
	}
	one := func(name string) string { return strings.Join(data[name], "\n") }
	switch {
	case len(data["sentence"]) > 0:
		var out []string
		for i, s := range data["sentence"] {
			holds := follows(s, one("context"))
			if one("context") == "" {
				holds = needed(s, one("question"))
			}
			out = append(out, fmt.Sprintf(`{"number":%d,"reason":"by rule","holds":%v}`, i+1, holds))
		}
		return `{"verdicts":[` + strings.Join(out, ",") + `]}`
	case len(data["expert"]) > 0:
		return fmt.Sprintf(`{"reason":"by rule","category":%q}`, []string{"subset", "superset", "same", "contradiction"}[relation(one("expert"), one("reply"))])
	case len(data["reply"]) > 0:
		return fmt.Sprintf(`{"question":%q}`, asking(one("reply")))

	case strings.Contains(text, "<expert_answer>"):
		r := relation(part(text, "<expert_answer>", "</expert_answer>"), part(text, "<submitted_answer>", "</submitted_answer>"))
		return fmt.Sprintf(`{"category":%q,"reason":"by rule"}`, "ABCD"[r:r+1])
	case strings.Contains(text, "Natural language inference"):
		context, final := part(text, "context:", "statements:"), "Final verdict for each statement in order:"
		for _, s := range lines(part(text, "statements:", "Answer:")) {
			final += map[bool]string{true: " Yes.", false: " No."}[follows(s, context)]
		}
		return final
	case strings.Contains(text, "create one or more statements"):
		return part(text, "answer:", "statements:")
	case strings.Contains(text, "can be attributed to the given context"):
		context, out := part(text, "context:", "answer:"), ""
		for i, s := range lines(part(text, "answer:", "classification:")) {
			out += fmt.Sprintf("%d. %s So %s\n", i+1, s, map[bool]string{true: "[Attributed]", false: "[Not Attributed]"}[follows(s, context)])
		}
		return out
	case strings.Contains(text, "extract relevant sentences"):
		question := part(text, "query:", "context:")
		kept := slices.DeleteFunc(lines(part(text, "context:", "candidate sentences:")), func(s string) bool { return !needed(s, question) })
		if len(kept) == 0 {
			return "Insufficient Information"
		}
		return strings.Join(kept, "\n")
	case strings.Contains(text, "Generate question"):
		return asking(part(text, "Answer:", "Question:"))
	}
	return "I was not asked anything I know."
}
