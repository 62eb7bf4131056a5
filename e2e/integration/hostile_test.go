package integration

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/controller"
	"weir.dev/weir/pkg/outbound"
)

// hostileCanary takes a metric and a webhook, each as one line.
const hostileCanary = `apiVersion: weir.dev/v1beta1
kind: Canary
metadata:
  name: app
  namespace: %[1]s
spec:
  targetRef: {name: app}
  service:
    port: 80
    settle: 200ms
    gatewayRefs: [{name: gateway}]
  analysis:
    interval: 1s
    stepWeights: [20, 60]
    threshold: 100
    metrics: [%[2]s]
    webhooks: [%[3]s]
`

// TestHostileTenants: who may write Canaries and templates, and no more, gets at nothing by them that is not theirs.
func TestHostileTenants(t *testing.T) {
	c := start(t)
	clients := controller.Clients{Kube: c.kube, Weir: c.weir, Dynamic: c.dynamic}
	begin := func(t *testing.T, metric, webhook string) *application {
		t.Helper()
		a := c.application(t)
		options := c.options(t, a.namespace)
		var err error
		options.Reach, err = outbound.ParseReach([]string{"169.254.0.0/16", "127.66.0.0/16"}, nil) // the test's servers are on loopback
		require.NoError(t, err)
		options.NoCrossNamespaceRefs = true
		t.Cleanup(operateWith(t, clients, options).end)
		require.NoError(t, sandbox.Apply(t.Context(), a.config, fmt.Appendf(nil, hostileCanary, a.namespace, metric, webhook)))
		return a
	}
	const good = `{name: request-success-rate, thresholdRange: {min: 99}}`
	// held waits for the words on why a run does not go on, and sees that it does not.
	held := func(t *testing.T, a *application, words string) {
		t.Helper()
		adopt(a)
		a.release("2")
		a.await(words, func() bool {
			ready := meta.FindStatusCondition(a.last().Conditions, v1beta1.ConditionReady)
			return ready != nil && strings.Contains(ready.Message, words)
		})
		assert.LessOrEqual(t, a.canary().Status.Weight, int32(20))
	}
	refused := func(t *testing.T, a *application, reason string) {
		t.Helper()
		a.await(reason, func() bool {
			accepted := meta.FindStatusCondition(a.last().Conditions, v1beta1.ConditionAccepted)
			return accepted != nil && accepted.Reason == reason
		})
		assert.False(t, a.deployment().Spec.Paused, "nothing is begun")
	}

	t.Run("a webhook to the metadata of the machine", func(t *testing.T) {
		t.Parallel()
		held(t, begin(t, good, `{name: w, type: pre-rollout, url: "http://169.254.169.254/latest/meta-data/"}`),
			"Weir may not call 169.254.169.254")
	})
	t.Run("a webhook that redirects there", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect))
		t.Cleanup(server.Close)
		held(t, begin(t, good, fmt.Sprintf(`{name: w, type: pre-rollout, url: %q}`, server.URL)), "redirects are not followed")
	})
	t.Run("metrics of a server on loopback", func(t *testing.T) {
		t.Parallel()
		a := begin(t, `{name: spy, templateRef: {name: spy}, thresholdRange: {min: 1}}`, "")
		a.apply(`{apiVersion: weir.dev/v1beta1, kind: MetricTemplate, metadata: {name: spy, namespace: %s}, spec: {query: up,
			provider: {type: prometheus, address: "http://127.66.0.1:8080"}}}`)
		held(t, a, "Weir may not call 127.66.0.1")
	})
	t.Run("a template of another namespace", func(t *testing.T) {
		t.Parallel()
		a := begin(t, `{name: spy, templateRef: {name: spy, namespace: bank}, thresholdRange: {min: 1}}`, "")
		refused(t, a, "CrossNamespaceRef")
	})
	t.Run("a template that loops", func(t *testing.T) {
		t.Parallel()
		a := c.application(t)
		a.apply(`{apiVersion: weir.dev/v1beta1, kind: MetricTemplate, metadata: {name: spy, namespace: %s}, spec: {
			query: "{{ range 1000000000000 }}{{ end }}up", provider: {type: prometheus, address: "http://prometheus"}}}`)
		t.Cleanup(operateWith(t, clients, c.options(t, a.namespace)).end)
		require.NoError(t, sandbox.Apply(t.Context(), a.config, fmt.Appendf(nil, hostileCanary, a.namespace,
			`{name: spy, templateRef: {name: spy}, thresholdRange: {min: 1}}`, "")))
		refused(t, a, "TemplateInvalid")
	})
	t.Run("a condition that takes for ever", func(t *testing.T) {
		t.Parallel()
		list := "[" + strings.Repeat("1,", 99) + "1]"
		bomb := fmt.Sprintf(`%[1]s.all(a, %[1]s.all(b, [1,1,1,1,1,1,1,1].all(c, a+b+c > 0))) && value > 0.0`, list)
		held(t, begin(t, fmt.Sprintf(`{name: request-success-rate, condition: %q}`, bomb), ""), "limit")
	})
	t.Run("a webhook that answers a gigabyte", func(t *testing.T) {
		t.Parallel()
		var mu sync.Mutex
		sent := int64(0)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			n, _ := io.Copy(w, io.LimitReader(endless{}, 1<<30))
			mu.Lock()
			defer mu.Unlock()
			sent = max(sent, n)
		}))
		t.Cleanup(server.Close)
		held(t, begin(t, good, fmt.Sprintf(`{name: w, type: confirm-rollout, url: %q}`, server.URL)), "status 403: aaaa")
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return sent > 0
		}, time.Minute, 10*time.Millisecond)
		assert.Less(t, sent, int64(64<<20), "no more is taken than the buffers on the way hold")
	})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// apply applies a manifest with the application's namespace filled in.
