// Package alerttest is the suite that every channel of alerts passes. A channel brings what its vendor answers, as the
// vendor documents it, and what the vendor takes; what goes wrong on the way is the suite's own.
package alerttest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Suite is what must be known of a channel to test it.
type Suite struct {
	// New makes the channel that calls the server of that site.
	New func(alert.Site) (alert.Channel, error)
	// Secrets that New gives it to show to the server, if any. What stands in the address is known.
	Secrets []string
	// Accepts is how the server answers a message that it takes.
	Accepts http.Handler
	// Rejected and Transport are answers that the vendor documents, by what is wrong.
	Rejected, Transport map[string]http.Handler
	// Refusal is how the server refuses a message with words of its own. Nil if it has none.
	Refusal func(words string) http.Handler
	// Limits looks whether the vendor would take a body, in JSON.
	Limits func(t *testing.T, body []byte)
	// Mentions would call people together there if a message came out with them as they are. Hostile has them.
	Mentions []string
	// Folder of the golden files, testdata if it is empty.
	Folder string
	// Rewrite writes the golden files anew.
	Rewrite bool
}

// Run tests a channel. What it sends is held to the files of testdata, one for each of Messages.
func Run(t *testing.T, s Suite) {
	t.Run("payloads", s.payloads)
	t.Run("nobody is mentioned", s.mentionsNobody)
	t.Run("limits", s.limits)
	t.Run("rejected", s.rejected)
	t.Run("transport", s.transport)
	t.Run("too many", s.tooMany)
	t.Run("the context ends", s.contextEnds)
	t.Run("the server's words", s.words)
	t.Run("secrets stay with the server", s.redirected)
	t.Run("proxy", s.proxied)
	t.Run("certificates", s.certificates)
	t.Run("template", s.template)
	t.Run("bad addresses", s.addresses)
	t.Run("concurrent use", s.concurrent)
}

// sent is what a channel shows of a message to a server.
func (s Suite) sent(t *testing.T, m alert.Message) []Sent {
	t.Helper()
	r := &recorder{answers: s.Accepts}
	require.NoError(t, s.send(t.Context(), t, r, m))
	require.NotEmpty(t, r.requests())
	return r.requests()
}

func (s Suite) payloads(t *testing.T) {
	for name, m := range Messages() {
		t.Run(name, func(t *testing.T) {
			got, err := alert.Encode(s.sent(t, m))
			require.NoError(t, err)
			var indented strings.Builder
			writeIndented(t, &indented, got)
			folder := cmp.Or(s.Folder, "testdata")
			file := filepath.Join(folder, name+".json")
			if s.Rewrite {
				require.NoError(t, os.MkdirAll(folder, 0o755))
				require.NoError(t, os.WriteFile(file, []byte(indented.String()), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), indented.String())
			for _, one := range s.sent(t, m) {
				s.Limits(t, one.Body)
			}
		})
	}
}

func (s Suite) mentionsNobody(t *testing.T) {
	for _, one := range s.sent(t, Hostile()) {
		texts := strings.Join(stringsIn(t, one.Body), "\n")
		for _, mention := range s.Mentions {
			assert.NotContains(t, texts, mention)
		}
		assert.NotContains(t, texts, "javascript:")
		assert.NotContains(t, texts, "\x00")
	}
}

func (s Suite) limits(t *testing.T) {
	resolved := greatest()
	resolved.Resolved, resolved.Severity = true, v1beta1.SeverityInfo
	warning := greatest()
	warning.Severity = v1beta1.SeverityWarn
	for name, m := range map[string]alert.Message{
		"everything": greatest(), "a storm": storm(), "an end": resolved, "a warning": warning,
	} {
		t.Run(name, func(t *testing.T) {
			for _, one := range s.sent(t, m) {
				require.True(t, utf8.Valid(one.Body))
				require.False(t, bytes.ContainsRune(one.Body, utf8.RuneError), "cut amid a character")
				s.Limits(t, one.Body)
			}
		})
	}
}

func (s Suite) rejected(t *testing.T) {
	all := map[string]http.Handler{
		"not known": echo(http.StatusUnauthorized), "not allowed": echo(http.StatusForbidden),
		"not there": echo(http.StatusNotFound), "not any more": echo(http.StatusGone),
		"not understood": echo(http.StatusBadRequest), "too large": echo(http.StatusRequestEntityTooLarge),
	}
	maps.Copy(all, s.Rejected)
	for name, h := range all {
		t.Run(name, func(t *testing.T) { s.fails(t.Context(), t, h, alert.Rejected) })
	}
}

func (s Suite) transport(t *testing.T) {
	all := map[string]http.Handler{
		"internal error": echo(http.StatusInternalServerError), "bad gateway": echo(http.StatusBadGateway),
		"unavailable": echo(http.StatusServiceUnavailable), "cut off": cutOff(), "too slow": echo(http.StatusRequestTimeout),
	}
	maps.Copy(all, s.Transport)
	for name, h := range all {
		t.Run(name, func(t *testing.T) { s.fails(t.Context(), t, h, alert.Transport) })
	}
	t.Run("nobody listens", func(t *testing.T) {
		c, err := s.New(alert.Site{Address: secretly(deserted())})
		require.NoError(t, err)
		s.is(t, c.Send(t.Context(), rolledBack()), alert.Transport)
	})
}

// tooMany wants to know how long a server wants to be left alone.
func (s Suite) tooMany(t *testing.T) {
	soon := time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)
	for said, want := range map[string]time.Duration{"7": 7 * time.Second, soon: time.Minute, "": 0, "-3": 0} {
		for _, code := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			err := s.failure(t.Context(), t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", said)
				echo(code).ServeHTTP(w, r)
			}), alert.Transport)
			assert.InDelta(t, want, err.RetryAfter, float64(5*time.Second), "%d %q", code, said)
			assert.GreaterOrEqual(t, err.RetryAfter, time.Duration(0))
		}
	}
}

