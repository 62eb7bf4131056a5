package page_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/page"
)

// allows gives somebody rights on the Canaries of the namespace, and waits until the API server knows.
func (b *stand) allows(name string, verbs ...string) {
	b.Helper()
	role := read[rbacv1.Role](b, fmt.Sprintf(`
metadata: {name: %s}
rules: [{apiGroups: [weir.dev], resources: [canaries], verbs: [%s]}]
`, name, strings.Join(verbs, ", ")))
	_, err := b.kube.RbacV1().Roles(b.namespace).Create(b.Context(), role, metav1.CreateOptions{})
	require.NoError(b, err)
	binding := read[rbacv1.RoleBinding](b, fmt.Sprintf(`
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %[1]s}
subjects: [{kind: ServiceAccount, name: %[1]s, namespace: %[2]s}]
`, name, b.namespace))
	_, err = b.kube.RbacV1().RoleBindings(b.namespace).Create(b.Context(), binding, metav1.CreateOptions{})
	require.NoError(b, err)
}

// nobodyReads: without a login there is nothing to see, not even whether there is such a Canary.
func nobodyReads(b *stand) {
	s := b.serves(page.Options{})
	for _, path := range []string{"/", s.path(), "/canaries/no/such"} {
		seen := s.gets(path, "")
		assert.Equal(b, "/login", seen.at.Path, path)
		assert.NotContains(b, seen.body, "7d9c4b6f8z")
		assert.Equal(b, "/login", s.gets(path, "made-up").at.Path, path)
	}
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.url+"/live", nil)
	require.NoError(b, err)
	r.Header.Set("Accept", "text/event-stream")
	assert.Equal(b, http.StatusUnauthorized, s.does(r, "").status)
}

func anybodyReads(b *stand) {
	s := b.serves(page.Options{AnonymousRead: true, Commands: true})
	assert.Contains(b, s.gets("/", "").body, b.namespace)
	body := s.gets(s.path(), "").body
	assert.Contains(b, body, "7d9c4b6f8z")
	assert.Contains(b, body, "Log in to give commands.")
	assert.Contains(b, s.gets(s.path(), "expired").body, "7d9c4b6f8z", "who is nobody any more is anybody")
	seen := s.posts(s.path(), "", url.Values{"verb": {"pause"}, "run": {"7d9c4b6f8z-1"}, "csrf": {""}})
	assert.Equal(b, http.StatusUnauthorized, seen.status)
	_, given := s.command()
	assert.False(b, given)
}

// readsByRight: who may list in one namespace sees that one; who may get only does not see the list; who may nothing
// sees nothing.
func readsByRight(b *stand) {
	other := b.stand(b.T)
	s := b.serves(page.Options{})
	reader, getter, nobody := b.person("reader", "get", "list"), b.person("getter", "get"), b.person("nobody")
	b.eventually("the reader to have rights", func() bool {
		return strings.Contains(s.gets("/", b.token("reader")).body, b.namespace)
	})

	list := s.gets("/", reader).body
	assert.Contains(b, list, `href="`+s.path()+`"`)
	assert.NotContains(b, list, other.namespace)
	assert.Contains(b, list, "These are the namespaces whose Canaries you may list.")
	assert.Equal(b, http.StatusOK, s.gets(s.path(), reader).status)
	refused := s.gets("/canaries/"+other.namespace+"/podinfo", reader)
	assert.Equal(b, http.StatusForbidden, refused.status)
	assert.Contains(b, refused.body, "reader may not get Canary podinfo in namespace "+other.namespace)

	assert.Equal(b, http.StatusOK, s.gets(s.path(), getter).status)
	assert.NotContains(b, s.gets("/", getter).body, s.path())
	assert.Contains(b, s.gets("/", nobody).body, "There are none that you may list.")
	assert.Equal(b, http.StatusForbidden, s.gets(s.path(), nobody).status)
	assert.Equal(b, http.StatusForbidden, s.gets("/live/"+b.namespace+"/podinfo", nobody).status)
}

