package web

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/assist"
)

// TestAddress holds that nobody but a listed proxy is believed about others.
func TestAddress(t *testing.T) {
	inside := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, peer, forwarded, want string
		proxies                     []netip.Prefix
	}{
		{"direct", "192.0.2.1:1", "", "192.0.2.1", inside},
		{"a stranger names another", "192.0.2.1:1", "198.51.100.7", "192.0.2.1", inside},
		{"no proxies at all", "127.0.0.1:1", "198.51.100.7", "127.0.0.1", nil},
		{"our proxy", "10.1.2.3:1", "198.51.100.7", "198.51.100.7", inside},
		{"our proxy, mapped", "[::ffff:10.1.2.3]:1", "198.51.100.7", "198.51.100.7", inside},
		{"the customer lies to our proxy", "10.1.2.3:1", "1.2.3.4, 198.51.100.7", "198.51.100.7", inside},
		{"two proxies", "10.1.2.3:1", "1.2.3.4, 198.51.100.7, 10.9.9.9", "198.51.100.7", inside},
		{"only proxies", "10.1.2.3:1", "10.9.9.9", "10.9.9.9", inside},
		{"garbage", "10.1.2.3:1", "x; DROP", "10.1.2.3", inside},
		{"our proxy names nobody", "10.1.2.3:1", "", "10.1.2.3", inside},
		{"a whole IPv6 network is one", "10.1.2.3:1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64", inside},
		{"zones", "[fe80::1%lo]:1", "", "fe80::/64", inside},
		{"no port", "somewhere", "1.2.3.4", "somewhere", inside},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := Address(r, c.proxies); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestRates holds that a subject's requests are limited, and nobody else's.
func TestRates(t *testing.T) {
	w := newWorld(func(o *Options) {
		o.Rate = func(a assist.Actor) Rate {
			if a == assist.ActorCustomer {
				return Rate{0.001, 3}
			}
			return Rate{0.001, 100}
		}
	})
	conform := newConformer(t)
	get := request{method: "GET", path: "/v1/conversations/conv_1", token: "customer"}
	for i, want := range []int{200, 200, 200, 429, 429} {
		rec := w.do(get)
		if rec.Code != want {
			t.Errorf("request %d: %d %s", i, rec.Code, rec.Body)
		}
		conform("GET /v1/conversations/{id}", rec)
	}
	get.token = "agent"
	if rec := w.do(get); rec.Code != 200 {
		t.Errorf("somebody else: %d %s", rec.Code, rec.Body)
	}
	get.token = "expired"
	if rec := w.do(get); rec.Code != 401 {
		t.Errorf("a bad token: %d", rec.Code)
	}
}

// TestHostileJSON holds what no JSON body may do.
func TestHostileJSON(t *testing.T) {
	w := newWorld()
	for name, body := range map[string]string{
		"deep lists":     `{"text":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
		"deep objects":   strings.Repeat(`{"text":`, 5_000) + "1" + strings.Repeat("}", 5_000),
		"one too deep":   `{"text":"a","more":` + strings.Repeat("[", assist.MaxDepth) + strings.Repeat("]", assist.MaxDepth) + `}`, // nothing else is wrong with it
		"deep and cut":   strings.Repeat(`{"a":[`, 5_000),
		"huge number":    `{"text":"a","k":1e999999}`,
		"long number":    `{"text":"a","k":` + strings.Repeat("9", 10_000) + `}`,
		"invalid UTF-8":  "{\"text\":\"\xff\"}",
		"NUL":            `{"text":"a\u0000b"}`,
		"two objects":    `{"text":"a"}{"text":"b"}`,
		"a list":         `[{"text":"a"}]`,
		"nothing":        ``,
		"half a string":  `{"text":"a`,
		"large":          `{"text":"` + strings.Repeat("a", maxTurnBody) + `"}`,
		"lone surrogate": `{"text":"\ud800"}`,
	} {
		rec := w.do(request{method: "POST", path: "/v1/search", token: "agent", body: body})
		if want := rec.Code == 400 || name == "large" && rec.Code == 413 || name == "lone surrogate" && rec.Code == 200; !want {
			t.Errorf("%s: %d %.100s", name, rec.Code, rec.Body)
		}
	}
	if bytes.Contains(w.log.Bytes(), []byte("panic")) {
		t.Error(w.log.String())
	}
}

func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(customerTurn))
	f.Add([]byte(`{"text":"a","at":"2026-11-22T10:00:00Z","action":{"name":"x","values":["y"]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var v turnBody
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		if err := readJSON(httptest.NewRecorder(), r, maxTurnBody, &v); err != nil && assist.CodeOf(err) != assist.Invalid && assist.CodeOf(err) != assist.TooLarge {
			t.Fatalf("%v", err)
		}
	})
}

// TestNoVectorsInTheAPI holds that no answer has vectors in it: their texts can be
// guessed from them.
func TestNoVectorsInTheAPI(t *testing.T) {
	var look func(path string, typ reflect.Type, seen map[reflect.Type]bool)
	look = func(path string, typ reflect.Type, seen map[reflect.Type]bool) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			if typ.Kind() == reflect.Slice && (typ.Elem().Kind() == reflect.Float32 || typ.Elem().Kind() == reflect.Float64) {
				t.Errorf("%s is a list of numbers: is it a vector?", path)
			}
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		for _, f := range reflect.VisibleFields(typ) {
			if f.IsExported() && f.Tag.Get("json") != "-" {
				look(path+"."+f.Name, f.Type, seen)
			}
		}
	}
	for name, v := range schemaTypes {
		look(name, reflect.TypeOf(v), map[reflect.Type]bool{})
	}
}

// TestEventsReadNoBody: a question has no body, and one that brings a form of any
// size has it left unread: FormValue would keep it in memory and then on the disk.
func TestEventsReadNoBody(t *testing.T) {
	body := &counted{Reader: strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"after\"\r\n\r\n0\r\n--x--\r\n")}
	r := httptest.NewRequest("GET", "/v1/conversations/conv_1?after=0", body)
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	r.Header.Set("Authorization", "Bearer customer")
	rec := httptest.NewRecorder()
	newWorld().ServeHTTP(rec, r)
	if rec.Code != 200 || body.read > 0 {
		t.Errorf("%d, %d bytes of the body were read", rec.Code, body.read)
	}
}

type counted struct {
	io.Reader
	read int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.read += n
	return n, err
}
