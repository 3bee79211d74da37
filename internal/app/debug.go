package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// startDebug serves pprof under /debug/pprof/ on a loopback address of its own,
// when one is set: profiles show what memory holds.
func (a *App) startDebug() error {
	if a.cfg.Debug == "" {
		return nil
	}
	l, err := net.Listen("tcp", a.cfg.Debug)
	if err != nil {
		return assist.Wrap(err, assist.Unavailable, "cannot listen on %s for profiles: ASIDE_DEBUG_LISTEN names another address", a.cfg.Debug)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: onlyLocal(mux), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	a.debug = l.Addr().String()
	a.log.Info("profiles are served", "address", a.debug)
	a.onStop("profiles", func(context.Context) error {
		err := server.Close() // a profile under way is nobody's loss
		if end := <-served; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
		return err
	})
	return nil
}

// onlyLocal keeps a foreign page that points its name at this machine out.
func onlyLocal(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err != nil || !isLoopback(host) {
			http.Error(w, "profiles are for this machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopback reports whether a host is this machine and nothing else is.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// DebugAddress is where profiles are served, once started; "": nowhere.
func (a *App) DebugAddress() string { return a.debug }
