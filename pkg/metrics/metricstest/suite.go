// Package metricstest is the suite that every provider of metrics passes. A provider brings recorded
// answers of its server, or the server itself; what goes wrong on the way is the suite's own.
package metricstest

import (
	"context"
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
)

// Exchange is a query and who answers it.
type Exchange struct {
	Expr   string
	Server http.Handler
}

// Suite is what must be known of a provider to test it.
type Suite struct {
	// New makes the provider that asks the server at that URL.
	New func(address string) (metrics.Provider, error)
	// Secrets that New gives it to show to the server. At least one.
	Secrets []string
	// Value has one series, 42. Several has two, 1 and 2, in any order.
	Value, Several Exchange
	// NoData are the answers without a number, by what they are.
	NoData map[string]Exchange
	// Rejected are the refusals of a query, by what is wrong with it.
	Rejected map[string]Exchange
	// Refusal is how the server refuses a query with words of its own. Nil if it has none.
	Refusal func(words string) http.Handler
}

// Run tests a provider.
func Run(t *testing.T, s Suite) {
	require.NotEmpty(t, s.Secrets, "without secrets the suite cannot see that none is told")
	t.Run("values", s.values)
	t.Run("no data", s.noData)
	t.Run("rejected", s.rejected)
	t.Run("transport", s.transport)
	t.Run("the context ends", s.contextEnds)
	t.Run("the server's words", s.words)
	t.Run("secrets stay with the server", s.redirected)
	t.Run("concurrent use", s.concurrent)
}

func (s Suite) values(t *testing.T) {
	for name, c := range map[string]struct {
		exchange Exchange
		want     []float64
	}{
		"one series":     {s.Value, []float64{42}},
		"several series": {s.Several, []float64{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			samples, err := s.ask(t.Context(), t, c.exchange)
			require.NoError(t, err)
			assert.ElementsMatch(t, c.want, values(samples))
		})
	}
}

func (s Suite) noData(t *testing.T) {
	for name, e := range s.NoData {
		t.Run(name, func(t *testing.T) { s.fails(t.Context(), t, e, metrics.NoData) })
	}
}

func (s Suite) rejected(t *testing.T) {
	all := maps.Clone(s.Rejected)
	all["not known"] = Exchange{s.Value.Expr, echo(http.StatusUnauthorized)}
	all["not allowed"] = Exchange{s.Value.Expr, echo(http.StatusForbidden)}
	for name, e := range all {
		t.Run(name, func(t *testing.T) { s.fails(t.Context(), t, e, metrics.Rejected) })
	}
}

func (s Suite) transport(t *testing.T) {
	for name, server := range map[string]http.Handler{
		"internal error": echo(http.StatusInternalServerError),
		"bad gateway":    echo(http.StatusBadGateway),
		"unavailable":    echo(http.StatusServiceUnavailable),
		"too many":       echo(http.StatusTooManyRequests),
		"nothing":        Answer(http.StatusOK, ""),
		"a web page":     Answer(http.StatusOK, "<html><body>Sign in</body></html>"),
		"null":           Answer(http.StatusOK, "null"),
		"half an answer": half(s.Value.Server),
		"cut off":        cutOff(s.Value.Server),
		"too long":       tooLong(s.Value.Server),
	} {
		t.Run(name, func(t *testing.T) {
			s.fails(t.Context(), t, Exchange{s.Value.Expr, server}, metrics.Transport)
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		_, err := s.provider(t, server.URL).Query(t.Context(), metrics.Query{Expr: s.Value.Expr})
		s.is(t, err, metrics.Transport)
	})
}

// contextEnds asks a server that never answers.
func (s Suite) contextEnds(t *testing.T) {
	t.Run("timeout", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		s.fails(ctx, t, Exchange{s.Value.Expr, silent(func() {})}, metrics.Transport)
	})
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s.fails(ctx, t, Exchange{s.Value.Expr, silent(cancel)}, metrics.Transport)
	})
}

