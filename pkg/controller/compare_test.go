package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// counter is a Prometheus that counts 90 requests a second of the primary and 10 of the canary, of which some fail, from
// the beginning of the test. It knows the past.
type counter struct {
	mu       sync.Mutex
	began    time.Time
	asked    []time.Duration
	badOf10  float64 // of the canary's requests a second
	silentBy error
}

func (c *counter) Query(_ context.Context, q metrics.Query) ([]metrics.Sample, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, q.At.Sub(c.began))
	if c.silentBy != nil {
		return nil, c.silentBy
	}
	seconds := q.At.Sub(c.began).Seconds()
	var all []metrics.Sample
	for what, each := range map[string]float64{
		"canary/all": 10, "canary/bad": c.badOf10, "primary/all": 90, "primary/bad": 0.9,
	} {
		all = append(all, metrics.Sample{
			Labels: map[string]string{"weir": "0/" + what, "instance": "gateway"}, Value: each * seconds,
		})
	}
	return all, nil
}

// times are those since the test began; what was before is asked for at the first look of a run alone.
func (c *counter) times() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.asked), func(at time.Duration) bool { return at < 0 })
}

// counting is a Canary in a run, a step of which began at the beginning of the test.
func (a *asking) counting(badOf10 float64) (*v1beta1.Canary, *observation, *counter) {
	server := &counter{began: a.options.Now(), badOf10: badOf10}
	a.answered("counts", server)
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app"}}
	c.Spec.MetricsServer = "counts"
	c.Status.Primary = &v1beta1.RevisionStatus{Hash: "old", ReplicaSet: "app-old"}
	c.Status.Canary = &v1beta1.RevisionStatus{Hash: "new", ReplicaSet: "app-new"}
	c.Status.Run = &v1beta1.RunStatus{ID: "r"}
	c.Status.Step = &v1beta1.StepStatus{TrafficSince: new(metav1.NewMicroTime(server.began))}
	return c, &observation{names: workload.Names{Apex: "app"}}, server
}

func watchOf(c *v1beta1.Canary) *rollout.Watch {
	return &rollout.Watch{
		Round: rollout.RoundID{Run: c.Status.Run.ID, Step: c.Status.Step.Index}, Since: c.Status.Step.TrafficSince.Time,
		Interval: 10 * time.Second,
	}
}

func TestAComparisonCountsFromWhereItEnded(t *testing.T) {
	asks(t, 1, func(a *asking) {
		c, o, server := a.counting(0.1)
		metric := v1beta1.CanaryMetric{
			Name: v1beta1.RequestSuccessRate, Comparison: &v1beta1.Comparison{Tolerance: 1.25, Confidence: 0.95},
		}
		look := func(round int32) rollout.Answer {
			time.Sleep(time.Minute)
			due := []rollout.Question{{Round: rollout.RoundID{Run: "r", Round: round}, Metric: metric, Window: time.Minute}}
			a.answers(keyOf(c), c, o, due)
			synctest.Wait()
			answers := a.answers(keyOf(c), c, o, due)
			require.Len(t, answers, 1)
			return answers[0]
		}
		first := look(0)
		assert.Equal(t, v1beta1.VerdictPassed, first.Check.Verdict, first.Check.Message)
		assert.Equal(t, []time.Duration{0, time.Minute}, server.times(), "a step's first window begins with its traffic")
		assert.Len(t, server.asked, 2+analysis.PastWindows, "and what the primary did before teaches")
		assert.Equal(t, v1beta1.CountStatus{Requests: 5400, Bad: 54}, first.Check.Evidence.Primary, "and counts for nothing")
		c.Status.Run.Metrics = []v1beta1.MetricState{*first.State}
		second := look(1)
		assert.Equal(t, []time.Duration{0, time.Minute, 2 * time.Minute}, server.times(), "the last reading is at hand")
		assert.Equal(t, v1beta1.CountStatus{Requests: 1200, Bad: 12}, second.Check.Evidence.Canary)
		third := look(2) // the second was not committed
		assert.Equal(t, []time.Duration{0, time.Minute, 2 * time.Minute, time.Minute, 3 * time.Minute}, server.times())
		assert.Equal(t, v1beta1.CountStatus{Requests: 1800, Bad: 18}, third.Check.Evidence.Canary, "nothing is lost by that")
		assert.Equal(t, int32(2), third.Check.Evidence.Windows)

		a.forget(keyOf(c)) // another operator leads
		c.Status.Run.Metrics = []v1beta1.MetricState{*third.State}
		assert.Equal(t, v1beta1.CountStatus{Requests: 2400, Bad: 24}, look(3).Check.Evidence.Canary)
	})
}

