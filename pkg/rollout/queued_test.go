package rollout

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// TestQueuedEnds: beside a newer template what is left of the primary is ended for pods that serve in its place. Where
// the target has no replicas, its own controller ends all.
func TestQueuedEnds(t *testing.T) {
	for _, c := range []struct {
		replicas, available int32
		ends                bool
	}{
		{4, 4, true}, {4, 3, false}, {4, 0, false},
		{2, 2, true},  // scaled down right after the hand-over
		{8, 4, true},  // scaled up: as many as were promoted are enough
		{0, 0, false}, // scaled to zero: of the promoted ones none is left
	} {
		s := byName()
		s.Canary.Spec.TargetRef.Kind, s.Canary.Spec.OnNewRevision = v1beta1.KindDeployment, v1beta1.OnNewRevisionQueue
		s.Canary.Status.Phase, s.Canary.Status.Canary.Replicas = v1beta1.PhaseFinalising, 4
		s.Primary.Desired = 4
		s.Candidate.Owner, s.Candidate.Younger, s.Candidate.Available = OwnerTarget, true, c.available
		s.Target = Target{Found: true, Paused: true, Replicas: c.replicas, Revision: Revision{Hash: "shop-3", ReplicaSet: "shop-3"}}
		ends := Decide(s).Primary.State == ReplicaSetPresent
		require.Equal(t, c.ends, ends, "%d of %d", c.available, c.replicas)
	}
}