// words asks a server that explains a refusal, and one that repeats all it was sent in doing so.
func (s Suite) words(t *testing.T) {
	if s.Refusal == nil {
		t.Skip("this server explains nothing")
	}
	t.Run("are told", func(t *testing.T) {
		told := s.fails(t.Context(), t, Exchange{s.Value.Expr, s.Refusal("unknown function rade")}, metrics.Rejected)
		assert.Contains(t, told, "unknown function rade")
	})
	t.Run("are bounded", func(t *testing.T) {
		long := s.Refusal(strings.Repeat("no\n", 1<<16))
		told := s.fails(t.Context(), t, Exchange{s.Value.Expr, long}, metrics.Rejected)
		assert.Less(t, len(told), 1024)
		assert.NotContains(t, told, "\n")
	})
	t.Run("repeat the request", func(t *testing.T) {
		s.fails(t.Context(), t, Exchange{s.Value.Expr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			shown := s.shown(r)
			assert.NotEmpty(t, shown, "the provider shows no secrets to its server")
			s.Refusal(strings.Join(shown, " ")).ServeHTTP(w, r)
		})}, metrics.Rejected)
	})
}

// redirected asks a server that sends its callers to another.
func (s Suite) redirected(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, s.shown(r)...)
		s.Value.Server.ServeHTTP(w, r)
	}))
	t.Cleanup(other.Close)
	// The same address under another name, which is another server to who cares for credentials.
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	_, err := s.ask(t.Context(), t, Exchange{s.Value.Expr, http.RedirectHandler(elsewhere, http.StatusTemporaryRedirect)})
	if err != nil {
		s.tellsNothing(t, err)
	}
	mu.Lock()
	defer mu.Unlock()
	assert.Empty(t, seen, "another server was shown secrets")
}

// concurrent is for the race detector, mostly.
func (s Suite) concurrent(t *testing.T) {
	p := s.provider(t, serve(t, s.Value.Server))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 4 {
				samples, err := p.Query(t.Context(), metrics.Query{Expr: s.Value.Expr, Window: time.Minute})
				assert.NoError(t, err)
				assert.Equal(t, []float64{42}, values(samples))
			}
		})
	}
	all.Wait()
}

// ask puts one question to a new provider.
func (s Suite) ask(ctx context.Context, t *testing.T, e Exchange) ([]metrics.Sample, error) {
	return s.provider(t, serve(t, e.Server)).Query(ctx, metrics.Query{Expr: e.Expr, Window: time.Minute})
}

// fails wants an error of that kind, with no secret in it, and gives its text.
func (s Suite) fails(ctx context.Context, t *testing.T, e Exchange, kind metrics.Kind) string {
	t.Helper()
	samples, err := s.ask(ctx, t, e)
	assert.Empty(t, samples)
	s.is(t, err, kind)
	return err.Error()
}

func (s Suite) is(t *testing.T, err error, kind metrics.Kind) {
	t.Helper()
	var typed *metrics.Error
	require.ErrorAs(t, err, &typed)
	require.Equal(t, kind, typed.Kind, "the error is: %s", err)
	require.NotEmpty(t, err.Error())
	s.tellsNothing(t, err)
}

func (s Suite) tellsNothing(t *testing.T, err error) {
	t.Helper()
	for _, secret := range s.secrets() {
		require.NotContains(t, err.Error(), secret)
	}
}

// The credentials in every URL that providers are made with.
const username, password = "somebody", "password-in-the-url"

func (s Suite) secrets() []string {
	encoded := base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
	return append([]string{password, encoded}, s.Secrets...)
}

func (s Suite) provider(t *testing.T, address string) metrics.Provider {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	u.User = url.UserPassword(username, password)
	p, err := s.New(u.String())
	require.NoError(t, err)
	return p
}

// shown are the lines of a request that have a secret in them.
func (s Suite) shown(r *http.Request) []string {
	_, decoded, _ := r.BasicAuth()
	var found []string
	for line := range strings.Lines(everything(r) + "\n" + decoded) {
		if slices.ContainsFunc(s.secrets(), func(secret string) bool { return strings.Contains(line, secret) }) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func values(samples []metrics.Sample) []float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, s.Value)
	}
	return all
}
