package web

import (
	"strings"
	"testing"
)

func TestWidgetSession(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers map[string]string
		body    string
		code    int
		allow   string // Access-Control-Allow-Origin
		words   string
	}{
		{"a program", nil, `{}`, 200, "", `"name":"127.0.0.1"`},
		{"our own page", map[string]string{"Origin": "http://localhost:7400"}, `{}`, 200, "", "web_1"},
		{"a listed page", map[string]string{"Origin": "https://shop.example"}, `{}`, 200, "https://shop.example", "web_1"},
		{"a foreign page", map[string]string{"Origin": "https://evil.example"}, `{}`, 403, "", "ASIDE_ORIGINS"},
		{"a listed name with another scheme", map[string]string{"Origin": "http://shop.example"}, `{}`, 403, "", "ASIDE_ORIGINS"},
		{"null", map[string]string{"Origin": "null"}, `{}`, 403, "", "ASIDE_ORIGINS"},
		{"behind a proxy", map[string]string{"X-Forwarded-For": "198.51.100.7, 192.0.2.1"}, `{}`, 200, "", `"name":"192.0.2.1"`},
		{"a whole IPv6 network is one", map[string]string{"X-Forwarded-For": "2001:db8:1:2:3::4"}, `{}`, 200, "", `"name":"2001:db8:1:2::/64"`},
		{"too often", map[string]string{"X-Forwarded-For": "192.0.2.9"}, `{}`, 429, "", "too many"},
		{"too often, from a listed page", map[string]string{"Origin": "https://shop.example", "X-Forwarded-For": "192.0.2.9"}, `{}`, 429, "https://shop.example", "too many"},
		{"no object", nil, `[]`, 400, "", "JSON object"},
		{"too large", nil, `{"token":"` + strings.Repeat("x", maxWidgetBody) + `"}`, 413, "", "larger"},
	} {
		rec := newWorld().do(request{method: "POST", path: "/v1/widget/session", body: tt.body, header: tt.headers})
		if rec.Code != tt.code || rec.Header().Get("Access-Control-Allow-Origin") != tt.allow || !strings.Contains(rec.Body.String(), tt.words) {
			t.Errorf("%s: %d, allowed %q: %s", tt.name, rec.Code, rec.Header().Get("Access-Control-Allow-Origin"), rec.Body)
		}
		if exposed := rec.Header().Get("Access-Control-Expose-Headers"); (exposed == "Retry-After") != (tt.allow != "") {
			t.Errorf("%s: exposed is %q", tt.name, exposed)
		}
		if tt.code == 429 && rec.Header().Get("Retry-After") != "90" {
			t.Errorf("Retry-After is %q", rec.Header().Get("Retry-After"))
		}
	}
	rec := newWorld().do(request{method: "OPTIONS", path: "/v1/widget/session", header: map[string]string{"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}})
	if rec.Code != 204 || rec.Header().Get("Access-Control-Allow-Origin") != "https://shop.example" || rec.Header().Get("Access-Control-Allow-Headers") != "Content-Type" {
		t.Errorf("preflight: %d %v", rec.Code, rec.Header())
	}
}