// nobodyOrders: neither who may only read, nor who has no token or a wrong one, nor anybody where commands are off.
func nobodyOrders(b *stand) {
	reader, releaser := b.person("reader", "get", "list"), b.person("releaser", "get", "list", "patch")
	s := b.serves(page.Options{Commands: true})
	b.eventually("the readers to have rights", func() bool {
		return s.gets(s.path(), b.token("reader")).status == http.StatusOK
	})
	body := s.gets(s.path(), reader).body
	assert.Contains(b, body, "may not patch this Canary")
	assert.NotContains(b, body, "<details")
	// Who has read the word of the form from elsewhere has no more rights by it.
	form := s.form(releaser, "abort", "reason", "no")
	for token, want := range map[string]int{
		"": http.StatusUnauthorized, "made-up": http.StatusUnauthorized, reader: http.StatusForbidden,
	} {
		assert.Equal(b, want, s.posts(s.path(), token, form).status)
	}
	withWord := s.form(releaser, "abort", "reason", "no")
	mac := hmac.New(sha256.New, []byte(reader)) // as the page makes it
	mac.Write([]byte("weir dashboard form"))
	withWord.Set("csrf", hex.EncodeToString(mac.Sum(nil)))
	refused := s.posts(s.path(), reader, withWord)
	assert.Equal(b, http.StatusForbidden, refused.status)
	assert.Contains(b, refused.body, "may not patch Canary podinfo")

	off := b.serves(page.Options{})
	refused = off.posts(off.path(), releaser, form)
	assert.Equal(b, http.StatusForbidden, refused.status)
	assert.Contains(b, refused.body, "Commands are off here")
	_, given := s.command()
	assert.False(b, given)
}

// ordersByRight: the command carries the name that the API server knows the person by, whatever else the form says.
func ordersByRight(b *stand) {
	releaser := b.person("releaser", "get", "list", "patch")
	s := b.serves(page.Options{Commands: true})
	b.eventually("the releaser to have rights", func() bool {
		return strings.Contains(s.gets(s.path(), b.token("releaser")).body, "<details")
	})
	form := s.form(releaser, "approve", "gate", "load-test", "reason", "ran it <by> hand", "actor", "root")
	seen := s.posts(s.path(), releaser, form)
	require.Equal(b, http.StatusOK, seen.status, seen.body)
	command, given := s.command()
	require.True(b, given)
	assert.Equal(b, v1beta1.Command{ID: command.ID, Verb: "approve", Gate: "load-test", Reason: "ran it <by> hand",
		Actor: b.userOf("releaser")}, command)
	assert.Equal(b, command.ID, seen.at.Query().Get("ordered"))
	assert.Contains(b, b.log.String(), "actor="+b.userOf("releaser"))
}

func ordersWhatMakesSense(b *stand) {
	releaser := b.person("releaser", "get", "list", "patch")
	s := b.serves(page.Options{Commands: true})
	b.eventually("the releaser to have rights", func() bool {
		return strings.Contains(s.gets(s.path(), b.token("releaser")).body, "<details")
	})
	for _, c := range []struct {
		form   url.Values
		status int
		says   string
	}{
		{s.form(releaser, "abort"), http.StatusBadRequest, "Say why"},
		{s.form(releaser, "promote", "full", "true", "reason", " \t"), http.StatusBadRequest, "Say why"},
		{s.form(releaser, "pause", "reason", strings.Repeat("x", 513)), http.StatusBadRequest, "longer than 512"},
		{s.form(releaser, "resume"), http.StatusConflict, "makes no sense any more"},
		{s.form(releaser, "approve", "gate", "another"), http.StatusConflict, "makes no sense any more"},
		{s.form(releaser, "delete"), http.StatusConflict, "makes no sense any more"},
		{s.form(releaser, "pause", "run", "earlier"), http.StatusConflict, "Another run is on"},
	} {
		seen := s.posts(s.path(), releaser, c.form)
		assert.Equal(b, c.status, seen.status, c.form)
		assert.Contains(b, seen.body, c.says)
	}
	_, given := s.command()
	assert.False(b, given)
	assert.Equal(b, http.StatusForbidden, s.posts("/canaries/no/such", releaser, s.form(releaser, "pause")).status)
}

// refusesOtherSites: a form of another site, sent by a browser that is logged in, orders nothing.
func refusesOtherSites(b *stand) {
	releaser := b.person("releaser", "get", "list", "patch")
	s := b.serves(page.Options{Commands: true})
	b.eventually("the releaser to have rights", func() bool {
		return strings.Contains(s.gets(s.path(), b.token("releaser")).body, "<details")
	})
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
	} {
		seen := s.posts(s.path(), releaser, s.form(releaser, "pause"), headers...)
		assert.Equal(b, http.StatusForbidden, seen.status, headers)
		assert.Contains(b, seen.body, "another site")
	}
	form := s.form(releaser, "pause")
	form.Set("csrf", "")
	assert.Equal(b, http.StatusForbidden, s.posts(s.path(), releaser, form).status, "without the page's word, from whatever site")
	_, given := s.command()
	assert.False(b, given)
}

