package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

const limitedProfileYAML = `apiVersion: weir.dev/v1beta1
kind: CanaryProfile
metadata: {name: limited}
spec: {limits: {maxRuns: %d}}
`

// TestTurns: of six applications that are released at once under a profile that lets two runs be on, never more than two
// are; all of them are promoted, and nobody overtakes. The operator is killed in the middle of it.
func TestTurns(t *testing.T) {
	const many, most = 6, 2
	c := start(t)
	require.NoError(t, sandbox.Apply(t.Context(), c.config, fmt.Appendf(nil, limitedProfileYAML, most)))
	apps := make([]*application, many)
	for i := range apps {
		a := c.application(t)
		apps[i] = a
		a.manage("/good")
		canaries := a.weir.WeirV1beta1().Canaries(a.namespace)
		made, err := canaries.Get(t.Context(), "app", metav1.GetOptions{})
		require.NoError(t, err)
		metav1.SetMetaDataAnnotation(&made.ObjectMeta, v1beta1.AnnotationProfile, "limited")
		_, err = canaries.Update(t.Context(), made, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	o := c.operate(t, corev1.NamespaceAll, nil)
	defer func() { o.end() }()
	for _, a := range apps {
		adopt(a)
	}
	stop, seen := make(chan struct{}), make(chan int)
	go func() { // how many runs are on at the same time, as anybody sees it
		top := 0
		for {
			list, err := c.weir.WeirV1beta1().Canaries("").List(t.Context(), metav1.ListOptions{})
			on := 0
			for i := range list.Items {
				if run := list.Items[i].Status.Run; run != nil && run.Queue == nil {
					on++
				}
			}
			if err == nil {
				top = max(top, on)
			}
			select {
			case <-stop:
				seen <- top
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	for _, a := range apps {
		a.release("2")
	}
	apps[many-1].await("a place in the queue", func() bool {
		run := apps[many-1].last().Run
		return run != nil && run.Queue != nil && run.Queue.Position > 1
	})
	o.end()
	o = c.operate(t, corev1.NamespaceAll, nil)
	for _, a := range apps {
		a.await("the run's end", func() bool { return len(a.last().History) == 1 && a.last().Phase == v1beta1.PhaseSucceeded })
		a.ended(v1beta1.OutcomePromoted)
		a.walked(0, 20, 60, 100, 0)
	}
	close(stop)
	assert.Equal(t, most, <-seen, "runs at the same time")
	slices.SortFunc(apps, func(a, b *application) int { return a.queuedAt().Compare(b.queuedAt()) })
	for i := most; i < many; i++ {
		assert.False(t, apps[i].beganAt().Before(apps[i-most].beganAt()), "place %d waits for the one that is %d before it", i, most)
	}
}

// queuedAt is when the run began to wait for its turn.
func (a *application) queuedAt() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.statuses {
		if run := a.statuses[i].Run; run != nil && run.Queue != nil {
			return run.Queue.Since.Time
		}
	}
	a.t.Error("it never waited for its turn")
	return time.Time{}
}

// beganAt is when the first weight was in force.
func (a *application) beganAt() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.statuses {
		if st := &a.statuses[i]; st.Weight > 0 && st.WeightSince != nil {
			return st.WeightSince.Time
		}
	}
	return time.Time{}
}