// contextEnds calls a server that never answers.
func (s Suite) contextEnds(t *testing.T) {
	t.Run("timeout", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		s.fails(ctx, t, silent(func() {}), alert.Transport)
	})
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s.fails(ctx, t, silent(cancel), alert.Transport)
	})
}

// words calls a server that explains a refusal, and one that repeats all it was sent in doing so.
func (s Suite) words(t *testing.T) {
	if s.Refusal == nil {
		t.Skip("this server explains nothing")
	}
	assert.Contains(t, s.failure(t.Context(), t, s.Refusal("no such room"), alert.Rejected).Message, "no such room")
	long := s.failure(t.Context(), t, s.Refusal(strings.Repeat("no\n", 1<<12)), alert.Rejected).Message
	assert.Less(t, len(long), 1024)
	assert.NotContains(t, long, "\n")
	s.fails(t.Context(), t, s.Refusal("there is no hook "+pathSecret+" "+querySecret), alert.Rejected)
	s.fails(t.Context(), t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Refusal(everything(r)).ServeHTTP(w, r)
	}), alert.Rejected)
}

// redirected calls a server that sends its callers to another.
func (s Suite) redirected(t *testing.T) {
	other := &recorder{answers: s.Accepts}
	elsewhere := strings.Replace(serve(t, other), "127.0.0.1", "localhost", 1)
	err := s.send(t.Context(), t, http.RedirectHandler(elsewhere, http.StatusTemporaryRedirect), rolledBack())
	s.is(t, err, alert.Rejected)
	assert.Empty(t, other.requests(), "another server was called")
}

// proxied calls a server that only a proxy knows.
func (s Suite) proxied(t *testing.T) {
	const host = "nobody.invalid"
	r := &recorder{answers: s.Accepts}
	proxy, err := url.Parse(serve(t, r))
	require.NoError(t, err)
	proxy.User = url.UserPassword("somebody", proxyPassword)
	c, err := s.New(alert.Site{Address: secretly("http://" + host), Proxy: proxy.String()})
	require.NoError(t, err)
	require.NoError(t, c.Send(t.Context(), rolledBack()))
	require.NotEmpty(t, r.requests())
	assert.Equal(t, host, r.requests()[0].host)

	proxy, err = url.Parse(serve(t, echo(http.StatusProxyAuthRequired)))
	require.NoError(t, err)
	proxy.User = url.UserPassword("somebody", proxyPassword)
	refusing, err := s.New(alert.Site{Address: secretly("http://" + host), Proxy: proxy.String()})
	require.NoError(t, err)
	s.is(t, refusing.Send(t.Context(), rolledBack()), alert.Rejected)
	_, err = s.New(alert.Site{Address: "https://a.example", Proxy: "ftp://" + proxyPassword})
	s.is(t, err, alert.Rejected)
}

