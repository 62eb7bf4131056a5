package gate_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/gate"
)

// TestBadSecret wants the key of what is wrong, and not its value.
func TestBadSecret(t *testing.T) {
	const noHeader, noValue = ", which cannot be a header of a call", " what HTTP does not allow in a header"
	one := func(key, value string) map[string][]byte { return map[string][]byte{key: []byte(value)} }
	for name, c := range map[string]struct {
		secret map[string][]byte
		want   string
	}{
		"empty":             {map[string][]byte{}, "Secret gate is empty"},
		"an empty token":    {one("token", "\n"), "Secret gate has nothing in its key token"},
		"an empty hmacKey":  {map[string][]byte{"hmacKey": nil}, "Secret gate has nothing in its key hmacKey"},
		"two lines":         {one("x-key", "a\nsecret"), `Secret gate has in its key "x-key"` + noValue},
		"a token of two":    {one("token", "secret\r\nx: y"), `Secret gate has in its key "token"` + noValue},
		"a null":            {one("x-key", "secret\x00"), `Secret gate has in its key "x-key"` + noValue},
		"no name":           {one("", "secret"), `Secret gate has the key ""` + noHeader},
		"a name of two":     {one("x key", "secret"), `Secret gate has the key "x key"` + noHeader},
		"the body's type":   {one("content-type", "secret"), `Secret gate has the key "content-type"` + noHeader},
		"the body's length": {one("Content-Length", "secret"), `Secret gate has the key "Content-Length"` + noHeader},
		"the host":          {one("Host", "secret"), `Secret gate has the key "Host"` + noHeader},
		"a signature":       {one("x-weir-signature-256", "secret"), `Secret gate has the key "x-weir-signature-256"` + noHeader},
		"one name twice": {map[string][]byte{"X-Key": []byte("secret"), "x-key": []byte("secret")},
			`Secret gate sets the header X-Key by two keys, "X-Key" and "x-key"`},
		"two who ask": {map[string][]byte{"authorization": []byte("secret"), "token": []byte("secret")},
			`Secret gate sets the header Authorization by two keys, "authorization" and "token"`},
	} {
		t.Run(name, func(t *testing.T) {
			call := callOf("http://127.0.0.1:1")
			call.Webhook.SecretRef, call.Secret = &v1beta1.LocalSecretRef{Name: "gate"}, c.secret
			_, err := gate.New(nil).Do(t.Context(), call)
			require.EqualError(t, err, c.want)
		})
	}
}

// parrot repeats all that it was sent, as it is, decoded, and in JSON.
func parrot(w http.ResponseWriter, r *http.Request) {
	said := sent(r)
	w.WriteHeader(http.StatusForbidden)
	for _, s := range said {
		fmt.Fprintln(w, s)
	}
	_ = json.NewEncoder(w).Encode(said)
}

// politeParrot repeats it as the message of an object.
func politeParrot(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusForbidden)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": strings.Join(sent(r), " ")})
}

// sent is what a request has of secrets.
func sent(r *http.Request) []string {
	user, password, _ := r.BasicAuth()
	said := []string{user, password, r.RequestURI, r.URL.Path}
	for _, values := range r.URL.Query() {
		said = append(said, values...)
	}
	for name, values := range r.Header {
		for _, value := range values {
			said = append(said, name+"="+value, strings.TrimPrefix(value, "Bearer "), strings.TrimPrefix(value, "Basic "))
		}
	}
	return said
}

