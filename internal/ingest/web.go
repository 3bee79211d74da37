package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/time/rate"
)

const (
	maxSitemaps  = 50 // in an index
	maxWebPages  = 5000
	maxRedirects = 5
	maxRobots    = 500 << 10 // bytes
	fetchTime    = 30 * time.Second
	longestPause = 10 * time.Second // that a robots.txt may ask for between two requests
	webPace      = 4                // requests per second and host
	userAgent    = "aside-ingest/1 (+https://github.com/aside-project/aside)"
	robotName    = "aside-ingest"
)

// web fetches pages. It never reaches an address that is not public, unless told
// so, whatever a name resolves to and wherever a redirect leads; it respects
// robots.txt, and asks each host for at most a few pages a second.
type web struct {
	client *http.Client
	pace   rate.Limit

	mu    sync.Mutex
	hosts map[string]*webHost // by scheme and host
}

// webHost is what is known of one host.
type webHost struct {
	once    sync.Once
	limiter *rate.Limiter
	rules   []robotRule
	err     error
}

// newWeb makes a fetcher whose connections must pass allow.
func newWeb(allow func(netip.AddrPort) error, pace rate.Limit, proxy bool) *web {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("address %q: %w", address, err)
		}
		return allow(at)
	}}
	transport := &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: fetchTime,
		MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 4, IdleConnTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
	}
	if proxy { // a proxy would dial for us, past the check
		transport.Proxy = http.ProxyFromEnvironment
	}
	return &web{
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		pace:   pace, hosts: map[string]*webHost{},
	}
}

func (w *web) close() { w.client.CloseIdleConnections() }

var errPrivate = errors.New("the address is not a public one: --allow-private permits it")

// notPublic is what the methods of netip.Addr do not cover: addresses for special
// use, and those that carry an IPv4 address inside.
var notPublic = func() (all []netip.Prefix) {
	for _, p := range []string{"0.0.0.0/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}()

var globalV6 = netip.MustParsePrefix("2000::/3")

// public lets connections to public addresses through, and no others. It is asked
// with the address that is dialled, after names are resolved.
func public(at netip.AddrPort) error {
	ip := at.Addr().Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.Is6() && !globalV6.Contains(ip) {
		return errPrivate
	}
	for _, p := range notPublic {
		if p.Contains(ip) {
			return errPrivate
		}
	}
	return nil
}

// webURL checks an address that somebody gave.
func webURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("it is not a web address")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("addresses must begin with https:// or http://, not %s", clip(u.Scheme))
	case u.Host == "" || u.Hostname() == "":
		return nil, errors.New("the address names no host")
	case u.User != nil:
		return nil, errors.New("addresses with a name or password are not read: they would be stored with the page")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// fetched is what a server answered.
type fetched struct {
	at        *url.URL // after redirects
	mediaType string
	charset   string
	data      []byte
}

// get fetches an address: redirects are followed a few times, each one checked as
// the first.
func (w *web) get(ctx context.Context, u *url.URL) (fetched, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, fetchTime+longestPause, fmt.Errorf("the server took longer than %v", fetchTime))
	defer cancel()
	for range maxRedirects + 1 {
		host := w.host(ctx, u)
		if host.err != nil {
			return fetched{}, host.err
		}
		if !allowed(host.rules, u) {
			return fetched{}, errors.New("the site's robots.txt asks not to read it")
		}
		if err := host.limiter.Wait(ctx); err != nil {
			return fetched{}, fmt.Errorf("wait for the site's turn: %w", err)
		}
		got, next, err := w.one(ctx, u, maxFile)
		if err != nil || next == nil {
			return got, err
		}
		u = next
	}
	return fetched{}, fmt.Errorf("it redirects more than %d times", maxRedirects)
}

// statusError is an answer that is no page.
type statusError struct {
	code int
	text string
}

func (e statusError) Error() string { return "the server answers " + e.text }

// one makes one request.
func (w *web) one(ctx context.Context, u *url.URL, limit int64) (got fetched, next *url.URL, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return got, nil, errors.New("it is not a web address")
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "text/html, text/markdown, text/plain;q=0.9, application/pdf;q=0.8, application/xml;q=0.8, */*;q=0.1")
	resp, err := w.client.Do(req)
	if err != nil {
		if errors.Is(err, errPrivate) {
			return got, nil, errPrivate
		}
		if ctx.Err() != nil {
			return got, nil, context.Cause(ctx)
		}
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return got, nil, fmt.Errorf("it could not be fetched: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		to, err := resp.Location()
		if err != nil {
			return got, nil, errors.New("it redirects to nowhere")
		}
		next, err := webURL(to.String())
		if err != nil {
			return got, nil, fmt.Errorf("it redirects to %s: %w", clip(to.Scheme+"://"+to.Host), err)
		}
		return got, next, nil
	case http.StatusOK:
	default:
		return got, nil, statusError{resp.StatusCode, clip(resp.Status)}
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return got, nil, fmt.Errorf("it could not be fetched whole: %w", err)
	}
	if int64(len(data)) > limit {
		return got, nil, fmt.Errorf("it is larger than %d KB", limit>>10)
	}
	mediaType, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		mediaType = http.DetectContentType(data)
		mediaType, params, _ = mime.ParseMediaType(mediaType)
	}
	return fetched{at: u, mediaType: mediaType, charset: params["charset"], data: data}, nil, nil
}

