package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// byName has a canary with all of the traffic, by its name, since a while.
func byName() *Snapshot {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	since := metav1.NewMicroTime(now.Add(-time.Hour))
	c := &v1beta1.Canary{Spec: v1beta1.CanarySpec{
		TargetRef: v1beta1.TargetRef{APIVersion: "serving.knative.dev/v1", Kind: v1beta1.KindKnativeService, Name: "shop"},
	}}
	c.Name, c.Namespace, c.UID, c.Finalizers = "shop", "default", "1", []string{"weir.dev/canary"}
	c.Status = v1beta1.CanaryStatus{
		Phase: v1beta1.PhasePromoting, Weight: 100, WeightSince: &since,
		Primary: &v1beta1.RevisionStatus{ReplicaSet: "shop-1", Hash: "shop-1", Replicas: 1},
		Canary:  &v1beta1.RevisionStatus{ReplicaSet: "shop-2", Hash: "shop-2", Replicas: 1},
		Run:     &v1beta1.RunStatus{ID: "shop-2-1"}, Step: &v1beta1.StepStatus{},
	}
	revision := func(name string, owner Owner) ReplicaSet {
		return ReplicaSet{Found: true, Name: name, Hash: name, Owner: owner, Desired: 1, Exists: 1, Ready: 1, Available: 1}
	}
	return &Snapshot{
		Now: now, Canary: c, Services: Services{Found: true}, Settle: time.Second,
		Route:   Route{Found: true, Accepted: true, Split: Split{Weight: 100}, Since: since.Time},
		Primary: revision("shop-1", OwnerTarget), Candidate: revision("shop-2", OwnerCanary),
		Target: Target{Found: true, Paused: true, ByName: true, Replicas: 1,
			Revision: Revision{Hash: "shop-2", ReplicaSet: "shop-2", IsCandidate: true}},
	}
}

// finalises takes over what was decided, as the target is seen then.
func (s *Snapshot) finalises(d Decision) {
	s.Canary.Status = d.Status
	s.Primary.Desired, s.Candidate.Owner = 0, OwnerTarget
	s.Target.Complete = s.Target.Revision.IsCandidate
}

// TestByName promotes by the commit alone, whatever the template is by then.
func TestByName(t *testing.T) {
	for name, newer := range map[string]bool{"the template stays": false, "the template changes in that moment": true} {
		t.Run(name, func(t *testing.T) {
			s := byName()
			d := Decide(s)
			require.Equal(t, v1beta1.PhaseFinalising, d.Status.Phase)
			require.False(t, d.HandOver, "there is nothing to hand over")
			require.Equal(t, Split{Weight: 100}, d.Split)
			require.Equal(t, "shop-1", d.Status.Primary.ReplicaSet)

			s.finalises(d)
			if newer {
				s.Target.Revision, s.Target.Complete = Revision{Hash: "shop-3", ReplicaSet: "shop-3"}, false
			}
			d = Decide(s)
			require.Equal(t, "shop-2", d.Status.Primary.ReplicaSet)
			require.Nil(t, d.Status.Canary)
			require.Equal(t, v1beta1.OutcomePromoted, d.Status.History[0].Outcome)
			require.Contains(t, d.Status.History[0].Message, "Service shop sends it all traffic, by its name")
		})
	}
}

// TestByNameNotYet promotes nothing that is not in force, not ready, or not what was analysed.
func TestByNameNotYet(t *testing.T) {
	for name, change := range map[string]func(*Snapshot){
		"the route says something else": func(s *Snapshot) { s.Route.Split.Weight = 90 },
		"nobody has accepted the route": func(s *Snapshot) { s.Route.Accepted = false },
		"the route is new":              func(s *Snapshot) { s.Route.Since = s.Now },
		"it is not ready":               func(s *Snapshot) { s.Candidate.Ready, s.Candidate.Available = 0, 0 },
		"it is superseded": func(s *Snapshot) {
			s.Target.Revision = Revision{Hash: "shop-3", ReplicaSet: "shop-3"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := byName()
			change(s)
			d := Decide(s)
			require.NotEqual(t, v1beta1.PhaseFinalising, d.Status.Phase)
			require.Equal(t, "shop-1", d.Status.Primary.ReplicaSet)
		})
	}
}

// TestByNameBroken rolls back with the words of the revision's own controller.
func TestByNameBroken(t *testing.T) {
	s := byName()
	s.Canary.Status.Phase, s.Canary.Status.Weight, s.Route.Split.Weight = v1beta1.PhaseProgressing, 0, 0
	s.Candidate.Ready, s.Candidate.Available = 0, 0
	s.Candidate.Broken = &Broken{Reason: "ContainerMissing", Message: "unable to fetch image"}
	d := Decide(s)
	require.Equal(t, v1beta1.PhaseFailed, d.Status.Phase)
	require.Equal(t, Split{}, d.Split)
	require.Equal(t, "ContainerMissing", d.Status.History[0].Reason)
	require.Equal(t, "its own controller says ContainerMissing: unable to fetch image", d.Status.History[0].Message)
}

// TestStaleCounts: pods that may be on their way out get no first share.
func TestStaleCounts(t *testing.T) {
	for stale, want := range map[bool]int32{false: 20, true: 0} {
		s := byName()
		s.Target.ByName = false
		s.Canary.Spec.TargetRef.Kind = v1beta1.KindDeployment
		s.Canary.Spec.Analysis.StepWeights = []int32{20}
		s.Canary.Spec.Analysis.Interval = "10s"
		s.Canary.Status.Phase, s.Canary.Status.Weight, s.Route.Split.Weight = v1beta1.PhaseProgressing, 0, 0
		s.Candidate.ReadySince, s.Candidate.Stale = s.Now.Add(-time.Hour), stale
		require.Equal(t, want, Decide(s).Split.Weight, "stale: %t", stale)
	}
}
