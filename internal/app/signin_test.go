package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/chrome"
	"github.com/aside-project/aside/internal/testkit/idp"
	"github.com/aside-project/aside/internal/testkit/testdb"
	"github.com/aside-project/aside/internal/web"
)

// visitor is a browser that signs in; it follows every redirect but shows the last
// address, fragment and all.
type visitor struct {
	t    *testing.T
	http *http.Client
	base string
	at   *url.URL
}

var plainClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func newDesk(t *testing.T, base string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &visitor{t: t, base: base}
	d.http = &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(r *http.Request, _ []*http.Request) error { d.at = r.URL; return nil }}
	return d
}

func (d *visitor) get(path string) (int, string, http.Header) {
	d.t.Helper()
	res, err := d.http.Get(d.base + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

// signIn gives why not, "" when it went well.
func (d *visitor) signIn() string {
	d.t.Helper()
	if code, body, _ := d.get("/v1/signin"); code != 200 {
		d.t.Fatalf("%d %s", code, body)
	}
	_, why, _ := strings.Cut(d.at.Fragment, "sign-in=")
	why, err := url.QueryUnescape(why)
	if err != nil {
		d.t.Fatal(err)
	}
	return why
}

func (d *visitor) session() (web.Session, int) {
	d.t.Helper()
	code, body, _ := d.get("/v1/session")
	var s web.Session
	if code == 200 {
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			d.t.Fatal(err)
		}
	}
	return s, code
}

// signInServer is a server whose agents sign in with a provider of the test's.
func signInServer(t *testing.T, change func(*app.Config)) (*app.App, *idp.Provider, string) {
	t.Helper()
	provider := idp.Start(t)
	wire := newLine(t)
	base := "http://" + wire.Addr().String()
	a, _ := server(t, func(c *app.Config) {
		c.URL = base
		c.OIDC = app.OIDC{Issuer: provider.URL, ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, RoleClaim: "groups", Roles: "support=agent,leads=lead"}
		if change != nil {
			change(c)
		}
	})
	wire.connect(t, strings.TrimPrefix(a.URL(), "http://"))
	return a, provider, base
}

func TestSignIn(t *testing.T) {
	_, provider, base := signInServer(t, nil)
	d := newDesk(t, base)
	if _, code := d.session(); code != http.StatusUnauthorized {
		t.Fatalf("a stranger's session: %d", code)
	}
	if _, _, head := d.get("/v1/session"); head.Get("Aside-Sign-In") != "/v1/signin" {
		t.Error("the console is not told where one signs in")
	}
	if why := d.signIn(); why != "" {
		t.Fatal(why)
	}
	s, code := d.session()
	if code != 200 || s.Sub != "u-17" || s.Name != "Maya R." || s.Role != "agent" || time.Until(s.ExpiresAt) > 16*time.Minute {
		t.Fatalf("%d %+v", code, s)
	}
	var claims jwt.MapClaims
	if _, _, err := jwt.NewParser().ParseUnverified(s.Token, &claims); err != nil || claims["authority"] != "agent" || claims["sid"] == "" {
		t.Errorf("%v, %v", claims, err)
	}
	// What the cookie holds is no bearer, and no script reads it.
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.http.Jar.Cookies(u) {
		req, _ := http.NewRequest("GET", base+"/v1/status", nil)
		req.Header.Set("Authorization", "Bearer "+c.Value)
		res, err := plainClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("cookie %s opens the API: %d", c.Name, res.StatusCode)
		}
	}
	// Another site's page gets nothing by it.
	req, _ := http.NewRequest("GET", base+"/v1/session", nil)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := d.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a foreign page's request for a session: %d", res.StatusCode)
	}

	refusals := map[string]struct {
		change func(*idp.Provider)
		words  string
	}{
		"no role":          {func(p *idp.Provider) { p.Person["groups"] = []string{"sales"} }, "not as an agent"},
		"no claim":         {func(p *idp.Provider) { delete(p.Person, "groups") }, "not as an agent"},
		"the person's no":  {func(p *idp.Provider) { p.Refuse = true }, "access_denied"},
		"forged":           {func(p *idp.Provider) { p.Forge = true }, "does not hold"},
		"another's nonce":  {func(p *idp.Provider) { p.Twist = func(c jwt.MapClaims) { c["nonce"] = "x" } }, "another sign-in"},
		"another client":   {func(p *idp.Provider) { p.Twist = func(c jwt.MapClaims) { c["aud"] = "shop" } }, "does not hold"},
		"another provider": {func(p *idp.Provider) { p.Twist = func(c jwt.MapClaims) { c["iss"] = "https://evil.example" } }, "does not hold"},
		"expired": {func(p *idp.Provider) {
			p.Twist = func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Hour).Unix() }
		}, "does not hold"},
	}
	for name, tc := range refusals {
		provider.Set(func(p *idp.Provider) {
			p.Person = map[string]any{"sub": "u-18", "name": "Bo", "groups": []string{"support"}}
			p.Forge, p.Refuse, p.Twist = false, false, nil
			tc.change(p)
		})
		d := newDesk(t, base)
		if why := d.signIn(); !strings.Contains(why, tc.words) {
			t.Errorf("%s: the person is told %q", name, why)
		}
		if _, code := d.session(); code != http.StatusUnauthorized {
			t.Errorf("%s: session %d", name, code)
		}
	}
	provider.Set(func(p *idp.Provider) {
		p.Person["groups"] = []string{"leads", "support"}
		p.Forge, p.Refuse, p.Twist = false, false, nil
	})
	lead := newDesk(t, base)
	if why := lead.signIn(); why != "" {
		t.Fatal(why)
	}
	s, _ = lead.session()
	if _, _, err := jwt.NewParser().ParseUnverified(s.Token, &claims); err != nil || claims["authority"] != "lead" {
		t.Errorf("the greatest role does not count: %v, %v", claims, err)
	}
}

