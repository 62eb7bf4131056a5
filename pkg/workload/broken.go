package workload

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"weir.dev/weir/pkg/rollout"
)

const (
	// oomKilled is the reason of a container that took more memory than it may.
	oomKilled = "OOMKilled"
	// crashLoop is the reason of a container that has ended and is restarted later.
	crashLoop = "CrashLoopBackOff"
)

// hopeless are the reasons of a waiting container that time does not cure.
func hopeless(reason string) bool {
	switch reason {
	case crashLoop, "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName",
		"CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return true
	}
	return false
}

// Broken finds the first pod, by name, that will not come up by waiting. A pod that is being deleted or
// has ended does not count: its ReplicaSet makes another.
func Broken(pods []*corev1.Pod) *rollout.Broken {
	var first *rollout.Broken
	for _, p := range pods {
		if first != nil && first.Pod <= p.Name {
			continue
		}
		if b := brokenPod(p); b != nil {
			first = b
		}
	}
	return first
}

func brokenPod(p *corev1.Pod) *rollout.Broken {
	if p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded {
		return nil
	}
	for _, statuses := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for i := range statuses {
			if b := brokenContainer(&statuses[i]); b != nil {
				b.Pod = p.Name
				return b
			}
		}
	}
	return nil
}

// brokenContainer looks at memory first: a container that is killed for it again and again is backed off,
// too, and its memory is what a person must look at.
func brokenContainer(s *corev1.ContainerStatus) *rollout.Broken {
	if outOfMemoryTwice(s) {
		return &rollout.Broken{
			Container: s.Name, Reason: oomKilled,
			Message: "killed for its memory again and again; raise its limit or mend the leak",
		}
	}
	if w := s.State.Waiting; w != nil && hopeless(w.Reason) {
		return &rollout.Broken{Container: s.Name, Reason: w.Reason, Message: shorten(w.Message)}
	}
	return nil
}

// outOfMemoryTwice counts the ends of a container: one for each restart, and one more where it has ended
// and is not restarted yet. The status keeps the cause of the latest ones only; an earlier end of
// another cause is taken for one of memory.
func outOfMemoryTwice(s *corev1.ContainerStatus) bool {
	last, ends := s.LastTerminationState.Terminated, s.RestartCount
	switch waiting := s.State.Waiting; {
	case s.State.Terminated != nil:
		last = s.State.Terminated
		ends++
	case waiting != nil && waiting.Reason == crashLoop:
		ends++
	}
	return last != nil && last.Reason == oomKilled && ends >= 2
}

// shorten brings a message to one line that fits into an event.
func shorten(message string) string {
	const most = 256
	message = strings.Join(strings.Fields(message), " ")
	if len(message) <= most {
		return message
	}
	return strings.ToValidUTF8(message[:most], "") + "…"
}
