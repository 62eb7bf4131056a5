// Package page is a dashboard of all Canaries that a browser shows: a list, one Canary with the course of its run, and the
// runs before. It reads from the operator's own cache and asks the API server nothing but who somebody is and what they
// may do. Whoever reads needs the right to get or list Canaries, unless anybody may; whoever orders something, the right
// to patch them, which is what `kubectl weir` needs for the same. All that was written by people is escaped, and nothing
// is loaded from elsewhere. docs/dashboard.md tells of it.
package page

import (
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/client/clientset/versioned"
	"weir.dev/weir/pkg/words"
)

//go:embed assets
var assets embed.FS

// Options of a Page.
type Options struct {
	// Canaries is the cache that is shown. Somebody else starts it.
	Canaries cache.SharedIndexInformer
	// Kube answers who somebody is and what they may do; Weir writes commands.
	Kube kubernetes.Interface
	Weir versioned.Interface
	// AnonymousRead lets anybody read who reaches the page.
	AnonymousRead bool
	// Commands offers commands to those who may give them.
	Commands bool
	// Audiences that a token has to be for; none for those of the API server.
	Audiences []string
	Log       *slog.Logger
	Now       func() time.Time
}

// Page is the dashboard. It is an http.Handler.
type Page struct {
	options   Options
	store     *store
	access    *access
	templates *template.Template
	handler   http.Handler
	streams   chan struct{} // as many as may be open
}

// mostStreams is how many pages may be kept up to date at the same time. The others are reloaded by hand.
const mostStreams = 256

// New makes a Page, which watches the cache from now on.
func New(o Options) (*Page, error) {
	templates, err := template.New("").Funcs(template.FuncMap{"line": words.Line}).ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, err
	}
	p := &Page{options: o, templates: templates, store: newStore(o.Now), streams: make(chan struct{}, mostStreams)}
	p.access = newAccess(o.Kube, o.Audiences, o.Now)
	if err := p.store.watch(o.Canaries); err != nil {
		return nil, err
	}
	p.handler, err = p.routes()
	return p, err
}

func (p *Page) routes() (http.Handler, error) {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for pattern, handle := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /{$}":                          p.list,
		"GET /live":                         p.listLive,
		"GET /canaries/{namespace}/{name}":  p.one,
		"GET /live/{namespace}/{name}":      p.oneLive,
		"POST /canaries/{namespace}/{name}": p.order,
		"GET /login":                        p.loginForm,
		"POST /login":                       p.login,
		"POST /logout":                      p.logout,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost { // the server itself has no such limit: streams do not end
				_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(longestForm))
			}
			if err := handle(w, r); err != nil {
				p.fail(w, r, err)
			}
		})
	}
	for _, name := range []string{"page.css", "page.js"} {
		mux.HandleFunc("GET /static/"+name, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, name) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.fail(w, r, refusal{http.StatusNotFound, "There is no such page."})
	})
	// Browsers say where a request comes from. Beside it, every form that orders something carries a word that only
	// the page could have put there.
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fail(w, r, refusal{http.StatusForbidden, "This was sent from another site, and was not done."})
	}))
	return headers(http.MaxBytesHandler(crossOrigin.Handler(mux), mostBytes)), nil
}

// longestForm is how long a browser may take to send one.
const longestForm = 10 * time.Second

// mostBytes is the most that a form may have: a token and a reason are shorter.
const mostBytes = 64 << 10

// ServeHTTP answers a browser.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// headers keeps a browser from loading, framing, guessing or storing anything.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
				"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
			"Referrer-Policy":              "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control":                "no-store",
		} {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}
