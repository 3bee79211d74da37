package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/replay"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// childEnv makes the test binary a server instead: its value is the Config.
const childEnv = "ASIDE_TEST_SERVER"

func child() int {
	var cfg app.Config
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	a, err := app.New(ctx, cfg, quiet())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := a.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	<-ctx.Done()
	if err := a.Stop(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// launch starts a server process and waits until it answers.
func launch(t *testing.T, cfg app.Config) *exec.Cmd {
	t.Helper()
	body, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(body))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill() // it may have ended meanwhile
			cmd.Wait()
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+cfg.Listen+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := http.DefaultClient.Do(r); err == nil {
			res.Body.Close()
			http.DefaultClient.CloseIdleConnections()
			tick.Stop()
			return cmd
		}
		select {
		case <-ctx.Done():
			t.Fatal("the server did not become ready")
		case <-tick.C:
		}
	}
}

// TestKilledDuringReplay kills the server without warning, several times, while
// conversations are played into it, and says that every acknowledged turn is
// there once.
func TestKilledDuringReplay(t *testing.T) {
	kills := 3
	if testing.Short() {
		kills = 1
	}
	schema := "aside_app_crash"
	db := testdb.OpenWith(t, postgres.Config{Schema: schema})
	ingestPages(t, db)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := app.Default()
	cfg.Database, cfg.Schema, cfg.Secret, cfg.Listen, cfg.DataDir = testdb.URL(t), schema, secret, l.Addr().String(), ""
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	signer, err := cfg.Signer()
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(source, time.Hour)
	if err != nil {
		t.Fatal(err)
	}

	const conversations, turns = 40, 12
	var recorded strings.Builder
	for c := range conversations {
		fmt.Fprintf(&recorded, `{"_id":"chat-%d","turns":[`, c)
		for n := range turns {
			role, text := "customer", fmt.Sprintf("Question %d: the zipper of my jacket broke, what about a refund?", n)
			if n%3 == 2 {
				role, text = "agent", "Let me look that up for you."
			}
			if n > 0 {
				recorded.WriteByte(',')
			}
			fmt.Fprintf(&recorded, `{"turn":%d,"role":%q,"text":%q}`, n+1, role, text)
		}
		recorded.WriteString("]}\n")
	}

	var acked atomic.Int64
	progress := make(chan struct{}, 1)
	type result struct {
		report replay.Report
		err    error
	}
	done := make(chan result, 1)
	cmd := launch(t, cfg)
	go func() {
		report, err := replay.Run(t.Context(), replay.Options{
			URL: "http://" + cfg.Listen, Token: token, Concurrency: 20, Rate: 150,
			Progress: func(p replay.Report) {
				acked.Store(int64(p.Acked))
				select {
				case progress <- struct{}{}:
				default:
				}
			},
		}, strings.NewReader(recorded.String()))
		done <- result{report, err}
	}()
	for k := range kills {
		want := int64(conversations * turns * (k + 1) / (kills + 2))
		for acked.Load() < want {
			select {
			case <-progress:
			case r := <-done:
				t.Fatalf("the replay ended after %d kills: %+v, %v", k, r.report, r.err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // says that it was killed
		cmd = launch(t, cfg)
	}
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	if r.report.Acked != conversations*turns || r.report.Lost != 0 || r.report.Duplicated != 0 {
		t.Errorf("after %d kills: %+v", kills, r.report)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server did not stop cleanly: %v", err)
	}
}