// TestSignInBelongsToItsBrowser: an answer of the provider is of no use in a
// browser that did not ask, nor twice.
func TestSignInBelongsToItsBrowser(t *testing.T) {
	_, _, base := signInServer(t, nil)
	d := newDesk(t, base)
	var answer string
	d.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/v1/signin/callback") {
			answer = r.URL.RequestURI()
			return http.ErrUseLastResponse
		}
		return nil
	}
	d.get("/v1/signin")
	if answer == "" {
		t.Fatal("the provider did not answer")
	}
	victim := newDesk(t, base)
	victim.get(answer)
	if !strings.Contains(victim.at.Fragment, "sign-in=") {
		t.Errorf("the callback led to %s", victim.at)
	}
	if _, code := victim.session(); code != http.StatusUnauthorized {
		t.Errorf("another browser's answer signed in: %d", code)
	}
	d.get(answer) // its own browser: taken
	if _, code := d.session(); code != 200 {
		t.Fatalf("%d", code)
	}
	again := newDesk(t, base)
	again.http.Jar = d.http.Jar
	again.get(answer)
	if !strings.Contains(again.at.Fragment, "sign-in=") {
		t.Error("the same answer was good twice")
	}
}

func socket(t *testing.T, base, token string) *websocket.Conn {
	t.Helper()
	conn, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(base, "http")+"/v1/ws", http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		t.Fatalf("%v (%v)", err, res)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ended waits for the close code that ends a socket.
func ended(t *testing.T, conn *websocket.Conn) int {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			if c, ok := err.(*websocket.CloseError); ok {
				return c.Code
			}
			t.Fatalf("the socket ended with %v", err)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	_, _, base := signInServer(t, nil)
	db := testdb.OpenWith(t, postgres.Config{Schema: schemaOf(t.Name())})
	for _, c := range []struct {
		name string
		end  func(*visitor)
	}{
		{"signed out", func(d *visitor) {
			req, _ := http.NewRequest("DELETE", base+"/v1/session", nil)
			res, err := d.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			var out web.SignedOut
			if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.StatusCode != 200 || !strings.Contains(out.Location, "/end?") {
				t.Errorf("%d %+v, %v", res.StatusCode, out, err)
			}
			back, err := plainClient.Get(out.Location) // it asks "do you want to?" when it is not told whose session is meant
			if err != nil {
				t.Fatal(err)
			}
			defer back.Body.Close()
			if at := back.Request.URL.String(); at != base+"/" {
				t.Errorf("the provider left the browser at %q", at)
			}
		}},
		{"ended", func(*visitor) {
			if n, err := app.EndSessions(t.Context(), db, "m1", "u-17"); err != nil || n == 0 {
				t.Fatalf("%d, %v", n, err)
			}
		}},
		{"revoked", func(*visitor) { // the last: what is issued in the same second is refused too
			if err := app.Revoke(t.Context(), db, "m1", assist.RevokeSubject, "u-17"); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, base)
			if why := d.signIn(); why != "" {
				t.Fatal(why)
			}
			s, _ := d.session()
			conn := socket(t, base, s.Token)
			asked := time.Now()
			c.end(d)
			if code := ended(t, conn); code != 4401 {
				t.Errorf("the socket was closed with %d", code)
			}
			t.Logf("closed after %s", time.Since(asked).Round(time.Millisecond))
			if _, code := d.session(); code != http.StatusUnauthorized {
				t.Errorf("the session gives out tokens: %d", code)
			}
			req, _ := http.NewRequest("GET", base+"/v1/conversations", nil)
			req.Header.Set("Authorization", "Bearer "+s.Token)
			res, err := plainClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("its token is good for %d", res.StatusCode)
			}
		})
	}
}

