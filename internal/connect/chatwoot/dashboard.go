package chatwoot

import (
	"bytes"
	"embed"
	pages "html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
)

//go:embed dashboard
var dashboardFiles embed.FS

var dashboardPage = pages.Must(pages.ParseFS(dashboardFiles, "dashboard/app.html"))

// Pages are what a browser opens, by ServeMux pattern: the dashboard app, which only
// Chatwoot may frame, and the window in which agents sign in for it.
func (t *Tool) Pages() map[string]http.Handler {
	origin := "'none'"
	if u, err := url.Parse(t.cfg.URL); err == nil && u.Host != "" && !strings.ContainsAny(u.Host, " '\"<>;,*") {
		origin = u.Scheme + "://" + u.Host
	}
	var page bytes.Buffer
	err := dashboardPage.Execute(&page, struct {
		Origin  string
		Account int64
	}{origin, t.cfg.Account})
	if err != nil {
		panic("chatwoot: render the dashboard app: " + err.Error()) // the binary itself is broken
	}
	shown := map[string]http.Handler{"GET /connect/chatwoot": file("app.html", page.Bytes(), origin)}
	for _, name := range []string{"app.css", "app.js", "signin.html", "signin.js"} {
		body, err := dashboardFiles.ReadFile("dashboard/" + name)
		if err != nil {
			panic("chatwoot: read embedded files: " + err.Error())
		}
		shown["GET /connect/chatwoot/"+strings.TrimSuffix(name, ".html")] = file(name, body, "'none'")
	}
	return shown
}

func file(name string, body []byte, framedBy string) http.Handler {
	kind := map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}[path.Ext(name)]
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors " + framedBy
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		_, _ = w.Write(body) // a browser that went away misses it, nobody else does
	})
}
