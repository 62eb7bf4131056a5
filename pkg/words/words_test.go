package words_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

func now() time.Time { return time.Date(2026, 11, 23, 12, 3, 30, 0, time.UTC) }

func read(t *testing.T, text string) *v1beta1.Canary {
	t.Helper()
	c := &v1beta1.Canary{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), c))
	return c
}

// running is a run in its second step, which has a pause, and one gate that is closed.
const running = `
metadata: {name: podinfo}
spec:
  targetRef: {name: podinfo}
  service: {port: 9898}
  progressDeadlineSeconds: 60
  analysis:
    interval: 30s
    steps: [{weight: 10}, {weight: 50, pause: {duration: 10m}}]
    webhooks: [{name: load-test, type: confirm-traffic-increase, url: "http://gates", gateTimeout: 5m, onTimeout: Abort}]
status:
  phase: Progressing
  run: {id: a-1, startedAt: "2026-11-23T12:00:04Z"}
  step:
    index: 1
    startedAt: "2026-11-23T12:03:00.000000Z"
    trafficSince: "2026-11-23T12:03:06.000000Z"
    judgedAt: "2026-11-23T12:03:16.000000Z"
  gates: [{name: load-test, type: confirm-traffic-increase, state: Closed, run: a-1, since: "2026-11-23T12:03:00Z"}]
`

func TestMomentsAreToCome(t *testing.T) {
	c := read(t, running)
	said := func() []string {
		var all []string
		for _, m := range words.Moments(c, now()) {
			all = append(all, words.Span(m.At.Sub(now()))+" "+m.What)
		}
		return all
	}
	assert.Equal(t, []string{"16s the next round of checks", "4m30s if gate load-test has not agreed, the run is aborted",
		"9m36s the pause of the step ends"}, said())

	waiting := metav1.NewMicroTime(now().Add(-20 * time.Second))
	c.Status.Step.WaitingSince = &waiting
	assert.Contains(t, said(), "40s rolled back, if pods are still missing")

	c.Status.Step.JudgedAt.Time = now().Add(-time.Hour)
	assert.NotContains(t, strings.Join(said(), ", "), "next round", "it is over")

	c.Spec.Suspend = true
	assert.Empty(t, said(), "nothing happens by itself then")
}

func TestMomentsOfAPromotion(t *testing.T) {
	c := read(t, running)
	since := metav1.NewMicroTime(now().Add(-time.Minute))
	c.Status.Phase, c.Status.Weight, c.Status.WeightSince = v1beta1.PhasePromoting, 100, &since
	c.Spec.PromotionDelay, c.Spec.ScaleDownDelay = "2m", "3m"
	c.Status.Gates = nil
	assert.Equal(t, []words.Moment{{At: now().Add(time.Minute), What: "the canary has baked"},
		{At: now().Add(4 * time.Minute), What: "the old pods go"}}, words.Moments(c, now()))
}

func TestOrders(t *testing.T) {
	verbs := func(c *v1beta1.Canary) string {
		var all []string
		for _, o := range words.Orders(c) {
			command := o.Command
			all = append(all, words.Verb(&v1beta1.CommandStatus{Verb: command.Verb, Gate: command.Gate, Full: command.Full}))
		}
		return strings.Join(all, ", ")
	}
	c := read(t, running)
	assert.Equal(t, "approve load-test, pause, skip-step, promote --full, abort", verbs(c))

	c.Status.Run.Paused = &v1beta1.PauseStatus{}
	assert.Contains(t, verbs(c), "resume")
	c.Spec.Suspend = true
	assert.Equal(t, "abort", verbs(c), "the operator would refuse all else")

	c = read(t, running)
	c.Status.Gates = []v1beta1.GateStatus{{Name: v1beta1.ManualGate, Type: v1beta1.WebhookConfirmPromotion,
		State: v1beta1.GateClosed, Run: "a-1"}}
	c.Status.Phase, c.Status.Step = v1beta1.PhaseWaitingPromotion, nil
	assert.Equal(t, "promote, pause, promote --full, abort", verbs(c))

	c.Status.Phase, c.Status.Run = v1beta1.PhaseFailed, nil
	assert.Equal(t, "retry", verbs(c))
	c.DeletionTimestamp = &metav1.Time{Time: now()}
	assert.Empty(t, verbs(c))
	assert.Empty(t, words.Orders(&v1beta1.Canary{}), "there is no run")
}

func TestBounds(t *testing.T) {
	c := read(t, `
spec:
  analysis:
    metrics:
    - {name: low, thresholdRange: {min: 99}}
    - {name: high, thresholdRange: {max: 0.5}}
    - {name: both, thresholdRange: {min: 1, max: 2}}
    - {name: told, condition: "value < 2.0 * baseline"}
`)
	for name, want := range map[string]string{
		"low": ">= 99", "high": "<= 0.5", "both": "1 to 2", "told": "value < 2.0 * baseline", "guard": "",
	} {
		assert.Equal(t, want, words.BoundOf(c, v1beta1.CheckStatus{Name: name}).Text)
	}
	counted := words.BoundOf(c, v1beta1.CheckStatus{Name: "guard", Evidence: &v1beta1.EvidenceStatus{Needed: "100"}})
	require.NotNil(t, counted.Max)
	assert.InDelta(t, 2, *counted.Max, 1e-9)
	assert.Equal(t, "evidence < 100", counted.Text)
}

func TestLineIsOneLineOfWords(t *testing.T) {
	assert.Equal(t, "a b [31mred", words.Line("a\n\tb \x1b[31mred\x07\u202e"))
	assert.Equal(t, " größer ", words.Typed(" größer\r "))
}
