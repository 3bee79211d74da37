package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// aside runs a command line with an environment of its own.
func aside(t *testing.T, env map[string]string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, func(k string) string { return env[k] }, &o, &e)
	return code, o.String(), e.String()
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("from-a-file"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := "--data-dir=" + dir
	for _, tt := range []struct {
		name string
		env  map[string]string
		args []string
		code int
		out  string // contained in standard output
		err  string // contained in standard error
	}{
		{"nothing", nil, nil, exitUsage, "", "Start with `aside up`."},
		{"help", nil, []string{"help"}, exitOK, "aside COMMAND -h", ""},
		{"help of a command", nil, []string{"help", "replay"}, exitOK, "--concurrency", ""},
		{"variables in help", nil, []string{"serve", "-h"}, exitOK, "[ASIDE_LISTEN]", ""},
		{"secrets in help", nil, []string{"serve", "-h"}, exitOK, "ASIDE_DATABASE_URL", ""},
		{"unknown command", nil, []string{"uo"}, exitUsage, "", `there is no command "uo"`},
		{"unknown flag", nil, []string{"token", "--rule", "agent"}, exitUsage, "", "rule"},
		{"unknown role", nil, []string{"token", data, "--role", "boss"}, exitUsage, "", "agent, customer, source or maintainer"},
		{"customer without conversation", nil, []string{"token", data, "--role", "customer"}, exitUsage, "", "--conversation"},
		{"negative ttl", nil, []string{"token", data, "--ttl", "-1h"}, exitUsage, "", "--ttl"},
		{"short secret", map[string]string{"ASIDE_SECRET": "short"}, []string{"token", data}, exitUsage, "", "at least 32 bytes"},
		{"revoke nobody", nil, []string{"token", "revoke", data}, exitUsage, "", "--sub SUBJECT"},
		{"revoke two", nil, []string{"token", "revoke", data, "--sub", "a", "--id", "b"}, exitUsage, "", "either"},
		{"forget everybody", nil, []string{"forget", data}, exitUsage, "", "--customer KEY"},
		{"forget an argument", nil, []string{"forget", data, "conv_1"}, exitUsage, "", "--conversation ID"},
		{"no such network", map[string]string{"ASIDE_TRUSTED_PROXIES": "everybody"}, []string{"up", data}, exitUsage, "", "10.0.0.0/8"},
		{"value and file", map[string]string{"ASIDE_SECRET": "x", "ASIDE_SECRET_FILE": key}, []string{"token"}, exitUsage, "", "keep one"},
		{"file missing", map[string]string{"ASIDE_SECRET_FILE": key + "-not"}, []string{"token"}, exitUsage, "", "ASIDE_SECRET_FILE"},
		{"variable not a number", map[string]string{"ASIDE_LISTEN": "here"}, []string{"up", data}, exitUsage, "", "ASIDE_LISTEN"},
		{"serve without database", nil, []string{"serve", data}, exitUsage, "", "ASIDE_DATABASE_URL"},
		{"serve without secret", map[string]string{"ASIDE_DATABASE_URL": "postgres://nowhere.invalid/x"}, []string{"serve"}, exitUsage, "", "ASIDE_SECRET"},
		{"model without name", map[string]string{"ASIDE_LLM_BASE_URL": "http://127.0.0.1:1/v1"}, []string{"up", data}, exitUsage, "", "ASIDE_LLM_MODEL"},
		{"search without text", nil, []string{"search", data}, exitUsage, "", "is empty"},
		{"search of a wrong date", nil, []string{"search", data, "--at", "soon", "refund"}, exitUsage, "", "2026-03-31"},
		{"search of a wrong audience", nil, []string{"search", data, "refund", "--audience", "everyone"}, exitUsage, "", "public or internal"},
		{"ingest of nothing", nil, []string{"ingest", data}, exitUsage, "", "name the files"},
		{"replay of nothing", nil, []string{"replay", data}, exitUsage, "", "name one file"},
		{"replay of a missing file", nil, []string{"replay", data, filepath.Join(dir, "none.jsonl")}, exitUsage, "", "none.jsonl"},
		{"flags after words", nil, []string{"up", "now", data}, exitUsage, "", `was given "now"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := aside(t, tt.env, tt.args...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, tt.code, out, errs)
			}
			if !strings.Contains(out, tt.out) || !strings.Contains(errs, tt.err) {
				t.Errorf("want %q on standard output and %q on standard error; got\n%s\n--\n%s", tt.out, tt.err, out, errs)
			}
		})
	}
}

// TestTokenIsKept says that two commands on one machine share the development
// secret, and that --json prints one object.
func TestTokenIsKept(t *testing.T) {
	data := "--data-dir=" + t.TempDir()
	var tokens []string
	for range 2 {
		code, out, errs := aside(t, nil, "token", data, "--role", "agent", "--name", "Maya R.", "--json")
		if code != exitOK {
			t.Fatalf("exit code %d: %s", code, errs)
		}
		var got struct{ Token string }
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		tokens = append(tokens, got.Token)
	}
	header := strings.Split(tokens[0], ".")[0]
	if !strings.HasPrefix(tokens[1], header+".") || strings.Count(tokens[0], ".") != 2 {
		t.Errorf("not two tokens of one kind: %v", tokens)
	}
}

// TestDatabaseDown says what an operator reads when the database is not there.
func TestDatabaseDown(t *testing.T) {
	env := map[string]string{"ASIDE_DATABASE_URL": "postgres://aside:hush-hush@127.0.0.1:9/aside"}
	code, out, errs := aside(t, env, "search", "--data-dir="+t.TempDir(), "refund")
	if code != exitFailed || out != "" {
		t.Errorf("exit code %d, standard output %q", code, out)
	}
	if !strings.Contains(errs, "127.0.0.1") || !strings.Contains(errs, "aside doctor") {
		t.Errorf("the error does not say where and what next: %s", errs)
	}
	if strings.Contains(errs, "hush-hush") {
		t.Errorf("the error shows the password: %s", errs)
	}
}
