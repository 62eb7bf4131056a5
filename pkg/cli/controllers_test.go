package cli_test

import (
	"bytes"
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// TestBesideControllers waits beside the real controllers of StatefulSets and DaemonSets, which name the revisions
// that are played everywhere else.
func TestBesideControllers(t *testing.T) {
	s := start(t, sandbox.APIServerOptions{ControllerManager: true})
	for _, kind := range []string{v1beta1.KindStatefulSet, v1beta1.KindDaemonSet} {
		t.Run(kind, func(t *testing.T) { t.Parallel(); waitsBesideController(s.benchFor(t, kind)) })
	}
}

func waitsBesideController(b *bench) {
	b.deploys("podinfo:1")
	first := b.namedFor("podinfo:1")
	b.watchesOver()
	b.commits(func(st *v1beta1.CanaryStatus) { st.Phase, st.Primary = v1beta1.PhaseInitialized, first })
	assert.Equal(b, "revision "+first.Hash+" of podinfo serves, and no run of it is on\n",
		b.types("status", "podinfo", "--wait").out)

	b.changes(ofImage("podinfo:2"))
	waits := b.begins("status", "podinfo", "--wait")
	second := b.namedFor("podinfo:2")
	assert.NotEqual(b, first.Hash, second.Hash)
	waits.shows("waiting for Weir to begin a run of revision " + second.Hash)
	b.commits(func(st *v1beta1.CanaryStatus) {
		st.Phase, st.Canary = v1beta1.PhaseProgressing, second
		st.Run = &v1beta1.RunStatus{ID: "1", StartedAt: metav1.NewTime(now())}
	})
	waits.shows("Progressing")

	b.changes(ofImage("podinfo:1"))
	b.commits(func(st *v1beta1.CanaryStatus) { endsRun(st, v1beta1.OutcomeSuperseded, "NewRevision", "back again") })
	assert.Equal(b, 4, waits.ends().code)
	back := b.types("status", "podinfo", "--wait")
	assert.Equal(b, 0, back.code, "the old template is not taken for the revision that it was")
}

// namedFor waits until the target's controller has a revision of an image, and says how its pods are labelled.
func (b *bench) namedFor(image string) *v1beta1.RevisionStatus {
	b.Helper()
	var revision appsv1.ControllerRevision
	b.eventually("a revision of "+image, func() bool {
		list, err := b.kube.AppsV1().ControllerRevisions(b.namespace).List(b.Context(), metav1.ListOptions{})
		require.NoError(b, err)
		if len(list.Items) == 0 {
			return false
		}
		revision = slices.MaxFunc(list.Items, func(x, y appsv1.ControllerRevision) int { return cmp.Compare(x.Revision, y.Revision) })
		return bytes.Contains(revision.Data.Raw, []byte(image))
	})
	if b.kind == v1beta1.KindStatefulSet {
		return &v1beta1.RevisionStatus{ReplicaSet: revision.Name, Hash: revision.Name}
	}
	return &v1beta1.RevisionStatus{ReplicaSet: revision.Name, Hash: revision.Labels[appsv1.ControllerRevisionHashLabelKey]}
}
