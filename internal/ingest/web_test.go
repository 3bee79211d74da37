package ingest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"

	"github.com/aside-project/aside/internal/assist"
)

// site is a small web site.
func site(t *testing.T, robots string, pages map[string]string) *httptest.Server {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" && robots != "" {
			fmt.Fprint(w, robots)
			return
		}
		page, ok := pages[r.URL.RequestURI()]
		if !ok {
			http.NotFound(w, r)
			return
		}
		page = strings.ReplaceAll(page, "SITE", s.URL)
		head, body, _ := strings.Cut(page, "\n\n")
		if to, ok := strings.CutPrefix(head, "Location: "); ok {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", head)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

func fetch(t *testing.T, opt Options, store Store, paths ...string) (Report, []string) {
	t.Helper()
	var warned []string
	opt.pace = rate.Inf
	opt.Warn = func(path, text string) { warned = append(warned, path+": "+text) }
	r, err := Run(t.Context(), opt, store, paths, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r, warned
}

func TestWeb(t *testing.T) {
	pages := map[string]string{
		"/sitemap.xml": "application/xml\n\n<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><sitemap><loc>SITE/a.xml</loc></sitemap><sitemap><loc>SITE/sitemap.xml</loc></sitemap></sitemapindex>",
		"/a.xml": "application/xml\n\n<urlset><url><loc>SITE/returns</loc></url><url><loc>SITE/old</loc></url><url><loc>SITE/secret/x</loc></url>" +
			"<url><loc>SITE/gone</loc></url><url><loc>http://other.example/</loc></url><url><loc>SITE/picture</loc></url><url><loc>SITE/latin</loc></url><url><loc>SITE/loop</loc></url><url><loc>SITE/file</loc></url></urlset>",
		"/returns": "text/html; charset=utf-8\n\n<html lang=en><head><title>Returns</title><link rel=canonical href='SITE/help/returns'></head><body><header>Site name</header><nav>Menu</nav>" +
			"<div class='cookie-banner'>We use cookies</div><div id=content><h1>Returns</h1><p>Thirty days.</p></div><footer>Imprint</footer></body></html>",
		"/old":      "Location: /new",
		"/new":      "text/markdown\n\n---\nid: returns\n---\n# New\n\nWords.",
		"/secret/x": "text/plain\n\nSecret.",
		"/picture":  "image/png\n\nx",
		"/latin":    "text/html; charset=iso-8859-1\n\n<title>R\xfcckgabe</title><p>Gr\xf6\xdfe \xe4ndern",
		"/loop":     "Location: /loop",
		"/file":     "Location: file:///etc/passwd",
	}
	s := site(t, "User-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /secret/\n", pages)
	store := newMemory()
	r, warned := fetch(t, Options{AllowPrivate: true}, store, s.URL+"/sitemap.xml")
	var got []string
	for id, d := range store.docs {
		got = append(got, fmt.Sprintf("%s|%s|%s|%s", id, d.Title, d.URL, d.Passages[0].Text))
	}
	for _, f := range r.Failed {
		got = append(got, "failed "+f.Path+" "+f.Error)
	}
	got = append(got, warned...)
	slices.Sort(got)
	host := strings.TrimPrefix(s.URL, "http://")
	want := []string{
		host + "/latin|Rückgabe|SITE/latin|Größe ändern",
		host + "/old|New|SITE/new|Words.",
		host + "/returns|Returns|SITE/help/returns|Thirty days.",
		"failed SITE/file it redirects to file://: addresses must begin with https:// or http://, not file",
		"failed SITE/gone the server answers 404 Not Found",
		"failed SITE/loop it redirects more than 5 times",
		"failed SITE/picture pages of type image/png are not read",
		"failed SITE/secret/x the site's robots.txt asks not to read it",
		"SITE/sitemap.xml: 1 addresses of other hosts were left out",
	}
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], "SITE", s.URL)
	}
	slices.Sort(want)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// Again: nothing changed. Then a page leaves the sitemap, and goes.
	if r, _ := fetch(t, Options{AllowPrivate: true}, store, s.URL+"/sitemap.xml"); r.Unchanged != 3 || r.Removed != 0 {
		t.Errorf("again %+v", r)
	}
	pages["/a.xml"] = "application/xml\n\n<urlset><url><loc>SITE/returns</loc></url></urlset>"
	if r, _ := fetch(t, Options{AllowPrivate: true}, store, s.URL+"/sitemap.xml"); r.Unchanged != 1 || r.Removed != 2 {
		t.Errorf("shrunk %+v", r)
	}
	// A sitemap that breaks removes nothing.
	pages["/a.xml"] = "text/html\n\n<html>"
	if r, _ := fetch(t, Options{AllowPrivate: true}, store, s.URL+"/sitemap.xml"); len(r.Failed) != 1 || r.Removed != 0 || len(store.docs) != 1 {
		t.Errorf("broken %+v", r)
	}
}