func logsInAndOut(b *stand) {
	reader := b.person("reader", "get", "list")
	s := b.serves(page.Options{})
	b.eventually("the reader to have rights", func() bool { return s.gets(s.path(), b.token("reader")).status == http.StatusOK })

	wrong := s.posts("/login", "", url.Values{"token": {"made-up"}})
	assert.Equal(b, http.StatusUnauthorized, wrong.status)
	assert.Contains(b, wrong.body, "does not accept this token")
	assert.Equal(b, http.StatusBadRequest, s.posts("/login", "", url.Values{"token": {"a; Path=/"}}).status)
	assert.Equal(b, http.StatusBadRequest, s.posts("/login", "", url.Values{"token": {strings.Repeat("x", 4000)}}).status)

	follow := s.client.CheckRedirect
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	in := s.posts("/login", "", url.Values{"token": {reader}, "to": {s.path()}})
	assert.Equal(b, s.path(), in.header.Get("Location"))
	cookie, err := http.ParseSetCookie(in.header.Get("Set-Cookie"))
	require.NoError(b, err)
	assert.True(b, cookie.HttpOnly)
	assert.Equal(b, http.SameSiteStrictMode, cookie.SameSite)
	assert.Zero(b, cookie.MaxAge, "it goes with the browser")
	for _, to := range []string{
		"https://evil.example/", "//evil.example", `/\evil.example`, "javascript:alert(1)", "/%2f/evil.example",
	} {
		at := s.posts("/login", "", url.Values{"token": {reader}, "to": {to}}).header.Get("Location")
		assert.Regexp(b, `^/[^/\\]*`, at, to)
		assert.NotRegexp(b, `^//|^/\\`, at, to)
	}
	behind := s.posts("/login", "", url.Values{"token": {reader}}, "X-Forwarded-Proto", "https")
	assert.Contains(b, behind.header.Get("Set-Cookie"), "; Secure")
	s.client.CheckRedirect = follow

	s.posts("/login", "", url.Values{"token": {reader}})
	assert.Contains(b, s.gets(s.path(), "").body, b.userOf("reader"), "by the cookie")
	assert.Equal(b, "/login", s.posts("/logout", "", nil).at.Path)
	assert.Equal(b, "/login", s.gets(s.path(), "").at.Path)
}

// holdsToAudiences: a token for the dashboard is none for the API server, and the other way round.
func holdsToAudiences(b *stand) {
	plain := b.person("reader", "get", "list")
	s := b.serves(page.Options{Audiences: []string{"weir-dashboard"}})
	b.eventually("the reader to have rights", func() bool {
		return s.gets(s.path(), b.token("reader", "weir-dashboard")).status == http.StatusOK &&
			s.gets(s.path(), b.token("reader", "weir-dashboard")).at.Path == s.path()
	})
	assert.Equal(b, "/login", s.gets(s.path(), plain).at.Path)
	assert.Contains(b, s.gets("/login", "").body, "--audience weir-dashboard")
	other := b.serves(page.Options{})
	assert.Equal(b, "/login", other.gets(other.path(), b.token("reader", "weir-dashboard")).at.Path)
}

// endsWithTheRight: what keeps a page up to date ends when the right to see it does.
func endsWithTheRight(b *stand) {
	reader := b.person("reader", "get", "list")
	s := b.serves(page.Options{Now: time.Now})
	b.eventually("the reader to have rights", func() bool { return s.gets(s.path(), b.token("reader")).status == http.StatusOK })
	next := s.streams("/live/"+b.namespace+"/podinfo", reader)
	require.Contains(b, next()+next(), "7d9c4b6f8z")
	require.NoError(b, b.kube.CoreV1().ServiceAccounts(b.namespace).Delete(b.Context(), "reader", metav1.DeleteOptions{}))
	for event := ""; event != "end"; event = next() {
		b.commits(func(st *v1beta1.CanaryStatus) { st.Weight++ })
	}
	b.eventually("the token to be refused", func() bool { return s.gets(s.path(), reader).at.Path == "/login" })
}

// tellsNoToken: neither pages nor the log have it.
func tellsNoToken(b *stand) {
	reader := b.person("reader", "get", "list")
	s := b.serves(page.Options{Commands: true})
	bodies := s.gets("/", reader).body + s.gets(s.path(), reader).body +
		s.posts("/login", "", url.Values{"token": {reader + "x"}}).body +
		s.posts(s.path(), reader, url.Values{"csrf": {reader}}).body + b.log.String()
	assert.NotContains(b, bodies, reader[len(reader)-40:])
}