// arrives waits until an expression is true, over page loads: while one is on its
// way there is nothing to ask.
func arrives(t *testing.T, tab context.Context, expr string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if yes, err := chromedp.Run(tab, chromedp.Evaluate[bool]("Boolean("+expr+")")); err == nil && yes {
			return
		}
	}
	t.Fatalf("waiting for %s", expr)
}

// TestSignInPage is the same with a browser, as an agent sees it.
func TestSignInPage(t *testing.T) {
	browser := chrome.Start(t)
	_, provider, base := signInServer(t, nil)
	tab := chrome.Tab(t, browser, "401")
	button := `document.querySelector(".sign-in a.primary")`
	chrome.Run(t, tab, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(base+"/"), chrome.Eventually(button+`?.textContent.includes("company account")`))
	picture(t, tab, "signin")
	provider.Set(func(p *idp.Provider) { p.Person["groups"] = []string{"sales"} })
	chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](button+`.click()`))
	arrives(t, tab, `document.querySelector(".form-error")?.textContent.includes("not as an agent") && location.hash === ""`)
	picture(t, tab, "signin-refused")
	chrome.Run(t, tab, chrome.Emulate("dark"), chromedp.EmulateViewport(390, 780), chrome.Eventually(button))
	picture(t, tab, "signin-refused-phone-dark")
	chrome.Run(t, tab, chrome.Emulate("light"), chromedp.EmulateViewport(1280, 800))
	provider.Set(func(p *idp.Provider) { p.Person["groups"] = []string{"support"} })
	chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](button+`.click()`))
	arrives(t, tab, `document.querySelector(".me-name")?.textContent === "Maya R." && document.querySelector(".queue-empty, .queue-row")`)
	if kept := chrome.Ask[string](t, tab, `document.cookie + JSON.stringify(sessionStorage) + JSON.stringify(localStorage)`); strings.Contains(kept, "eyJ") || strings.Contains(kept, "aside-session") {
		t.Error("a script of the page could read what one is signed in with")
	}
	chrome.Run(t, tab, chromedp.Reload(), chrome.Eventually(`document.querySelector(".me-name")?.textContent === "Maya R."`))
	picture(t, tab, "signed-in")
	chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll(".me .link")].find((b) => b.textContent === "sign out").click()`))
	arrives(t, tab, button)
	chrome.Run(t, tab, chromedp.Reload(), chrome.Eventually(button))
}
