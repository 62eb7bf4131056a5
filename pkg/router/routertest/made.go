package routertest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// makes holds a router to what it says of routes of its own.
func (s Subject) makes(t *testing.T, server *Server) {
	server.apart(t, "in the least form", func(t *testing.T) {
		b := s.bench(t, server, s.Needs)
		require.Equal(t, rollout.Route{}, b.read(), "there is no route yet")
		b.apply(share(10))
		b.inForce(share(10))
	})
	server.apart(t, "with every field that it serves, at every weight", func(t *testing.T) {
		b := s.bench(t, server, s.Needs, s.everything)
		for weight := int32(0); weight <= 100; weight++ {
			b.apply(share(weight))
			b.inForce(share(weight))
		}
	})
	for _, w := range aloneWishes() {
		if s.Router.Features().Has(w.feature) {
			server.apart(t, "with "+w.field+" alone", func(t *testing.T) { s.makesAlone(t, server, w) })
		}
	}
	server.apart(t, "that has every field that it serves", s.serves)
	server.apart(t, "once", func(t *testing.T) {
		b := s.bench(t, server, s.Needs, s.everything)
		b.apply(share(30))
		b.stands(share(30))
	})
	server.apart(t, "with every split that it serves", func(t *testing.T) {
		s.bench(t, server, s.Needs).walk()
		s.bench(t, server, s.Needs, s.everything).walk()
	})
	if s.Router.Features().Has(router.SessionAffinity) {
		server.apart(t, "that keeps users with the canary", func(t *testing.T) { s.bench(t, server, s.Needs, sticky).sticks() })
	}
	server.apart(t, "that is ours", func(t *testing.T) {
		b := s.bench(t, server, s.Needs)
		b.apply(share(0))
		for _, obj := range b.objects() {
			owners, _, err := unstructured.NestedSlice(obj.Object, "metadata", "ownerReferences")
			require.NoError(t, err)
			require.Equal(t, []any{b.app.Owner}, owners)
			for k, v := range b.app.Labels {
				require.Equal(t, v, obj.GetLabels()[k])
			}
			require.True(t, applied(obj), "field manager %s has applied it", v1beta1.FieldManager)
		}
	})
	server.apart(t, "on which what others add stays", func(t *testing.T) {
		b := s.bench(t, server, s.Needs)
		b.apply(share(10))
		b.edit(adorn)
		b.apply(share(20))
		b.inForce(share(20))
		b.adorned()
	})
	server.apart(t, "that waits for acceptance of each version", func(t *testing.T) { s.waits(t, server, nil) })
	for _, damage := range s.Damage {
		server.apart(t, "that is put right after "+damage.Name, func(t *testing.T) {
			b := s.bench(t, server, s.Needs, s.everything)
			b.apply(s.fullest())
			b.mend(damage)
		})
	}
	for _, change := range s.Changes {
		server.apart(t, "that follows "+change.Name, func(t *testing.T) { s.bench(t, server, s.Needs, s.everything).follow(change) })
	}
	server.apart(t, "that serves on when the Canary is gone", func(t *testing.T) { s.outlives(t, server) })
}

// makesAlone makes a route with what cannot be wished for with all else.
func (s Subject) makesAlone(t *testing.T, server *Server, w wish) {
	b := s.bench(t, server, s.Needs, w.set)
	for _, weight := range []int32{0, 1, 50, 99, 100} {
		b.apply(share(weight))
		b.stands(share(weight))
	}
	b.release()
	b.app.Canary.UID += "-again"
	b.app.Owner["uid"] = string(b.app.Canary.UID)
	b.apply(share(60))
	b.inForce(share(60))
}

