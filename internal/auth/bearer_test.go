package auth

import (
	"net/http/httptest"
	"testing"

	"github.com/aside-project/aside/internal/assist"
)

func TestBearer(t *testing.T) {
	for _, tc := range []struct {
		name          string
		authorization []string
		protocols     []string
		want          string // "" is a refusal
	}{
		{"header", []string{"Bearer T"}, nil, "T"},
		{"header, other case", []string{"bearer T"}, nil, "T"},
		{"subprotocol", nil, []string{"aside.v1, bearer.T"}, "T"},
		{"subprotocol in two headers", nil, []string{"aside.v1", "bearer.T"}, "T"},
		{"the same in both", []string{"Bearer T"}, []string{"aside.v1,bearer.T"}, "T"},
		{"two different", []string{"Bearer T"}, []string{"bearer.U"}, ""},
		{"basic", []string{"Basic dTpw"}, nil, ""},
		{"empty", []string{"Bearer "}, nil, ""},
		{"empty subprotocol", nil, []string{"aside.v1, bearer."}, ""},
		{"none, though the URL has one", nil, []string{"aside.v1"}, ""},
	} {
		r := httptest.NewRequest("GET", "/v1/ws?token=U&access_token=U", nil)
		r.Header["Authorization"] = tc.authorization
		r.Header["Sec-Websocket-Protocol"] = tc.protocols
		got, err := Bearer(r)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: got %q, %v; want %q", tc.name, got, err, tc.want)
		}
		if err != nil && assist.CodeOf(err) != assist.Unauthenticated {
			t.Errorf("%s: code %s", tc.name, assist.CodeOf(err))
		}
	}
}