// host gives what is known of a host; its robots.txt is read before the first page.
func (w *web) host(ctx context.Context, u *url.URL) *webHost {
	key := u.Scheme + "://" + strings.ToLower(u.Host)
	w.mu.Lock()
	h := w.hosts[key]
	if h == nil {
		h = &webHost{limiter: rate.NewLimiter(w.pace, 1)}
		w.hosts[key] = h
	}
	w.mu.Unlock()
	h.once.Do(func() {
		at, err := url.Parse(key + "/robots.txt")
		if err != nil {
			h.err = errors.New("it is not a web address")
			return
		}
		var got fetched
		for range maxRedirects {
			var next *url.URL
			if got, next, err = w.one(ctx, at, maxRobots); next == nil {
				break
			}
			at = next
		}
		if status, ok := errors.AsType[statusError](err); ok && status.code >= 400 && status.code < 500 {
			return // it has none: everything may be read
		}
		if err != nil {
			if h.err = err; !errors.Is(err, errPrivate) {
				h.err = fmt.Errorf("its robots.txt cannot be read: %w", err)
			}
			return
		}
		var pause time.Duration
		h.rules, pause = parseRobots(string(got.data))
		if pause > 0 {
			h.limiter.SetLimit(min(w.pace, rate.Every(min(pause, longestPause))))
		}
	})
	return h
}

// robotRule allows or forbids paths that match a pattern.
type robotRule struct {
	pattern string
	allow   bool
}

// parseRobots gives the rules that hold for us (RFC 9309): the group that names
// us, else that of everyone.
func parseRobots(text string) (rules []robotRule, pause time.Duration) {
	type group struct {
		rules []robotRule
		pause time.Duration
	}
	groups := map[string]*group{}
	var names []string
	inRules := false
	for l := range strings.Lines(text) {
		l, _, _ = strings.Cut(l, "#")
		key, v, ok := strings.Cut(l, ":")
		if !ok {
			continue
		}
		key, v = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(v)
		if key == "user-agent" {
			if inRules {
				names, inRules = nil, false
			}
			name := strings.ToLower(v)
			names = append(names, name)
			if groups[name] == nil {
				groups[name] = &group{}
			}
			continue
		}
		inRules = true
		for _, name := range names {
			g := groups[name]
			switch key {
			case "allow", "disallow":
				if v != "" {
					g.rules = append(g.rules, robotRule{v, key == "allow"})
				}
			case "crawl-delay":
				if d, err := time.ParseDuration(v + "s"); err == nil && d > 0 {
					g.pause = d
				}
			}
		}
	}
	for _, name := range []string{robotName, "aside", "*"} {
		if g := groups[name]; g != nil {
			return g.rules, g.pause
		}
	}
	return nil, 0
}

// allowed applies the longest rule that matches; of two as long, the one that
// allows.
func allowed(rules []robotRule, u *url.URL) bool {
	at := u.EscapedPath()
	if at == "" {
		at = "/"
	}
	if u.RawQuery != "" {
		at += "?" + u.RawQuery
	}
	allow, length := true, -1
	for _, r := range rules {
		if n := len(r.pattern); (n > length || n == length && r.allow) && matchRobot(r.pattern, at) {
			allow, length = r.allow, n
		}
	}
	return allow
}

// matchRobot matches the beginning of a path: * stands for anything, $ for the end.
func matchRobot(pattern, at string) bool {
	pattern, whole := strings.CutSuffix(pattern, "$")
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(at, parts[0]) {
		return false
	}
	at = at[len(parts[0]):]
	for i, part := range parts[1:] {
		if whole && i == len(parts)-2 {
			return strings.HasSuffix(at, part)
		}
		j := strings.Index(at, part)
		if j < 0 {
			return false
		}
		at = at[j+len(part):]
	}
	return !whole || at == ""
}

