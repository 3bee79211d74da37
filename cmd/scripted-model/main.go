// Command scripted-model serves a model that follows a script, over the OpenAI
// API: for demos, measurements and trying faults without a model or a key.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aside-project/aside/internal/testkit/scripted"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

const help = `Usage: scripted-model [flags]

Serves a model that needs no model, over the OpenAI API: chat (streamed or not),
embeddings and the list of models. It answers from the numbered passages of the
prompt. Point aside at it:

  ASIDE_LLM_BASE_URL=http://127.0.0.1:7410/v1 ASIDE_LLM_MODEL=scripted aside serve

A model name that ends in @ and a mode has that mode, whatever --mode says:
ASIDE_LLM_MODEL=scripted@cut

Modes: %s

Flags:
`

// run serves until ctx is done. It returns 0, 1 when it cannot serve, or 2 for
// wrong usage.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	fs := flag.NewFlagSet("scripted-model", flag.ContinueOnError)
	fs.SetOutput(errs)
	listen := fs.String("listen", "127.0.0.1:7410", "`address` to listen on")
	mode := fs.String("mode", string(scripted.Answer), "how to behave: one of the `modes` above")
	first := fs.Duration("first-token", 300*time.Millisecond, "`time` before the first token")
	rate := fs.Float64("tokens-per-second", 50, "tokens per second after the first; 0: at once")
	after := fs.Int("after", 5, "`tokens` before a fault in the middle of an answer")
	times := fs.Int("times", 0, "only the first so many `requests` have the mode; 0: all")
	share := fs.Float64("share", 0, "only this `share` of the requests has the mode, e.g. 0.2; 0: all")
	retryAfter := fs.Duration("retry-after", time.Second, "`time` that mode busy asks its clients to wait")
	refuse := fs.String("refuse", "", "comma-separated `words` of requests to refuse: json_schema,json_object,stream_options")
	dimension := fs.Int("dimension", 256, "`numbers` in an embedding")
	embeddings := fs.String("embeddings", string(scripted.Answer), "how embeddings behave: answer, busy, fail, hang or html")
	modes := make([]string, 0, len(scripted.Modes()))
	for _, m := range scripted.Modes() {
		modes = append(modes, string(m))
	}
	fs.Usage = func() {
		fmt.Fprintf(errs, help, strings.Join(modes, ", "))
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	wrong := func(format string, args ...any) int {
		fmt.Fprintf(errs, "scripted-model: "+format+"; see scripted-model -h\n", args...)
		return 2
	}
	switch {
	case fs.NArg() > 0:
		return wrong("%q is not a flag", fs.Arg(0))
	case !slices.Contains(modes, *mode):
		return wrong("--mode %q is not one of %s", *mode, strings.Join(modes, ", "))
	case !slices.Contains([]string{"answer", "busy", "fail", "hang", "html"}, *embeddings):
		return wrong("--embeddings %q is not answer, busy, fail, hang or html", *embeddings)
	case *dimension < 1 || *dimension > 16000:
		return wrong("--dimension %d is not between 1 and 16000", *dimension)
	case *rate < 0 || *first < 0 || *times < 0 || *after < 0 || *share < 0 || *share > 1:
		return wrong("a number is negative, or --share is above 1")
	}
	script := scripted.Script{
		Behaviour: scripted.Behaviour{
			Mode: scripted.Mode(*mode), FirstToken: *first, TokensPerSecond: *rate, After: *after,
			Times: *times, Share: *share, RetryAfter: *retryAfter,
		},
		Dimension:  *dimension,
		Embeddings: scripted.Behaviour{Mode: scripted.Mode(*embeddings)},
	}
	if *refuse != "" {
		script.Refuse = strings.Split(*refuse, ",")
	}

	l, err := net.Listen("tcp", *listen)
	if err != nil {
		fmt.Fprintf(errs, "scripted-model: cannot listen: %v; choose another address with --listen\n", err)
		return 1
	}
	srv := &http.Server{Handler: scripted.New(script), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 64 << 10}
	fmt.Fprintf(out, "scripted-model: http://%s/v1\n", l.Addr())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err = <-served:
		fmt.Fprintf(errs, "scripted-model: %v\n", err)
		return 1
	case <-ctx.Done():
	}
	// Answers that run get a moment; those that hang by script do not end alone.
	grace, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		_ = srv.Close()
	}
	<-served
	return 0
}