func (s Suite) certificates(t *testing.T) {
	r := &recorder{answers: s.Accepts}
	address := secretly(serveTLS(t, r))
	c, err := s.New(alert.Site{Address: address})
	require.NoError(t, err)
	s.is(t, c.Send(t.Context(), rolledBack()), alert.Rejected)
	assert.Empty(t, r.requests(), "a server was shown a message that cannot be trusted")
	c, err = s.New(alert.Site{Address: address, InsecureSkipVerify: true})
	require.NoError(t, err)
	require.NoError(t, c.Send(t.Context(), rolledBack()))
}

func (s Suite) template(t *testing.T) {
	r := &recorder{answers: s.Accepts}
	c, err := s.New(alert.Site{Address: secretly(serve(t, r))})
	require.NoError(t, err)
	c, err = alert.Templated(c, "mine: {{ .Namespace }} {{ .Check.Value }}")
	require.NoError(t, err)
	require.NoError(t, c.Send(t.Context(), rolledBack()))
	texts := strings.Join(stringsIn(t, r.requests()[0].Body), "\n")
	assert.Contains(t, strings.ReplaceAll(texts, "\u200b", ""), "mine: shop 86.0081")
	assert.NotContains(t, texts, "rolled back at weight")
}

func (s Suite) addresses(t *testing.T) {
	for _, address := range []string{
		"hidden-key", "ftp://a.example/hidden-key", "https://:443/hidden-key", "http://\x00hidden-key",
	} {
		_, err := s.New(alert.Site{Address: address})
		s.is(t, err, alert.Rejected)
		assert.NotContains(t, err.Error(), "hidden-key")
	}
}

// concurrent is for the race detector, mostly.
func (s Suite) concurrent(t *testing.T) {
	r := &recorder{answers: s.Accepts}
	c, err := s.New(alert.Site{Address: secretly(serve(t, r))})
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 4 {
				assert.NoError(t, c.Send(t.Context(), rolledBack()))
			}
		})
	}
	all.Wait()
}

// send tells a message to a new server.
func (s Suite) send(ctx context.Context, t *testing.T, h http.Handler, m alert.Message) error {
	t.Helper()
	c, err := s.New(alert.Site{Address: secretly(serve(t, h))})
	require.NoError(t, err)
	return c.Send(ctx, m)
}

// fails wants an error of that kind, with no secret in it.
func (s Suite) fails(ctx context.Context, t *testing.T, h http.Handler, kind alert.Kind) {
	t.Helper()
	s.is(t, s.send(ctx, t, h, rolledBack()), kind)
}

// failure is fails for who looks at the error, too.
func (s Suite) failure(ctx context.Context, t *testing.T, h http.Handler, kind alert.Kind) *alert.Error {
	t.Helper()
	return s.typed(t, s.send(ctx, t, h, rolledBack()), kind)
}

func (s Suite) is(t *testing.T, err error, kind alert.Kind) {
	t.Helper()
	_ = s.typed(t, err, kind)
}

func (s Suite) typed(t *testing.T, err error, kind alert.Kind) *alert.Error {
	t.Helper()
	var typed *alert.Error
	require.ErrorAs(t, err, &typed)
	require.Equal(t, kind, typed.Kind, "the error is: %s", err)
	require.NotEmpty(t, err.Error())
	for _, secret := range append([]string{pathSecret, querySecret, proxyPassword}, s.Secrets...) {
		require.NotContains(t, err.Error(), secret)
	}
	return typed
}

// stringsIn are all strings of a JSON document.
func stringsIn(t *testing.T, body []byte) []string {
	t.Helper()
	var document any
	require.NoError(t, json.Unmarshal(body, &document))
	var all []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(document)
	return all
}