func TestWebBounds(t *testing.T) {
	var urls strings.Builder
	for i := range maxWebPages + 1 {
		fmt.Fprintf(&urls, "<url><loc>SITE/%d</loc></url>", i)
	}
	s := site(t, "", map[string]string{
		"/large":    "text/plain\n\n" + strings.Repeat("x", maxFile+1),
		"/many.xml": "application/xml\n\n<urlset>" + urls.String() + "</urlset>",
	})
	for path, want := range map[string]string{"/large": "larger than 20480 KB", "/many.xml": "more than 5000 pages"} {
		if _, _, err := listAndFetch(t, s.URL+path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// listAndFetch lists the pages behind an address and fetches the first.
func listAndFetch(t *testing.T, address string) (ext string, data []byte, err error) {
	t.Helper()
	w := newWeb(func(netip.AddrPort) error { return nil }, rate.Inf, false)
	defer w.close()
	files, _, err := w.pages(t.Context(), address, func(string, string) {})
	if err != nil {
		return "", nil, err
	}
	_, ext, data, err = w.fetch(t.Context(), files[0].url)
	return ext, data, err
}

// TestForgery tries to reach a server on this machine by every spelling of its
// address that has fooled somebody.
func TestForgery(t *testing.T) {
	var hits atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		fmt.Fprint(w, "internal")
	}))
	defer s.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0x0.0x0.0x1", "0177.0.0.1", "017700000001", "127.000.000.001",
		"127.0.0.2", "127.255.255.254", "0", "0.0.0.0", "localhost", "LOCALHOST", "localhost.", "ip6-localhost", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1%25lo]",
		"[fc00::1]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]", "169.254.169.254", "[::ffff:a9fe:a9fe]", "168.63.129.16", "100.100.100.200", "10.0.0.1", "172.16.0.1",
		"192.168.0.1", "100.64.0.1", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "①②⑦.⓪.⓪.①", "127。0。0。1", "%31%32%37.0.0.1",
		"shop.example@127.0.0.1", "127.0.0.1%00.shop.example", "127.0.0.1\\@shop.example",
	} {
		store := newMemory()
		r, err := Run(t.Context(), Options{pace: rate.Inf, allow: func(at netip.AddrPort) error {
			if err := public(at); err != nil {
				return err
			}
			return fmt.Errorf("%v would be dialled", at) // and not in a test
		}}, store, []string{"http://" + host + ":" + u.Port() + "/"}, nil)
		if err != nil || len(r.Failed) != 1 || strings.Contains(r.Failed[0].Error, "would be dialled") || len(store.docs) > 0 {
			t.Errorf("%s: %+v %v", host, r, err)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

func TestPublic(t *testing.T) {
	for ip, want := range map[string]bool{"1.1.1.1": true, "8.8.8.8": true, "2606:4700::1111": true, "100.63.0.1": true, "172.32.0.1": true,
		"10.1.2.3": false, "::ffff:10.0.0.1": false, "100.127.0.1": false, "fe80::1": false, "2001:db8::1": false, "::": false} {
		if got := public(netip.AddrPortFrom(netip.MustParseAddr(ip), 443)) == nil; got != want {
			t.Errorf("%s: public %v", ip, got)
		}
	}
}

// TestRedirectInside holds that a redirect is checked as the first address is.
func TestRedirectInside(t *testing.T) {
	var hits atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer inside.Close()
	outside := site(t, "", map[string]string{"/": "Location: " + inside.URL + "/"})
	r, _ := fetch(t, Options{allow: func(at netip.AddrPort) error {
		if "http://"+at.String() == outside.URL {
			return nil
		}
		return public(at)
	}}, newMemory(), outside.URL+"/")
	if len(r.Failed) != 1 || r.Failed[0].Error != errPrivate.Error() || hits.Load() != 0 {
		t.Errorf("%+v, %d requests came through", r, hits.Load())
	}
}

func TestRobots(t *testing.T) {
	const text = "# all\nUser-agent: *\nDisallow: /\n\nUser-agent: aside-ingest\nUser-agent: third\nAllow: /a/b\nDisallow: /a\nDisallow: /*.gif$\nDisallow: /q?x=*&y\nCrawl-delay: 2\n"
	rules, pause := parseRobots(text)
	if pause.Seconds() != 2 {
		t.Errorf("pause %v", pause)
	}
	for path, want := range map[string]bool{"/": true, "/a": false, "/ab": false, "/a/b/c": true, "/x.gif": false, "/x.gif?y": true, "/q?x=1&y=2": false, "/q?x=1": true} {
		u, err := url.Parse("http://shop.example" + path)
		if err != nil {
			t.Fatal(err)
		}
		if got := allowed(rules, u); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	if rules, _ := parseRobots("User-agent: *\nDisallow:\n"); !allowed(rules, &url.URL{Path: "/x"}) {
		t.Error("an empty Disallow forbids")
	}
	s := site(t, "User-agent: *\nDisallow: /\n", map[string]string{"/": "text/plain\n\nx"})
	if r, _ := fetch(t, Options{AllowPrivate: true, Audience: assist.AudiencePublic}, newMemory(), s.URL); len(r.Failed) != 1 {
		t.Errorf("%+v", r)
	}
}
