package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/app"
)

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
	empty := filepath.Join(dir, "empty.jsonl")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
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
		{"a mistyped command", nil, []string{"serach", "refund"}, exitUsage, "", `there is no command "serach"; did you mean search?`},
		{"a mistyped flag", nil, []string{"search", "--data-dri", dir, "refund"}, exitUsage, "", "there is no flag --data-dri; did you mean --data-dir?"},
		{"a flag like none", nil, []string{"search", "--bogus", "refund"}, exitUsage, "", "there is no flag --bogus\n"},
		{"a flag without its value", nil, []string{"search", "refund", "--at"}, exitUsage, "", "--at has no value: write --at DATE"},
		{"a word for a number", nil, []string{"search", "--k", "ten", "refund"}, exitUsage, "", `--k must be a whole number, not "ten"`},
		{"a word for a time", nil, []string{"token", "--ttl", "long"}, exitUsage, "", `--ttl must be a time such as 90s or 12h, not "long"`},
		{"a word for yes", nil, []string{"up", "--no-demo=perhaps"}, exitUsage, "", `--no-demo must be true or false, not "perhaps"`},
		{"a variable that is no yes", map[string]string{"ASIDE_LLM_ALLOW_HTTP": "perhaps"}, []string{"search", data, "refund"}, exitUsage, "", `ASIDE_LLM_ALLOW_HTTP must be true or false, not "perhaps"`},
		{"a value that explains itself", nil, []string{"eval", "outcomes", "--since", "long"}, exitUsage, "", `--since: "long" is not a time such as 7d or 36h`},
		{"no suggestions at all", nil, []string{"eval", "outcomes", data, "--limit", "-1"}, exitUsage, "", "--limit must be 1 or more, not -1"},
		{"no such port", nil, []string{"up", data, "--listen", "127.0.0.1:99999"}, exitUsage, "", "--listen (ASIDE_LISTEN) must be host:port"},
		{"unknown authority", nil, []string{"token", data, "--authority", "boss"}, exitUsage, "", "authority must be agent, senior or lead"},
		{"replay with nobody", nil, []string{"replay", data, "--concurrency", "0", key}, exitUsage, "", "--concurrency must be 1 or more"},
		{"replay of no conversation", nil, []string{"replay", data, empty}, exitFailed, "", "holds no conversation"},
		{"learn from a missing file", nil, []string{"learn", data, key + "-not"}, exitUsage, "", "key-not"},
		{"a file for a folder", nil, []string{"ingest", "--data-dir", key, dir}, exitFailed, "", "--data-dir (ASIDE_DATA_DIR)"},
		{"a file for the secret's folder", nil, []string{"token", "--data-dir", key}, exitFailed, "", "--data-dir (ASIDE_DATA_DIR)"},
		{"a schema of two words", map[string]string{"ASIDE_DATABASE_URL": "postgres://127.0.0.1:9/x"}, []string{"search", "--schema", "a b", "refund"}, exitFailed, "", "aside search: --schema (ASIDE_SCHEMA): the schema name"},
		{"promises of an empty file", nil, []string{"eval", "promises", "--cases", empty}, exitFailed, "", "holds no labelled draft"},
		{"ready without a server", nil, []string{"ready", "--listen", "127.0.0.1:1"}, exitFailed, "", "nothing answers at 127.0.0.1:1: is the server running"},
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
	if !strings.Contains(errs, "127.0.0.1") || !strings.Contains(errs, "ASIDE_DATABASE_URL") {
		t.Errorf("the error does not say where and what next: %s", errs)
	}
	if strings.Contains(errs, "unavailable:") || strings.Count(errs, "connection refused") > 1 {
		t.Errorf("the error is for a log: %s", errs)
	}
	if strings.Contains(errs, "hush-hush") {
		t.Errorf("the error shows the password: %s", errs)
	}
}

// TestNoDatabase: a mistyped --data-dir makes no database by the way; what is
// looked for is said to be nowhere, with what to do.
func TestNoDatabase(t *testing.T) {
	chats := filepath.Join(t.TempDir(), "chats.jsonl")
	if err := os.WriteFile(chats, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"search", "refund"}, {"learn", chats}, {"sessions"}, {"sessions", "end", "maya"}, {"forget", "--conversation", "c"},
		{"vectors"}, {"vectors", "prune"}, {"token", "revoke", "--sub", "maya"}, {"eval", "outcomes"}, {"eval", "harvest"},
	} {
		dir := filepath.Join(t.TempDir(), "mistyped")
		code, out, errs := aside(t, nil, append(args, "--data-dir", dir)...)
		if want := "there is no database in " + dir + ": --data-dir (ASIDE_DATA_DIR) names"; code != exitFailed || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%v: exit code %d\n%s%s", args, code, out, errs)
		}
		if exists(dir) {
			t.Errorf("%v made %s", args, dir)
		}
	}
	dir := filepath.Join(t.TempDir(), "new")
	if code, out, errs := aside(t, nil, "token", "--data-dir", dir); code != exitOK || !strings.Contains(errs, "There was no secret in "+dir) {
		t.Errorf("token: exit code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := aside(t, nil, "token", "--data-dir", dir); code != exitOK || errs != "" {
		t.Errorf("token once more: exit code %d\n%s", code, errs)
	}
}

// TestSecretsHaveNoFlags: what is written on a command line is read by whoever
// lists processes. Secrets come from the environment or a file.
func TestSecretsHaveNoFlags(t *testing.T) {
	secrets := 0
	for _, c := range commands() {
		cfg := app.Default()
		o := newOptions(c.name, func(string) string { return "" })
		c.define(o, &cfg)
		o.VisitAll(func(f *flag.Flag) {
			if regexp.MustCompile(`(?i)secret|password|api-?key|credential|database`).MatchString(f.Name) {
				t.Errorf("aside %s has --%s", c.name, f.Name)
			}
		})
		secrets += len(o.secrets)
	}
	if secrets == 0 {
		t.Error("no command knows a secret: is the test in its place?")
	}
}