// sitemap is a <urlset> or a <sitemapindex>.
type sitemap struct {
	XMLName xml.Name
	Pages   []string `xml:"url>loc"`
	Maps    []string `xml:"sitemap>loc"`
}

// pages lists the files behind an address: the page, or those of a sitemap or an
// index of sitemaps. Pages of other hosts are left out, as the protocol says.
func (w *web) pages(ctx context.Context, address string, warn func(path, text string)) (files []file, source string, err error) {
	u, err := webURL(address)
	if err != nil {
		return nil, "", err
	}
	source = u.String()
	if !strings.HasSuffix(u.Path, ".xml") {
		return []file{webFile(u, source)}, source, nil
	}
	queue, seen := []*url.URL{u}, map[string]bool{source: true}
	foreign := 0
	for read := 0; len(queue) > 0; read++ {
		if read >= maxSitemaps {
			return files, source, fmt.Errorf("it leads to more than %d sitemaps: give some of them by themselves", maxSitemaps)
		}
		at := queue[0]
		queue = queue[1:]
		got, err := w.get(ctx, at)
		if err != nil {
			return files, source, fmt.Errorf("sitemap %s: %w", at, err)
		}
		var m sitemap
		if err := xml.NewDecoder(bytes.NewReader(got.data)).Decode(&m); err != nil || m.XMLName.Local != "urlset" && m.XMLName.Local != "sitemapindex" {
			return files, source, fmt.Errorf("%s is not a sitemap", at)
		}
		for i, loc := range append(m.Maps, m.Pages...) {
			page, err := webURL(strings.TrimSpace(loc))
			if err != nil || !strings.EqualFold(page.Host, u.Host) {
				foreign++
				continue
			}
			if seen[page.String()] {
				continue
			}
			seen[page.String()] = true
			if i < len(m.Maps) {
				queue = append(queue, page)
				continue
			}
			if len(files) >= maxWebPages {
				return files, source, fmt.Errorf("it lists more than %d pages: give its parts by themselves", maxWebPages)
			}
			files = append(files, webFile(page, source))
		}
	}
	if foreign > 0 {
		warn(address, fmt.Sprintf("%d addresses of other hosts were left out", foreign))
	}
	return files, source, nil
}

// webFile is the file of a page. Its document's id is the address without what
// does not tell pages apart.
func webFile(u *url.URL, source string) file {
	id := strings.ToLower(u.Host) + strings.TrimSuffix(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		id += "?" + u.RawQuery
	}
	if len(id) > maxName {
		sum := sha256.Sum256([]byte(id))
		id = strings.ToValidUTF8(id[:maxName-20], "") + "-" + hex.EncodeToString(sum[:8])
	}
	return file{path: u.String(), source: source, rel: u.String(), id: id, url: u}
}

var webTypes = map[string]string{
	"text/html": ".html", "application/xhtml+xml": ".html",
	"text/markdown": ".md", "text/x-markdown": ".md",
	"text/plain":      ".txt",
	"application/pdf": ".pdf",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}

// fetch reads a page and says which format it is in, by file ending.
func (w *web) fetch(ctx context.Context, u *url.URL) (at *url.URL, ext string, data []byte, err error) {
	got, err := w.get(ctx, u)
	if err != nil {
		return nil, "", nil, err
	}
	ext = webTypes[got.mediaType]
	ending := strings.ToLower(path.Ext(got.at.Path))
	if (got.mediaType == "text/plain" || got.mediaType == "application/octet-stream") && ending != ".csv" && known(ending) {
		ext = ending
	}
	if ext == "" {
		return nil, "", nil, fmt.Errorf("pages of type %s are not read", clip(got.mediaType))
	}
	data = got.data
	if ext == ".html" || ext == ".txt" || ext == ".md" {
		contentType := "text/html"
		if got.charset != "" {
			contentType += "; charset=" + got.charset
		}
		// What is valid UTF-8 stays; old pages in other encodings become it.
		if encoding, name, _ := charset.DetermineEncoding(data[:min(len(data), 4096)], contentType); name != "utf-8" && !utf8.Valid(data) {
			if data, err = encoding.NewDecoder().Bytes(data); err != nil {
				return nil, "", nil, fmt.Errorf("its text is not in %s, as it says: %w", name, err)
			}
		}
	}
	return got.at, ext, data, checkSize(data)
}
