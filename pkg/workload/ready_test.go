package workload_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// ReadySince is when the last of the ready pods became so; what is not ready, or another's, does not count.
func TestReadySince(t *testing.T) {
	rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "app-1", UID: "rs"}}
	at := func(second int64) metav1.Time { return metav1.Unix(1_000_000+second, 0) }
	pod := func(owner string, ready corev1.ConditionStatus, since metav1.Time) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{
				{UID: rs.UID, Name: owner, Controller: new(owner == rs.Name)},
			}},
			Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: ready, LastTransitionTime: since},
			}},
		}
	}
	since := func(pods ...*corev1.Pod) time.Time {
		return workload.Facts(rs, nil, &v1beta1.Canary{}, pods).ReadySince
	}
	require.True(t, since().IsZero())
	require.True(t, since(pod("app-1", corev1.ConditionFalse, at(9))).IsZero())
	require.Equal(t, at(5).Time, since(
		pod("app-1", corev1.ConditionTrue, at(3)), pod("app-1", corev1.ConditionTrue, at(5)),
		pod("app-1", corev1.ConditionFalse, at(9)), pod("other", corev1.ConditionTrue, at(9))))
}
