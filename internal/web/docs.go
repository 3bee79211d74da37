package web

import (
	"embed"
	"net/http"
)

//go:embed docs/index.html docs/docs.css docs/openapi.yaml docs/asyncapi.yaml
var docsFiles embed.FS

// docs serves what the API is: a page for people, and the OpenAPI and AsyncAPI
// files it links to. Anyone may read them.
func docs() http.Handler {
	mux := http.NewServeMux()
	for path, f := range map[string]struct{ file, contentType string }{
		"/docs":               {"docs/index.html", "text/html; charset=utf-8"},
		"/docs/{$}":           {"docs/index.html", "text/html; charset=utf-8"},
		"/docs/docs.css":      {"docs/docs.css", "text/css; charset=utf-8"},
		"/docs/openapi.yaml":  {"docs/openapi.yaml", "application/yaml; charset=utf-8"},
		"/docs/asyncapi.yaml": {"docs/asyncapi.yaml", "application/yaml; charset=utf-8"},
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", f.contentType)
			h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cache-Control", "no-cache")
			http.ServeFileFS(w, r, docsFiles, f.file)
		})
	}
	return mux
}
