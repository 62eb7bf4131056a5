package workload_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

func TestBroken(t *testing.T) {
	// What the kubelet says of one container, and of a pod with that container alone.
	const (
		killed, killedBefore = "terminated: {reason: OOMKilled}", "lastState: {terminated: {reason: OOMKilled}}"
		runs, crashedBefore  = "state: {running: {}}", "lastState: {terminated: {reason: Error}}"
	)
	app := func(says string) string { return "containerStatuses: [{name: app, " + says + "}]" }
	waits := func(reason string) string { return app("state: {waiting: {reason: " + reason + "}}") }
	broken := func(container, reason, message string) *rollout.Broken {
		return &rollout.Broken{Pod: "x", Container: container, Reason: reason, Message: message}
	}
	twice := broken("app", "OOMKilled", "killed for its memory again and again; raise its limit or mend the leak")
	for name, tt := range map[string]struct {
		status string // of the pod, in YAML
		want   *rollout.Broken
	}{
		"says naught": {"phase: Pending", nil},
		"runs":        {app("state: {running: {}}"), nil},
		"starts":      {waits("ContainerCreating"), nil},
		"waits for a node": { // one may come; the progress deadline says how long that may take
			`{phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable}]}`, nil,
		},
		"pulls, and failed once":  {waits("ErrImagePull"), nil},
		"cannot pull":             {waits("ImagePullBackOff, message: gone"), broken("app", "ImagePullBackOff", "gone")},
		"names no image":          {waits("InvalidImageName"), broken("app", "InvalidImageName", "")},
		"lacks a Secret":          {waits("CreateContainerConfigError"), broken("app", "CreateContainerConfigError", "")},
		"lacks a mount":           {waits("CreateContainerError"), broken("app", "CreateContainerError", "")},
		"cannot run its command":  {waits("RunContainerError"), broken("app", "RunContainerError", "")},
		"crashes":                 {waits("CrashLoopBackOff"), broken("app", "CrashLoopBackOff", "")},
		"crashed once, and runs":  {app("restartCount: 1, " + runs + ", " + crashedBefore), nil},
		"crashed twice, and runs": {app("restartCount: 2, " + runs + ", " + crashedBefore), nil},
		"killed once":             {app("restartCount: 0, state: {" + killed + "}"), nil},
		"killed once, and starts": {app("restartCount: 1, state: {waiting: {}}, " + killedBefore), nil},
		"killed once, and runs":   {app("restartCount: 1, " + runs + ", " + killedBefore), nil},
		"killed again":            {app("restartCount: 1, state: {" + killed + "}, " + killedBefore), twice},
		"killed again, and runs":  {app("restartCount: 2, " + runs + ", " + killedBefore), twice},
		"killed again, backed off": {
			app("restartCount: 1, state: {waiting: {reason: CrashLoopBackOff}}, " + killedBefore), twice,
		},
		"killed in the past, and done": { // as a container that prepares the pod
			"initContainerStatuses: [{name: i, restartCount: 2, state: {terminated: {reason: Completed}}, " +
				killedBefore + "}]", nil,
		},
		"crashes in a second container": {
			"containerStatuses: [{name: app, " + runs + "}, {name: log, state: {waiting: {reason: CrashLoopBackOff}}}]",
			broken("log", "CrashLoopBackOff", ""),
		},
		"crashes while it prepares": {
			"{initContainerStatuses: [{name: i, state: {waiting: {reason: CrashLoopBackOff}}}], " +
				"containerStatuses: [{name: app, state: {waiting: {reason: PodInitializing}}}]}",
			broken("i", "CrashLoopBackOff", ""),
		},
		"was evicted": { // and its ReplicaSet makes another
			"{phase: Failed, reason: Evicted, " + app("restartCount: 2, state: {"+killed+"}") + "}", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Status: *read[corev1.PodStatus](t, tt.status)}
			assert.Equal(t, tt.want, workload.Broken([]*corev1.Pod{pod}))
		})
	}
}

func TestBrokenNamesTheFirstPod(t *testing.T) {
	rs := replicaSet("a", "v1", 3, 10)
	pods := []*corev1.Pod{
		podOf("c", rs, waiting("CrashLoopBackOff", "")), podOf("b", rs, waiting("ImagePullBackOff", "")),
		podOf("d", rs, waiting("ImagePullBackOff", "")), podOf("a", rs, waiting("ContainerCreating", "")),
	}
	assert.Equal(t, &rollout.Broken{Pod: "b", Container: "app", Reason: "ImagePullBackOff"}, workload.Broken(pods))
	now := metav1.Now()
	pods[1].DeletionTimestamp = &now
	assert.Equal(t, "c", workload.Broken(pods).Pod, "a pod that is being deleted counts")
	assert.Nil(t, workload.Broken(nil))
}

func TestBrokenSaysItInOneShortLine(t *testing.T) {
	rs := replicaSet("a", "v1", 1, 10)
	say := func(message string) string {
		return workload.Broken([]*corev1.Pod{podOf("a", rs, waiting("ImagePullBackOff", message))}).Message
	}
	assert.Equal(t, "two lines", say("two\n  lines\n"))
	assert.Equal(t, strings.Repeat("x", 256)+"…", say(strings.Repeat("x", 300)))
	assert.Equal(t, "a"+strings.Repeat("é", 127)+"…", say("a"+strings.Repeat("é", 200)), "a letter is cut in two")
}

func podOf(name string, rs *appsv1.ReplicaSet, state corev1.ContainerState) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet")),
			},
		},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app", State: state}}},
	}
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}
