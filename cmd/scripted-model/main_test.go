package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"--listen", "127.0.0.1:0", "--first-token", "0"}, w, io.Discard)
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(strings.TrimSpace(strings.TrimPrefix(line, "scripted-model: ")) + "/models")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("status %d", resp.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if c := <-code; c != 0 {
		t.Errorf("exit %d", c)
	}
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-h"}, 0, "ASIDE_LLM_BASE_URL"},
		{[]string{"--mode", "odd"}, 2, "wrong-schema"},
		{[]string{"--embeddings", "cut"}, 2, "--embeddings"},
		{[]string{"--tokens-per-second", "-1"}, 2, "negative"},
		{[]string{"extra"}, 2, `"extra" is not a flag`},
		{[]string{"--nope"}, 2, "not defined"},
		{[]string{"--listen", "256.0.0.1:1"}, 1, "--listen"},
	} {
		var errs strings.Builder
		if code := run(t.Context(), tt.args, io.Discard, &errs); code != tt.code || !strings.Contains(errs.String(), tt.says) {
			t.Errorf("%v: exit %d saying %q, want %d and %q", tt.args, code, errs.String(), tt.code, tt.says)
		}
	}
}
