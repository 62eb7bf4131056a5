package routertest

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"weir.dev/weir/e2e/sandbox"
)

// Module reads files of a Go module that the project's go.mod names.
func Module(t *testing.T, module, files string) []byte {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	require.NoError(t, err, "finding module %s", module)
	found, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), files))
	require.NoError(t, err)
	require.NotEmpty(t, found, "module %s has no files %s", module, files)
	var all []byte
	for _, file := range found {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		all = append(append(all, "\n---\n"...), content...)
	}
	return all
}

// Server is an API server with the definitions of routes. Nobody writes to it but the suite.
type Server struct {
	config *rest.Config
	// turns are taken by who asks it: of many at once each would wait for all others.
	turns chan struct{}
}

// atOnce is how many applications are played at a time: each waits for the server as long as it works.
const atOnce = 4

// StartServer starts one, which goes with the test.
func StartServer(t *testing.T, definitions []byte) *Server {
	t.Helper()
	server, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{Progress: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	require.NoError(t, sandbox.Apply(t.Context(), server.RESTConfig(), definitions))
	return &Server{config: server.RESTConfig(), turns: make(chan struct{}, atOnce)}
}

// apart runs a part of the suite beside the others: each has an application of its own.
func (s *Server) apart(t *testing.T, name string, part func(*testing.T)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		s.turns <- struct{}{}
		defer func() { <-s.turns }()
		part(t)
	})
}

// client writes strictly: a field that a definition does not know is an error. It calls wrote with the path of each write
// after it.
func (s *Server) client(t *testing.T, wrote func(path string)) dynamic.Interface {
	t.Helper()
	config := rest.CopyConfig(s.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return strict{next, wrote} })
	client, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	return client
}

type strict struct {
	next  http.RoundTripper
	wrote func(path string)
}

func (s strict) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		r = r.Clone(r.Context())
		query := r.URL.Query()
		query.Set("fieldValidation", "Strict")
		r.URL.RawQuery = query.Encode()
		defer s.wrote(r.URL.Path)
	}
	return s.next.RoundTrip(r)
}
