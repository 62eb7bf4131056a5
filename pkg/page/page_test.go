package page_test

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/artifacts"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/client/clientset/versioned"
	"weir.dev/weir/pkg/client/informers/externalversions"
	"weir.dev/weir/pkg/page"
)

// TestPage asks a dashboard over HTTP, with real tokens and rights of a real API server.
func TestPage(t *testing.T) {
	s := start(t)
	for name, test := range map[string]func(*stand){
		"nobody reads":           nobodyReads,
		"anybody reads":          anybodyReads,
		"read by right":          readsByRight,
		"nobody orders":          nobodyOrders,
		"order by right":         ordersByRight,
		"order what makes sense": ordersWhatMakesSense,
		"another site":           refusesOtherSites,
		"log in and out":         logsInAndOut,
		"audiences":              holdsToAudiences,
		"escaped":                escapes,
		"live":                   keepsUpToDate,
		"right taken away":       endsWithTheRight,
		"nothing from elsewhere": loadsNothingFromElsewhere,
		"token not told":         tellsNoToken,
		"browser":                inABrowser,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(s.stand(t)) })
	}
}

// server is an API server that serves Weir's kinds.
type server struct {
	kube kubernetes.Interface
	weir versioned.Interface
}

func start(t *testing.T) *server {
	t.Helper()
	api, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{Progress: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, api.Stop()) })
	config := api.RESTConfig()
	definitions, err := artifacts.CRDs()
	require.NoError(t, err)
	require.NoError(t, sandbox.Apply(t.Context(), config, bytes.Join(definitions, []byte("\n---\n"))))
	s := &server{}
	s.kube, err = kubernetes.NewForConfig(config)
	require.NoError(t, err)
	s.weir, err = versioned.NewForConfig(config)
	require.NoError(t, err)
	return s
}

// stand is a namespace with a Canary in it.
type stand struct {
	*testing.T
	*server
	namespace string
	log       *record
}

// record is a log that is read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to it.
func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func (s *server) stand(t *testing.T) *stand {
	t.Helper()
	made, err := s.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "page-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	b := &stand{T: t, server: s, namespace: made.Name, log: &record{}}
	b.runs("podinfo")
	return b
}

// running is a Canary in mid-run: its check has failed once, and a gate is closed.
const running = `
spec:
  provider: kubernetes
  targetRef: {name: podinfo}
  service: {port: 9898}
  analysis:
    interval: 30s
    threshold: 2
    stepWeights: [10, 50]
    metrics: [{name: request-success-rate, thresholdRange: {min: 99}}]
    webhooks:
    - {name: load-test, type: confirm-traffic-increase, url: "http://gates.shop/load", gateTimeout: 30m, onTimeout: Abort}
status:
  phase: Progressing
  weight: 10
  failedChecks: 1
  primary: {replicaSet: podinfo-5f6b8c7d9x, hash: 5f6b8c7d9x, images: ["podinfo:6.9.2"], replicas: 3, ready: 3}
  canary: {replicaSet: podinfo-7d9c4b6f8z, hash: 7d9c4b6f8z, images: ["podinfo:6.9.3"], replicas: 1, ready: 1}
  run: {id: 7d9c4b6f8z-1, startedAt: "2026-11-23T12:00:04Z", maxWeight: 10}
  step: {index: 0, progress: 1/2, startedAt: "2026-11-23T12:00:40.000000Z"}
  checks:
    - name: request-success-rate
      verdict: Failed
      value: "98.2"
      message: 98.2 is below the minimum 99
      at: "2026-11-23T12:01:16Z"
  gates:
    - name: load-test
      type: confirm-traffic-increase
      state: Closed
      message: status 403
      run: 7d9c4b6f8z-1
      since: "2026-11-23T12:01:16Z"
  history:
    - id: 5f6b8c7d9x-1
      revision: 5f6b8c7d9x
      outcome: Promoted
      reason: Passed
      message: every step passed
      startedAt: "2026-11-22T12:00:04Z"
      endedAt: "2026-11-22T12:02:30Z"
      maxWeight: 100
  conditions:
    - type: Ready
      status: "False"
      reason: GateClosed
      message: waiting for load-test (status 403) to agree
      lastTransitionTime: "2026-11-23T12:00:00Z"
`

// runs makes a Canary in mid-run.
func (b *stand) runs(name string) {
	b.Helper()
	canary := &v1beta1.Canary{}
	require.NoError(b, yaml.UnmarshalStrict([]byte(running), canary))
	canary.Name = name
	status := canary.Status
	made, err := b.weir.WeirV1beta1().Canaries(b.namespace).Create(b.Context(), canary, metav1.CreateOptions{})
	require.NoError(b, err)
	made.Status = status
	made.Status.ObservedGeneration = made.Generation
	_, err = b.weir.WeirV1beta1().Canaries(b.namespace).UpdateStatus(b.Context(), made, metav1.UpdateOptions{})
	require.NoError(b, err)
}

