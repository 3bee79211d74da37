package web

import "net/http"

func docs() http.Handler { return http.NotFoundHandler() }