// FuzzSecretsStayHidden gives all secrets to servers that repeat or refuse them.
func FuzzSecretsStayHidden(f *testing.F) {
	f.Add("token", "header", "user", "password", "query", "path")
	f.Add("t <\"&\\> t", "h\th", "us:er", "p%20w/o+rd", "q=1&q=2", "/a b/../c")
	f.Add("…", "a…b", "\xff", "\x00", "é", "%")
	f.Add("x", "xx", "xxx", "xxxx", "xxxxx", strings.Repeat("x", 5000))
	server := httptest.NewServer(http.HandlerFunc(parrot))
	f.Cleanup(server.Close)
	polite := httptest.NewServer(http.HandlerFunc(politeParrot))
	f.Cleanup(polite.Close)
	silent := httptest.NewServer(saying(""))
	f.Cleanup(silent.Close)
	client := gate.New(nil)
	f.Fuzz(func(t *testing.T, token, header, user, password, query, path string) {
		// In the middle of each is what no sentence of ours has.
		secrets := []*string{&token, &header, &user, &password, &query, &path}
		for i, s := range secrets {
			*s = fmt.Sprintf("%s~%dq7~~~~%s", *s, i, *s)
		}
		for _, base := range []string{server.URL, polite.URL, silent.URL} {
			address, err := url.Parse(base)
			require.NoError(t, err)
			address.User, address.Path = url.UserPassword(user, password), "/"+path
			address.RawQuery = url.Values{"key": {query}}.Encode()
			call := callOf(address.String())
			call.Secret = map[string][]byte{"x-key": []byte(header), "hmacKey": []byte("~9q7~" + token)}
			if len(token)%2 == 0 { // else the user and the password are sent
				call.Secret["token"] = []byte(token)
			}
			got, err := client.Do(t.Context(), call)
			said := got.Message
			if err != nil {
				said = err.Error()
			}
			for i := range secrets {
				assert.NotContains(t, said, fmt.Sprintf("~%dq7~", i))
			}
			assert.NotContains(t, said, "~9q7~")
		}
	})
}

// TestPartOfASecret: neither is a secret told in part where a body is cut.
func TestPartOfASecret(t *testing.T) {
	token := strings.Repeat("0123456789abcdef", 8)
	h := hear(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "no "+strings.Repeat(token, 100))
	})
	call := callOf(h.URL)
	call.Secret = map[string][]byte{"token": []byte(token)}
	got, err := gate.New(nil).Do(t.Context(), call)
	require.NoError(t, err)
	assert.Equal(t, "status 403: no "+strings.Repeat("…", 4093/len(token)), got.Message)
}

// TestBrokenUpSecret: what is left of a secret with control characters in it is one, too.
func TestBrokenUpSecret(t *testing.T) {
	h := hear(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "bad token sec\x00ret")
	})
	call := callOf(h.URL)
	call.Secret = map[string][]byte{"token": []byte("secret")}
	got, err := gate.New(nil).Do(t.Context(), call)
	require.NoError(t, err)
	assert.Equal(t, "status 403: Forbidden", got.Message)
}

// TestProxy calls by way of a proxy, in a process of its own: the environment is read once.
func TestProxy(t *testing.T) {
	const url = "WEIR_TEST_URL"
	if address := os.Getenv(url); address != "" {
		got, err := gate.New(nil).Do(t.Context(), callOf(address))
		fmt.Printf("said: %s %v\n", got.Message, err)
		return
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		fmt.Fprint(w, r.URL.Host, " by proxy")
	}))
	defer proxy.Close()
	behind := strings.Replace(proxy.URL, "http://", "http://ann:secret@", 1)
	for address, c := range map[string]struct{ proxy, want string }{
		"http://gate.invalid/":  {behind, "said: status 200: gate.invalid by proxy <nil>"},
		"https://gate.invalid/": {behind, "gate.invalid cannot be reached: the proxy refuses (HTTP 407)"},
		"http://gate.invalid":   {"http://ann:secret@127.0.0.1:1", "gate.invalid cannot be reached: connect: connection refused"},
	} {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxy$")
		again.Env = []string{url + "=" + address, "HTTP_PROXY=" + c.proxy, "HTTPS_PROXY=" + c.proxy}
		out, err := again.CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Contains(t, string(out), c.want)
		assert.NotContains(t, string(out), "secret")
	}
}
