package alerttest

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The secrets of every address that channels are made with.
const (
	pathSecret    = "path-of-the-hook"
	querySecret   = "key-of-the-hook"
	proxyPassword = "password-of-the-proxy"
)

// secretly is an address with secrets in it.
func secretly(server string) string { return server + "/" + pathSecret + "?key=" + querySecret }

// Answer is a server that always says the same.
func Answer(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// Words is a server that refuses with a JSON object, which has its words where the # is.
func Words(status int, object string) func(words string) http.Handler {
	return func(words string) http.Handler {
		quoted, err := json.Marshal(words)
		if err != nil {
			panic(err)
		}
		return Answer(status, strings.ReplaceAll(object, "#", string(quoted)))
	}
}

// Sent is a request that a server was sent.
type Sent struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"header"`
	Body   json.RawMessage   `json:"body"`

	host string
}

// recorder keeps what it was sent.
type recorder struct {
	answers http.Handler
	mu      sync.Mutex
	all     []Sent
}

// ServeHTTP keeps a request, and answers it.
func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	header := map[string]string{}
	for name := range req.Header {
		switch name {
		case "Accept-Encoding", "Content-Length", "Proxy-Authorization", "Proxy-Connection":
		default:
			header[name] = req.Header.Get(name)
		}
	}
	address := *req.URL
	address.Scheme, address.Host = "", ""
	r.mu.Lock()
	r.all = append(r.all, Sent{Method: req.Method, URL: address.String(), Header: header, Body: body, host: req.Host})
	r.mu.Unlock()
	req.Body = io.NopCloser(bytes.NewReader(body))
	r.answers.ServeHTTP(w, req)
}

func (r *recorder) requests() []Sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// serveTLS has a certificate that nobody knows.
func serveTLS(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it would complain of who does not trust it
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// deserted is the address of a server that is gone.
func deserted() string {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	return server.URL
}

// everything that a server is shown by a request.
func everything(r *http.Request) string {
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		return err.Error()
	}
	return r.URL.String() + "\n" + string(dump)
}

// echo repeats the request, with the secrets in it.
func echo(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, everything(r))
	})
}

// silent takes a request, says that it has it, and does not answer.
func silent(called func()) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		// With the body unread, the server would not notice that the caller is gone.
		_, _ = io.Copy(io.Discard, r.Body)
		called()
		<-r.Context().Done()
	})
}

// cutOff loses the connection before it answers.
func cutOff() http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

func writeIndented(t *testing.T, w *strings.Builder, document []byte) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, document, "", "  "))
	assert.True(t, json.Valid(b.Bytes()))
	w.WriteString(b.String() + "\n")
}
