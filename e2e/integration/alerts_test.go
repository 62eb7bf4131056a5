package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// chat is a Slack that can be down.
type chat struct {
	*httptest.Server
	mu       sync.Mutex
	down     bool
	attempts int
	heard    []string
}

func openChat(t *testing.T) *chat {
	t.Helper()
	c := &chat{down: true}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.attempts++
		if c.down {
			http.Error(w, "service_unavailable", http.StatusServiceUnavailable)
			return
		}
		var said struct{ Text string }
		_ = json.Unmarshal(body, &said)
		c.heard = append(c.heard, said.Text)
		fmt.Fprint(w, "ok")
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *chat) said() (heard []string, attempts int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.heard...), c.attempts
}

// TestAlertsOutliveASlackThatIsDown has Slack down all through two runs and two restarts of the operator. When it is back,
// people hear all of it once, in its order.
func TestAlertsOutliveASlackThatIsDown(t *testing.T) {
	c := start(t)
	a := c.application(t)
	slack := openChat(t)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "slack", Namespace: a.namespace},
		StringData: map[string]string{"address": slack.URL + "/services/T0/B0/hidden"},
	}
	_, err := c.kube.CoreV1().Secrets(a.namespace).Create(t.Context(), secret, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = c.weir.WeirV1beta1().AlertProviders(a.namespace).Create(t.Context(), &v1beta1.AlertProvider{
		ObjectMeta: metav1.ObjectMeta{Name: "slack"}, Spec: v1beta1.AlertProviderSpec{
			AlertChannel: v1beta1.AlertChannel{Type: "slack"}, SecretRef: &v1beta1.LocalSecretRef{Name: "slack"},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)

	o := c.operate(t, a.namespace, nil)
	a.make(func(spec *v1beta1.CanarySpec) {
		spec.Analysis.Alerts = []v1beta1.CanaryAlert{{Name: "team", ProviderRef: v1beta1.AlertProviderRef{Name: "slack"}}}
	})
	adopt(a)
	a.release("2")
	a.awaitPhase(v1beta1.PhaseSucceeded)
	o.end()
	o = c.operate(t, a.namespace, nil)
	_, err = c.weir.WeirV1beta1().Canaries(a.namespace).Patch(t.Context(), "app", types.MergePatchType,
		fmt.Appendf(nil, `{"spec": {"metricsServer": %q}}`, a.metrics.URL+"/bad"), metav1.PatchOptions{})
	require.NoError(t, err)
	a.release("3")
	a.awaitPhase(v1beta1.PhaseFailed)
	assert.Contains(t, a.told("AlertNotTold"), "AlertProvider/"+a.namespace+"/slack does not take alerts, and is tried again: ")
	assert.NotContains(t, a.told("AlertNotTold"), "hidden")
	o.end()
	waiting := a.last().Alerts
	require.GreaterOrEqual(t, len(waiting), 4)

	o = c.operate(t, a.namespace, nil)
	defer func() { o.end() }()
	slack.mu.Lock()
	slack.down = false
	slack.mu.Unlock()
	a.await("that everything is told", func() bool { return len(a.last().Alerts) == 0 })
	time.Sleep(2 * time.Second) // what would be told twice comes within that
	heard, attempts := slack.said()
	t.Logf("%d attempts, of which these were heard:\n%s", attempts, strings.Join(heard, "\n"))
	told := 0
	for _, alert := range waiting {
		for told < len(heard) && !strings.Contains(heard[told], alert.Message) {
			told++
		}
	}
	assert.Less(t, told, len(heard), "in their order")
	for _, alert := range waiting {
		assert.Equal(t, 1, strings.Count(strings.Join(heard, "\n"), alert.Message), alert.Message)
	}
}
