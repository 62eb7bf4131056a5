package workload

import (
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"weir.dev/weir/pkg/rollout"
)

// oomKilled is the reason of a container that took more memory than it may.
const oomKilled = "OOMKilled"

// hopeless are the reasons of a waiting container that time does not cure.
func hopeless(reason string) bool {
	switch reason {
	case "CrashLoopBackOff", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName",
		"CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return true
	}
	return false
}

// Broken finds the first pod, by name, that will not come up by waiting. Pods that are being deleted
// do not count, and a container killed for its memory counts from the second time on.
func Broken(pods []*corev1.Pod) *rollout.Broken {
	pods = append([]*corev1.Pod(nil), pods...)
	sort.Slice(pods, func(i, j int) bool { return pods[i].Name < pods[j].Name })
	for _, p := range pods {
		if p.DeletionTimestamp != nil {
			continue
		}
		for _, statuses := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
			for i := range statuses {
				if b := brokenContainer(&statuses[i]); b != nil {
					b.Pod = p.Name
					return b
				}
			}
		}
	}
	return nil
}

func brokenContainer(s *corev1.ContainerStatus) *rollout.Broken {
	if last := s.LastTerminationState.Terminated; last != nil && last.Reason == oomKilled && s.RestartCount >= 2 {
		return &rollout.Broken{Container: s.Name, Reason: oomKilled, Message: "killed for its memory again and again; raise its limit or mend the leak"}
	}
	if w := s.State.Waiting; w != nil && hopeless(w.Reason) {
		return &rollout.Broken{Container: s.Name, Reason: w.Reason, Message: shorten(w.Message)}
	}
	return nil
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
