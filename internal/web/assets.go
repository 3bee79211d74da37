package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

//go:embed assets
var assetFiles embed.FS

// ConsolePolicy is the Content-Security-Policy of the console's pages: their own
// scripts and styles, their own server, nothing from elsewhere.
const ConsolePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// assetTypes are the types of files we ship. They are stated rather than looked
// up: the system's table may know other ones, and nosniff makes those fatal.
var assetTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
	".svg":  "image/svg+xml",
}

// pages are what agents and operators open; page.html is all of them.
var pages = map[string]page{
	"index.html":      {"Aside", "console.css", "app.js"},
	"deliveries.html": {"Deliveries · Aside", "deliveries.css", "deliveries.js"},
	"storybook.html":  {"Aside: every state", "console.css", "storybook.js"},
}

type page struct{ Title, Style, Script string }

// imported finds the modules that a module names.
var imported = regexp.MustCompile(`(?m)^(?:import|export)\b.*"(\.{1,2}/[^"]+)";$`)

// modules adds what a script imports, and what that imports, to known: a browser
// on a slow line asks for all of it at once, instead of level by level.
func modules(files map[string]asset, script string, known []string) []string {
	for _, m := range imported.FindAllSubmatch(files[script].body, -1) {
		if name := path.Join(path.Dir(script), string(m[1])); !slices.Contains(known, name) {
			known = modules(files, name, append(known, name))
		}
	}
	return known
}

type asset struct {
	name, contentType, etag string
	cache                   string // "": no-cache
	body, zipped            []byte
}

// Assets serves the agent's console: its page at "/", its files below
// "/assets/", and the customer's chat: "/widget.js" for other sites' pages and
// "/widget" as a page, "/panel.js" for the pages of chat tools. In development there are also "/storybook" and
// "/storybook/widget" and "/storybook/panel", which draw every state from fixtures, and "/demo", a shop's
// page with the widget. Anything else is not found. Browsers ask each time and are
// answered 304 while nothing changed, so that an upgrade shows at once; only the
// widget's script, which pages of other sites load, is kept for five minutes.
func Assets(development bool) http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range AssetRoutes(development) {
		mux.Handle(pattern, h)
	}
	return mux
}

// AssetRoutes are the routes of Assets one by one, by ServeMux pattern, for a mux
// that answers unknown addresses itself.
func AssetRoutes(development bool) map[string]http.Handler {
	files := loadAssets()
	script := files["widget.js"]
	script.cache = "public, max-age=300" // on every page of a shop: not asked for each time
	routes := map[string]http.Handler{"GET /{$}": files["index.html"], "GET /widget": files["widget.html"], "GET /widget.js": script,
		"GET /panel.js": files["embed/entry.js"], "GET /deliveries": files["deliveries.html"]}
	if development {
		routes["GET /storybook"] = files["storybook.html"]
		routes["GET /storybook/widget"] = files["storybook-widget.html"]
		routes["GET /storybook/panel"] = files["storybook-panel.html"]
		routes["GET /demo"] = files["demo.html"]
	}
	for name, f := range files {
		if path.Ext(name) != ".html" && (development || !onlyInDevelopment(name)) {
			routes["GET /assets/"+name] = f
		}
	}
	return routes
}

func onlyInDevelopment(name string) bool {
	return strings.HasPrefix(name, "storybook") || strings.HasPrefix(name, "fixtures/") || name == "demo.css"
}

func loadAssets() map[string]asset {
	files := map[string]asset{}
	err := fs.WalkDir(assetFiles, "assets", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := assetFiles.ReadFile(p)
		if err != nil {
			return err
		}
		files[strings.TrimPrefix(p, "assets/")] = newAsset(strings.TrimPrefix(p, "assets/"), body)
		return nil
	})
	if err != nil {
		panic("web: read embedded assets: " + err.Error()) // the binary itself is broken
	}
	document := template.Must(template.New("page").Parse(string(files["page.html"].body)))
	for name, p := range pages {
		var b bytes.Buffer
		if err := document.Execute(&b, struct {
			page
			Modules []string
		}{p, modules(files, p.Script, nil)}); err != nil {
			panic("web: write " + name + ": " + err.Error()) // likewise
		}
		files[name] = newAsset(name, b.Bytes())
	}
	return files
}

func newAsset(name string, body []byte) asset {
	sum := sha256.Sum256(body)
	return asset{name: name, contentType: assetTypes[path.Ext(name)], etag: hex.EncodeToString(sum[:12]), body: body, zipped: gzipped(body)}
}

func gzipped(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(body) // into memory: neither this
	z.Close()     // nor this can fail
	return b.Bytes()
}

// ServeHTTP serves the file with its type, its tag and the pages' policy, gzipped
// to those who take that.
func (a asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	body, etag := a.body, a.etag
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		body, etag = a.zipped, etag+"-gzip"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Security-Policy", ConsolePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", cmp.Or(a.cache, "no-cache"))
	// The pages of other sites load the widget. The files are public and the same
	// for everyone; what they then ask of the API has its own rule.
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(body))
}