func (b *stand) canary() *v1beta1.Canary {
	b.Helper()
	canary, err := b.weir.WeirV1beta1().Canaries(b.namespace).Get(b.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(b, err)
	return canary
}

// commits changes the status, as the operator does.
func (b *stand) commits(change func(*v1beta1.CanaryStatus)) {
	b.Helper()
	canary := b.canary()
	change(&canary.Status)
	_, err := b.weir.WeirV1beta1().Canaries(b.namespace).UpdateStatus(b.Context(), canary, metav1.UpdateOptions{})
	require.NoError(b, err)
}

// now is when all pages are looked at.
func now() time.Time { return time.Date(2026, 11, 23, 12, 3, 30, 0, time.UTC) }

// serves begins a dashboard over all Canaries.
func (b *stand) serves(o page.Options) *site {
	b.Helper()
	informers := externalversions.NewSharedInformerFactory(b.weir, 0)
	o.Canaries, o.Kube, o.Weir = informers.Weir().V1beta1().Canaries().Informer(), b.kube, b.weir
	o.Log = slog.New(slog.NewTextHandler(b.log, nil))
	if o.Now == nil {
		o.Now = now
	}
	p, err := page.New(o)
	require.NoError(b, err)
	informers.Start(b.Context().Done())
	require.True(b, cache.WaitForCacheSync(b.Context().Done(), o.Canaries.HasSynced))
	server := httptest.NewServer(p)
	b.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(b, err)
	s := &site{stand: b, url: server.URL, client: &http.Client{Jar: jar, Timeout: time.Minute}}
	// The cache is filled before its handlers have been told of all of it.
	b.eventually("the dashboard to know the Canary", func() bool {
		return !strings.Contains(s.gets("/canaries/"+b.namespace+"/podinfo", "").body, "There is no Canary")
	})
	return s
}

// eventually waits as long as anybody would.
func (b *stand) eventually(what string, holds func() bool) {
	b.Helper()
	require.Eventually(b, holds, time.Minute, 50*time.Millisecond, what)
}

// site is a dashboard that somebody looks at.
type site struct {
	*stand
	url    string
	client *http.Client
}

// seen is an answer.
type seen struct {
	status int
	body   string
	header http.Header
	at     *url.URL
}

func (s *site) does(r *http.Request, token string) seen {
	s.Helper()
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := s.client.Do(r)
	require.NoError(s, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(s, err)
	return seen{answer.StatusCode, string(body), answer.Header, answer.Request.URL}
}

func (s *site) gets(path, token string) seen {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.url+path, nil)
	require.NoError(s, err)
	return s.does(r, token)
}

// posts sends a form as a browser does from the page itself.
func (s *site) posts(path, token string, form url.Values, headers ...string) seen {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	require.NoError(s, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.does(r, token)
}

func (s *site) path() string { return "/canaries/" + s.namespace + "/podinfo" }

// form is what the page has put into the form of a command, for who holds a token.
func (s *site) form(token, verb string, also ...string) url.Values {
	s.Helper()
	body := s.gets(s.path(), token).body
	csrf := regexp.MustCompile(`name="csrf" value="([^"]*)"`).FindStringSubmatch(body)
	form := url.Values{"verb": {verb}, "run": {s.canary().Status.Run.ID}}
	if csrf != nil {
		form.Set("csrf", csrf[1])
	}
	for i := 0; i+1 < len(also); i += 2 {
		form.Set(also[i], also[i+1])
	}
	return form
}

// command is what was ordered of the Canary, if anything.
func (s *site) command() (v1beta1.Command, bool) {
	s.Helper()
	c, err := v1beta1.ParseCommand(s.canary().Annotations[v1beta1.CommandAnnotation])
	return c, err == nil
}

// person makes a ServiceAccount with rights on the Canaries of the namespace, and gives a token of it.
func (b *stand) person(name string, verbs ...string) string {
	b.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := b.kube.CoreV1().ServiceAccounts(b.namespace).Create(b.Context(), account, metav1.CreateOptions{})
	require.NoError(b, err)
	if len(verbs) > 0 {
		b.allows(name, verbs...)
	}
	return b.token(name)
}

func (b *stand) token(name string, audiences ...string) string {
	b.Helper()
	token, err := b.kube.CoreV1().ServiceAccounts(b.namespace).CreateToken(b.Context(), name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}, metav1.CreateOptions{})
	require.NoError(b, err)
	return token.Status.Token
}

func (b *stand) userOf(name string) string {
	return "system:serviceaccount:" + b.namespace + ":" + name
}

func read[T any](t require.TestingT, text string) *T {
	object := new(T)
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), object), text)
	return object
}