func (a *application) apply(manifest string) {
	a.t.Helper()
	require.NoError(a.t, sandbox.Apply(a.t.Context(), a.config, fmt.Appendf(nil, manifest, a.namespace)))
}

// TestNoSecretIsTold plants secrets in everything that takes one, lets servers repeat what they are sent, and looks for
// them in all that people and programs can read of a release.
func TestNoSecretIsTold(t *testing.T) {
	c := start(t)
	a := c.application(t)
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"status": "error", "errorType": "bad_data", "error": "%s %s %s"}`,
			r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("X-Key"))
	}))
	t.Cleanup(echo.Close)
	var log lockedBuffer
	options := c.options(t, a.namespace)
	options.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	registry := prometheus.NewRegistry()
	clients := controller.Clients{Kube: c.kube, Weir: c.weir, Dynamic: c.dynamic}
	ctrl, err := controller.New(clients, options, controller.NewMetrics(registry))
	require.NoError(t, err)
	o := run(t, ctrl)
	defer o.end()

	for _, secret := range []string{
		`{name: gate, namespace: %s}, stringData: {token: planted-gate-token, hmacKey: planted-gate-hmac, X-Key: planted-gate-header}`,
		`{name: prometheus, namespace: %s}, stringData: {username: planted-user, password: planted-password}`,
		`{name: chat, namespace: %s}, stringData: {address: "` + echo.URL + `/services/planted-chat-address"}`,
	} {
		a.apply(`{apiVersion: v1, kind: Secret, metadata: ` + secret + `}`)
	}
	a.apply(`{apiVersion: weir.dev/v1beta1, kind: MetricTemplate, metadata: {name: m, namespace: %s}, spec: {query: up,
		provider: {type: prometheus, address: "` + echo.URL + `", secretRef: {name: prometheus}}}}`)
	a.apply(`{apiVersion: weir.dev/v1beta1, kind: AlertProvider, metadata: {name: chat, namespace: %s},
		spec: {type: slack, secretRef: {name: chat}}}`)
	a.apply(`
apiVersion: weir.dev/v1beta1
kind: Canary
metadata: {name: app, namespace: %s}
spec:
  targetRef: {name: app}
  service: {port: 80, settle: 200ms, gatewayRefs: [{name: gateway}]}
  analysis:
    interval: 1s
    stepWeights: [20, 60]
    metrics: [{name: m, templateRef: {name: m}, thresholdRange: {min: 1}}]
    webhooks: [{name: gate, type: rollout, url: "` + echo.URL + `/hook", secretRef: {name: gate}, retries: 0}]
    alerts: [{name: chat, providerRef: {name: chat}}]
    noDataDeadline: 5s
`)
	adopt(a)
	a.release("2")
	a.await("the run to end", func() bool { return len(a.last().History) > 0 })
	a.told("AlertNotTold")

	canary, err := yaml.Marshal(a.canary())
	require.NoError(t, err)
	events, err := a.kube.EventsV1().Events(a.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	written, err := yaml.Marshal(events.Items)
	require.NoError(t, err)
	families, err := registry.Gather()
	require.NoError(t, err)
	var numbers bytes.Buffer
	for _, f := range families {
		_, err := expfmt.MetricFamilyToText(&numbers, f)
		require.NoError(t, err)
	}
	for where, text := range map[string]string{
		"the Canary": string(canary), "the events": string(written), "the log": log.String(), "the metrics": numbers.String(),
	} {
		assert.NotEmpty(t, text, where)
		assert.NotContains(t, text, "planted", where)
	}
	assert.Contains(t, log.String(), "an alert could not be told")
	for _, words := range []string{"rejects the query: /api/v1/query …", `"/hook … …"`} {
		assert.Contains(t, string(canary), words, "what went wrong is told all the same")
	}
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