func TestTheGuardSeesABadCanarySoon(t *testing.T) {
	asks(t, 1, func(a *asking) {
		c, o, _ := a.counting(1) // a tenth fails, of the primary's a hundredth
		looks := func() *rollout.Answer { return a.watch(keyOf(c), c, o, watchOf(c)) }
		require.Nil(t, looks())
		time.Sleep(11 * time.Second)
		synctest.Wait()
		require.NotNil(t, looks())
		assert.NotEqual(t, v1beta1.VerdictFailed, looks().Check.Verdict, "one window is never enough")
		assert.Zero(t, a.wokenTimes("app"), "nobody is disturbed")
		time.Sleep(30 * time.Second)
		synctest.Wait()
		answer := looks()
		assert.Equal(t, v1beta1.VerdictFailed, answer.Check.Verdict, answer.Check.Message)
		assert.Equal(t, 1, a.wokenTimes("app"), "once is enough")
		assert.Contains(t, answer.Check.Message, "10 % of ")
		assert.Equal(t, rollout.GuardCheck, answer.State.Name)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, answer, looks(), "it has seen enough")
	})
}

func TestTheGuardKeepsWhatItCounted(t *testing.T) {
	asks(t, 1, func(a *asking) {
		c, o, server := a.counting(0.1)
		a.watch(keyOf(c), c, o, watchOf(c))
		time.Sleep(35 * time.Second)
		synctest.Wait()
		answer := a.watch(keyOf(c), c, o, watchOf(c))
		assert.Equal(t, v1beta1.CountStatus{Requests: 300, Bad: 3}, answer.Check.Evidence.Canary)
		assert.Equal(t, []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second}, server.times())

		// The next step: its windows are its own, and what was counted counts.
		c.Status.Step = &v1beta1.StepStatus{Index: 1, TrafficSince: new(metav1.NewMicroTime(a.options.Now()))}
		assert.Equal(t, answer, a.watch(keyOf(c), c, o, watchOf(c)))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		answer = a.watch(keyOf(c), c, o, watchOf(c))
		assert.Equal(t, v1beta1.CountStatus{Requests: 400, Bad: 4}, answer.Check.Evidence.Canary)
		assert.Equal(t, []time.Duration{35 * time.Second, 45 * time.Second}, server.times()[4:])

		// A Prometheus that goes away says nothing, and loses nothing.
		server.mu.Lock()
		server.silentBy = metrics.Transportf("refused")
		server.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		assert.Equal(t, v1beta1.VerdictErrored, a.watch(keyOf(c), c, o, watchOf(c)).Check.Verdict)
		server.mu.Lock()
		server.silentBy = nil
		server.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		answer = a.watch(keyOf(c), c, o, watchOf(c))
		assert.Equal(t, v1beta1.CountStatus{Requests: 600, Bad: 6}, answer.Check.Evidence.Canary)

		// It ends with the run, and with the Canary.
		asked := len(server.times())
		assert.Nil(t, a.watch(keyOf(c), c, o, nil))
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Len(t, server.times(), asked)
		a.watch(keyOf(c), c, o, watchOf(c))
		a.forget(types.NamespacedName{Namespace: "shop", Name: "app"})
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Len(t, server.times(), asked)
	})
}

func TestNothingIsWatchedWithoutAPrometheus(t *testing.T) {
	asks(t, 1, func(a *asking) {
		c, o, _ := a.counting(10)
		c.Spec.MetricsServer = ""
		assert.Nil(t, a.watch(keyOf(c), c, o, watchOf(c)))
		assert.Empty(t, a.guards)
	})
}

func TestAConditionAsksForThePrimaryIfItNeedsIt(t *testing.T) {
	asks(t, 1, func(a *asking) {
		c, o, _ := a.counting(0)
		var asked []string
		a.serve("counts", func(context.Context) (float64, error) { return 90, nil })
		vars := varsOf(c, o, time.Minute, nil)
		for _, v := range []metrics.Vars{vars.canary, vars.primary} {
			asked = append(asked, fmt.Sprint(v.OwnService(), " ", v.Hash))
		}
		assert.Equal(t, "app-canary new, app-primary old", strings.Join(asked, ", "))
		metric := v1beta1.CanaryMetric{
			Name: v1beta1.RequestSuccessRate, Condition: "value >= baseline && weight == 0 && elapsed > duration('5s')",
		}
		time.Sleep(6 * time.Second)
		check := a.check(a.ctx, c, rollout.Question{Metric: metric, Window: time.Minute}, vars)
		assert.Equal(t, v1beta1.VerdictPassed, check.Verdict, check.Message)
		assert.Equal(t, "90", check.Baseline)
	})
}