// outlives releases a route of Weir's, and lets later Canaries take it on.
func (s Subject) outlives(t *testing.T, server *Server) {
	b := s.bench(t, server, s.Needs, s.everything)
	b.apply(s.fullest())
	b.release()
	left := b.owns()
	for _, obj := range b.objects() {
		require.Empty(t, obj.GetOwnerReferences(), "it belongs to nobody")
		for _, gone := range []string{Primary, Canary} {
			require.NotContains(t, own(t, obj), `"`+gone+`"`, "that Service goes with the Canary")
		}
	}
	if s.Router.Features().Has(router.AdoptsRoute) && len(left) > 0 {
		b.app = s.appOf(b.app.Canary.Namespace, "other")
		b.apply(share(40))
		b.inForce(share(40))
		b.release()
		require.Equal(t, left, b.owns(), "another Canary has adopted it and given it back")
	}
	first := b.app.Canary.Namespace
	b.app = s.appOf(first, "first", s.Needs, s.everything)
	b.app.Canary.UID += "-again"
	b.app.Owner["uid"] = string(b.app.Canary.UID)
	b.apply(share(60))
	b.inForce(share(60))
	for _, obj := range b.objects() {
		require.Len(t, obj.GetOwnerReferences(), 1, "a Canary of the old name has it again")
	}
}

// waits says that a version of the objects is in force only once whoever serves it has said so.
func (s Subject) waits(t *testing.T, server *Server, user *User) {
	if s.Accept == nil {
		t.Skip("nobody says whether its objects are accepted")
	}
	b := s.bench(t, server, s.Needs)
	if user != nil {
		b = s.bench(t, server)
		b.create(user.Route)
	}
	b.apply(share(10))
	require.False(t, b.read().Accepted, "nobody has said anything yet")
	b.inForce(share(10))
	b.apply(share(20))
	if s.Unversioned {
		require.Equal(t, inForce(share(20)), b.read(), "what was said is of every version")
		return
	}
	before := rollout.Route{Found: true, Split: rollout.Split{Weight: 20}}
	require.Equal(t, before, b.read(), "what was said is of the version before")
	b.inForce(share(20))
}

// stands says that a split in force is not written again.
func (b *bench) stands(split rollout.Split) {
	b.Helper()
	b.inForce(split)
	before := b.versions()
	require.Empty(b, b.writes(split), "a process that has just started has nothing to write")
	b.apply(split)
	require.Equal(b, before, b.versions(), "the same intent again changes nothing")
}

// mend damages what stands, and says that one look notices and puts it right.
func (b *bench) mend(damage Edit) {
	b.Helper()
	before, ways := b.owns(), b.ways()
	b.edit(damage.Do)
	require.NotEqual(b, before, b.owns(), "the damage is none")
	b.accept()
	if wrong := b.wrong(b.split.Weight); len(wrong) > 0 || !slices.Equal(ways, b.ways()) {
		require.NotEqual(b, inForce(b.split), b.read(), "read as in force, though %s; ways to the canary are %q, not %q",
			wrong, b.ways(), ways)
	}
	b.apply(b.split)
	require.Equal(b, before, b.owns())
	b.inForce(b.split)
}

// follow changes what a route is made from, and says that the route changes with it and keeps its split.
func (b *bench) follow(change Edit) {
	b.Helper()
	b.apply(b.fullest())
	before := b.owns()
	b.editWhere(true, change.Do)
	b.accept()
	require.NotEqual(b, inForce(b.split), b.read(), "the route is not as the user wants it")
	b.apply(b.split)
	require.NotEqual(b, before, b.owns())
	b.stands(b.split)
}

func applied(obj *unstructured.Unstructured) bool {
	for _, m := range obj.GetManagedFields() {
		if m.Manager == v1beta1.FieldManager && m.Operation == "Apply" {
			return true
		}
	}
	return false
}

// adorn adds what others add.
func adorn(obj *unstructured.Unstructured) {
	labels, annotations := obj.GetLabels(), obj.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	labels["team"], annotations["example.com/note"] = "green", "mine"
	obj.SetLabels(labels)
	obj.SetAnnotations(annotations)
}

func (b *bench) adorned() {
	b.Helper()
	for _, obj := range b.objects() {
		require.Equal(b, "green", obj.GetLabels()["team"])
		require.Equal(b, "mine", obj.GetAnnotations()["example.com/note"])
	}
}
