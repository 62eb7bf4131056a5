package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// TestRecall: an operator that has just started tells what the one before may have died before telling, and no more.
func TestRecall(t *testing.T) {
	now := time.Unix(1700000000, 0)
	since := func(ago time.Duration) metav1.Time { return metav1.NewTime(now.Add(-ago)) }
	over := []v1beta1.RunRecord{{ID: "a", Revision: "1", Outcome: v1beta1.OutcomePromoted, EndedAt: since(time.Minute)}}
	on := &v1beta1.RunStatus{ID: "b", StartedAt: since(time.Minute)}
	traffic := metav1.NewMicroTime(now)
	recalled := func(st v1beta1.CanaryStatus, missed bool) []string {
		var ids []string
		for _, n := range Recall(&v1beta1.Canary{Status: st}, now, missed) {
			ids = append(ids, n.ID)
		}
		return ids
	}
	begun := v1beta1.CanaryStatus{
		History: over, Run: on, Canary: &v1beta1.RevisionStatus{Hash: "2"}, Step: &v1beta1.StepStatus{},
	}
	assert.Equal(t, []string{"a/ended", "b/started"}, recalled(begun, false), "one that supersedes ends another as it begins")
	begun.Step = &v1beta1.StepStatus{TrafficSince: &traffic}
	assert.Empty(t, recalled(begun, false), "what is told comes before the next commit")
	begun.Step = &v1beta1.StepStatus{Index: 1}
	assert.Empty(t, recalled(begun, false))
	assert.Equal(t, []string{"a/ended", "b/started"}, recalled(begun, true))
	assert.Equal(t, []string{"a/ended"}, recalled(v1beta1.CanaryStatus{History: over}, false))
	over[0].EndedAt = since(time.Hour)
	assert.Empty(t, recalled(v1beta1.CanaryStatus{History: over}, false), "that is long told")
}