// streams opens what keeps a page up to date, and reads its events one after the other.
func (s *site) streams(path, token string) (next func() string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.url+path, nil)
	require.NoError(s, err)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := s.client.Do(r)
	require.NoError(s, err)
	s.Cleanup(func() { _ = answer.Body.Close() })
	require.Equal(s, "text/event-stream", answer.Header.Get("Content-Type"))
	lines := bufio.NewReader(answer.Body)
	return func() string {
		var event strings.Builder
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return "end"
			}
			if line == "\n" {
				return event.String()
			}
			event.WriteString(line)
		}
	}
}

func loadsNothingFromElsewhere(b *stand) {
	s := b.serves(page.Options{AnonymousRead: true})
	for _, path := range []string{"/", s.path(), "/login", "/nowhere", "/static/page.css", "/static/page.js"} {
		seen := s.gets(path, "")
		csp := seen.header.Get("Content-Security-Policy")
		assert.Contains(b, csp, "default-src 'none'", path)
		assert.NotContains(b, csp, "unsafe", path)
		assert.Equal(b, "nosniff", seen.header.Get("X-Content-Type-Options"))
		assert.NotRegexp(b, `(?:src|href|action|url)\s*[=(]\s*"?(?:https?:)?//`, seen.body, path)
		assert.NotRegexp(b, `\sstyle="|\son[a-z]+="|<script>|<style>`, seen.body, "it would not be obeyed")
	}
	assert.Equal(b, http.StatusNotFound, s.gets("/nowhere", "").status)
	assert.Equal(b, http.StatusNotFound, s.gets("/static/one.html", "").status)
}

// escapes: what people and programs have written is text, whatever is in it.
func escapes(b *stand) {
	const evil = `<img src=x onerror=alert(1)>"'\x1b[2J</title><script>alert(1)</script>`
	b.commits(func(st *v1beta1.CanaryStatus) {
		at := metav1.NewTime(now())
		st.Checks[0].Message, st.Checks[0].Value, st.Checks[0].Query = evil, evil, evil
		st.Checks[0].Evidence = &v1beta1.EvidenceStatus{Value: evil, Needed: evil}
		st.Gates[0].Message = evil
		st.Canary.Images = []string{evil}
		st.Conditions[0].Message = evil
		st.History[0].Message, st.History[0].Reason, st.History[0].Revision = evil, evil, evil
		st.LastCommand = &v1beta1.CommandStatus{ID: evil, Verb: evil, Gate: evil, Reason: evil, Actor: evil, At: at, Result: evil}
		st.Step.Progress = evil
	})
	s := b.serves(page.Options{AnonymousRead: true})
	b.eventually("the dashboard to know of it", func() bool { return strings.Contains(s.gets(s.path(), "").body, "onerror") })
	for _, path := range []string{
		"/", "/?q=" + url.QueryEscape(evil), s.path(), "/login?to=" + url.QueryEscape(evil), "/canaries/x/" + url.PathEscape(evil),
	} {
		body := s.gets(path, "").body
		assert.NotContains(b, body, "<img", path)
		assert.NotContains(b, body, "<script>", path)
		assert.NotContains(b, body, "\x1b", path)
		assert.NotContains(b, body, evil, path)
	}
}

// keepsUpToDate: whoever looks sees a change, and the course of the check grows by it.
func keepsUpToDate(b *stand) {
	reader := b.person("reader", "get", "list")
	s := b.serves(page.Options{})
	b.eventually("the reader to have rights", func() bool { return s.gets(s.path(), b.token("reader")).status == http.StatusOK })
	list, one := s.streams("/live?q=podinfo", reader), s.streams("/live/"+b.namespace+"/podinfo", reader)
	assert.Contains(b, list(), "event: rows\n")
	first := one() + one()
	assert.Contains(b, first, "event: main\n")
	assert.Contains(b, first, "event: steer\n")
	assert.Equal(b, 1, strings.Count(first, "data-until"), "the gate's timeout")
	assert.Contains(b, first, "as this replica has seen it since 12:03:30")
	b.commits(func(st *v1beta1.CanaryStatus) {
		st.Weight = 50
		st.Checks[0].Value, st.Checks[0].Verdict, st.Checks[0].At = "99.7", v1beta1.VerdictPassed, metav1.NewTime(now())
	})
	until := func(next func() string, words string) {
		for event := next(); !strings.Contains(event, words); event = next() {
			require.NotEqual(b, "end", event)
		}
	}
	until(one, "12:03:30: 99.7, Passed")
	until(list, "50 %")
	body := s.gets(s.path(), reader).body
	assert.Contains(b, body, "12:01:16: 98.2, Failed")
	assert.Contains(b, body, "canary 50 %")
	require.NoError(b, b.weir.WeirV1beta1().Canaries(b.namespace).Delete(b.Context(), "podinfo", metav1.DeleteOptions{}))
	until(list, "There are none")
	assert.Equal(b, "end", one(), "there is nothing to see any more")
}
