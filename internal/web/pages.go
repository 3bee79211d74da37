package web

import "net/http"

// pages adds what a browser opens.
func (s *server) pages(mux *http.ServeMux) {
	mux.Handle("GET /panel", s.panelPage())
	mux.Handle("GET /docs", docs())
	mux.Handle("GET /docs/", docs())
	for pattern, h := range s.Pages {
		mux.Handle(pattern, h)
	}
	for pattern, h := range AssetRoutes(s.Storybook) {
		mux.Handle(pattern, h)
	}
}
