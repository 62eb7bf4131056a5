package rights

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// rival is the operator's way to the API server. On it, somebody else writes to an object in the very moment in which
// the operator gives up its fields, once for each object: what the operator then reads is asked for in no other case.
type rival struct {
	*httptest.Server
	admin  *http.Client
	server *url.URL

	mu  sync.Mutex
	met map[string]bool
}

// meet opens the way. The token of who goes it stays his.
func meet(t *testing.T, config *rest.Config) *rival {
	t.Helper()
	r := &rival{met: map[string]bool{}}
	var err error
	r.server, err = url.Parse(config.Host)
	require.NoError(t, err)
	r.admin, err = rest.HTTPClientFor(config)
	require.NoError(t, err)
	way, err := rest.TransportFor(rest.AnonymousClientConfig(config))
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r2 *httputil.ProxyRequest) { r2.SetURL(r.server) },
		Transport: way, FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	// A client sends a token to nobody but who shows a certificate.
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodPatch {
			body, err := io.ReadAll(q.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			q.Body = io.NopCloser(bytes.NewReader(body))
			if bytes.Contains(body, []byte(`"managedFields":`)) && r.first(q.URL.Path) {
				r.write(t, q)
			}
		}
		proxy.ServeHTTP(w, q)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *rival) first(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.met[path]
	r.met[path] = true
	return !before
}

func (r *rival) write(t *testing.T, to *http.Request) {
	t.Helper()
	patch := strings.NewReader(`{"metadata": {"annotations": {"rights.test/rival": "was here"}}}`)
	request, err := http.NewRequestWithContext(to.Context(), http.MethodPatch, r.server.JoinPath(to.URL.Path).String(), patch)
	if err == nil {
		request.Header.Set("Content-Type", "application/merge-patch+json")
		var response *http.Response
		if response, err = r.admin.Do(request); err == nil {
			err = response.Body.Close()
		}
	}
	if err != nil {
		t.Errorf("writing beside the operator: %s", err)
	}
}
