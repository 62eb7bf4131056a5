package workload_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// TestDaemonSetServing says what serves where it is neither the primary nor the canary, ready or not.
func TestDaemonSetServing(t *testing.T) {
	revision := func(hash string) *appsv1.ControllerRevision {
		raw, err := json.Marshal(map[string]any{"spec": map[string]any{"template": template(hash)}})
		require.NoError(t, err)
		rev := &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{
				Name: "agent-" + hash, Labels: map[string]string{appsv1.ControllerRevisionHashLabelKey: hash},
			},
			Data: runtime.RawExtension{Raw: raw},
		}
		workload.SlimRevision(rev)
		return rev
	}
	revs := []*appsv1.ControllerRevision{revision("1"), revision("2"), revision("3"), revision("4")}
	d := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "agent"}, Spec: appsv1.DaemonSetSpec{Template: template("4")},
		Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 2},
	}
	st := &v1beta1.CanaryStatus{
		Primary: &v1beta1.RevisionStatus{ReplicaSet: "agent-1"}, Canary: &v1beta1.RevisionStatus{ReplicaSet: "agent-2"},
	}
	for name, c := range map[string]struct {
		pods []string
		want string
	}{
		"the primary":     {[]string{"1", "1"}, ""},
		"the canary":      {[]string{"2", "2"}, ""},
		"a stray":         {[]string{"3", "3"}, "3"},
		"the template":    {[]string{"4", "4"}, "4"},
		"not yet any":     {nil, "4"},
		"two of them":     {[]string{"3", "4"}, ""},
		"with a primary":  {[]string{"1", "4"}, ""},
		"nobody knows it": {[]string{"0", "0"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var pods []*corev1.Pod
			for _, hash := range c.pods {
				pods = append(pods, &corev1.Pod{
					ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{appsv1.ControllerRevisionHashLabelKey: hash}},
				})
			}
			seen, err := workload.ObserveDaemonSet(d, revs, pods, st, time.Unix(1e9, 0))
			require.NoError(t, err)
			require.Equal(t, c.want != "", seen.Serving.Found)
			require.Equal(t, c.want, seen.Serving.Hash)
		})
	}
}
