package rollout

import (
	"fmt"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// A Knative Service makes its revisions itself, and says in its own spec which of them gets which share, by name. So
// the route is all that there is:
//
//	route     p 100      p 90, C 10      C 100      C 100: C is the primary
//	           idle           step      promoted    its name stays
//
// What follows from it:
//
//   - A revision is one ReplicaSet of one replica: it is ready or not, whatever that takes in pods.
//   - The target is paused as long as all shares are said by name; a new revision gets nothing by itself.
//   - There is no hand-over. The canary keeps the traffic that it has, and the commit makes it the primary. A template
//     that changes in that moment is another revision, which has no share.

// keepName promotes a canary that has all of the traffic by its name.
func (l *look) keepName() {
	l.st.Phase, l.st.Step = v1beta1.PhaseFinalising, nil
	l.after(soonestLook)
	l.wait(ReasonHandedOver, "revision %s keeps the traffic, by its name", l.st.Canary.Hash)
}

// The words that differ.

// lacks says what of the canary is waited for.
func (l *look) lacks(need int32) string {
	if l.Target.ByName {
		return fmt.Sprintf("waiting until revision %s is ready", l.st.Canary.Hash)
	}
	return fmt.Sprintf("waiting for %d ready canary pods", need)
}

// comesUp says that the canary is ready, and perhaps not known yet to those who send requests.
func (l *look) comesUp() string {
	if l.Target.ByName {
		return fmt.Sprintf("revision %s is ready since a moment ago", l.st.Canary.Hash)
	}
	return "the canary's pods are ready; waiting until its Service has them"
}

// noneReady says why the canary gets nothing.
func (l *look) noneReady() string {
	if l.Target.ByName {
		return fmt.Sprintf("revision %s is not ready any more; all traffic goes to the primary until it is", l.st.Canary.Hash)
	}
	return "no canary pod is ready; all traffic goes to the primary until one is"
}

// tooSlow says what was waited for in vain.
func (l *look) tooSlow() string {
	if l.Target.ByName {
		return fmt.Sprintf("revision %s was not ready after %s", l.st.Canary.Hash, l.deadline())
	}
	return fmt.Sprintf("the canary had %d of %d pods ready after %s", l.Candidate.Ready, l.st.Canary.Replicas, l.deadline())
}

// belongs says where a promoted revision stands, in a sentence that begins with its pods.
func (l *look) belongs(pods string) string {
	if l.Target.ByName {
		return l.workload() + " sends it all traffic, by its name"
	}
	return pods + " the " + l.kind() + "'s"
}
