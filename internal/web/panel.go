package web

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// PanelLink believes a chat tool's link to /panel or not: query is what stands in
// it. It gives whom it is for, confined to one conversation, and a short token.
type PanelLink func(ctx context.Context, query url.Values) (who assist.Identity, token string, err error)

// panelPage serves /panel, the page that holds nothing but <aside-panel>. Only
// pages of our own and of listed origins may frame it, and they alone are told
// anything by it.
func (s *server) panelPage() http.Handler {
	page := assets()["panel.html"]
	const place = `<meta name="aside-origins" content="">`
	body := bytes.Replace(page.body, []byte(place), []byte(strings.Replace(place, `""`, `"`+strings.Join(s.frameOrigins(), " ")+`"`, 1)), 1)
	policy := strings.Replace(ConsolePolicy, "frame-ancestors 'self'", strings.Join(append([]string{"frame-ancestors 'self'"}, s.frameOrigins()...), " "), 1)
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if r.URL.RawQuery != "" {
			redirect(w, s.followLink(r))
			return nil
		}
		h.Set("Content-Type", page.contentType)
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		_, err := w.Write(body)
		return err
	})
}

// followLink turns a tool's link into the page with its token in the fragment,
// which neither logs nor other servers see.
func (s *server) followLink(r *http.Request) string {
	err := error(assist.Errorf(assist.Invalid, "this server takes no links to the panel; a token belongs behind the #"))
	if s.PanelLink != nil {
		var who assist.Identity
		var token string
		if who, token, err = s.PanelLink(r.Context(), r.URL.Query()); err == nil {
			return "/panel#" + url.Values{"conversation": {who.Conversation}, "token": {token}}.Encode()
		}
		s.Logger.Info("a link to the panel was refused", "code", assist.CodeOf(err), "err", err)
	}
	return "/panel#" + url.Values{"error": {assist.MessageOf(err)}}.Encode()
}

// frameOrigins are the listed origins, as far as they are plain ones: nothing else
// gets into a header or a page.
func (s *server) frameOrigins() []string {
	var out []string
	for _, o := range s.Origins {
		if u, err := url.Parse(o); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && o == u.Scheme+"://"+u.Host && !strings.ContainsAny(o, " \"'<>;,*") {
			out = append(out, o)
		}
	}
	return out
}

// shared lets pages of listed origins read an answer, which they ask for with a
// bearer: there are no cookies in it, so nobody else's browser can be made to ask.
func (s *server) shared(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); slices.Contains(s.Origins, origin) {
			w.Header().Set("Access-Control-Allow-Origin", origin)
		}
		h.ServeHTTP(w, r)
	})
}

// sharedPreflight says beforehand that a page of a listed origin may ask.
func (s *server) sharedPreflight(w http.ResponseWriter, r *http.Request) error {
	if err := s.allowOrigin(w, r); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET")
	h.Set("Access-Control-Allow-Headers", "Authorization")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
