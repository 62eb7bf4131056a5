package routertest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// adopts holds a router to what it says of a user's route.
func (s Subject) adopts(t *testing.T, server *Server, user User) {
	adopted := func(t *testing.T, split rollout.Split) (b *bench, before []string) {
		var shape func(*v1beta1.CanarySpec)
		if s.Router.Features().Has(router.SessionAffinity) {
			shape = sticky
		}
		b = s.bench(t, server, shape)
		b.create(user.Route)
		before = b.owns()
		b.apply(split)
		b.inForce(split)
		return b, before
	}
	server.apart(t, "at every weight, and gives it back as found", func(t *testing.T) {
		b, before := adopted(t, share(10))
		for weight := int32(0); weight <= 100; weight++ {
			b.apply(share(weight))
			b.inForce(share(weight))
		}
		b.release()
		require.Equal(t, before, b.owns())
		b.app = s.appOf(b.app.Canary.Namespace, "other")
		b.apply(share(50))
		b.inForce(share(50))
		b.release()
		require.Equal(t, before, b.owns(), "another Canary has adopted it and given it back")
	})
	server.apart(t, "with every split that it serves, and gives it back as found", func(t *testing.T) {
		b, before := adopted(t, share(0))
		b.walk()
		b.apply(s.fullest())
		b.release()
		require.Equal(t, before, b.owns(), "in the midst of it")
		if s.Router.Features().Has(router.SessionAffinity) {
			b.sticks()
			b.release()
			require.Equal(t, before, b.owns())
		}
	})
	server.apart(t, "once", func(t *testing.T) {
		b, _ := adopted(t, share(10))
		b.stands(share(10))
	})
	server.apart(t, "and does not own it", func(t *testing.T) {
		b, _ := adopted(t, share(10))
		for _, obj := range b.objects() {
			require.Empty(t, obj.GetOwnerReferences())
			require.True(t, applied(obj))
		}
	})
	server.apart(t, "that waits for acceptance of each version", func(t *testing.T) { s.waits(t, server, &user) })
	server.apart(t, "that its user applies again", func(t *testing.T) {
		b, before := adopted(t, s.fullest())
		b.create(user.Route)
		b.accept()
		require.False(t, b.read().Accepted, "it is not in force")
		b.apply(s.fullest())
		b.stands(s.fullest())
		b.create(user.Route)
		b.release()
		require.Equal(t, before, b.owns(), "applied again right before the release")
	})
	server.apart(t, "that others label", func(t *testing.T) {
		b, _ := adopted(t, share(10))
		b.edit(adorn)
		b.apply(share(20))
		b.adorned()
		b.release()
		b.adorned()
	})
	server.apart(t, "and does not bring it back as a fragment", func(t *testing.T) {
		b, _ := adopted(t, share(10))
		b.deletedBetween()
	})
	for _, edit := range user.Edits {
		if edit.Stays {
			server.apart(t, "whose user makes "+edit.Name, func(t *testing.T) {
				b, _ := adopted(t, s.fullest())
				b.keep(user, edit)
			})
			continue
		}
		server.apart(t, "that is put right after "+edit.Name, func(t *testing.T) {
			b, before := adopted(t, s.fullest())
			b.mend(edit)
			b.release()
			require.Equal(t, before, b.owns())
		})
		server.apart(t, "that is given back after "+edit.Name, func(t *testing.T) {
			b, before := adopted(t, s.fullest())
			b.edit(edit.Do)
			b.release()
			require.Equal(t, before, b.owns())
		})
	}
}

// create applies a user's manifest as a tool does that takes its fields over.
func (b *bench) create(manifest string) {
	b.Helper()
	obj := parse(b, strings.ReplaceAll(manifest, "${namespace}", b.app.Canary.Namespace))
	obj.SetNamespace(b.app.Canary.Namespace)
	ref, reads := b.refOf(b.app, obj)
	require.True(b, reads, "the router has no %s named %s", obj.GetKind(), obj.GetName())
	_, err := b.on(ref).Apply(b.Context(), ref.Name, obj, metav1.ApplyOptions{FieldManager: "gitops", Force: true})
	require.NoError(b, err)
}

// keep makes an edit that is the user's to make, and says that it outlasts the run. The same edit of the
// user's own manifest, in a namespace that no Canary ever saw, is what has to come out.
func (b *bench) keep(user User, edit Edit) {
	b.Helper()
	untouched := b.bench(b.T, b.server)
	untouched.create(user.Route)
	untouched.edit(edit.Do)
	b.edit(edit.Do)
	for _, split := range []rollout.Split{b.fullest(), share(20)} {
		b.apply(split)
		b.stands(split)
	}
	b.release()
	require.Equal(b, untouched.owns(), b.owns())
}

// deletedBetween lets the user delete the route between the look and the write.
func (b *bench) deletedBetween() {
	b.Helper()
	writer := kube.NewWriter(nil, nil, b.client, kube.NewFreshness(), nil)
	intent := b.render(share(20))
	for ref := range b.found() {
		require.NoError(b, b.on(ref).Delete(b.Context(), ref.Name, metav1.DeleteOptions{}))
	}
	for _, obj := range intent {
		err := writer.Apply(b.Context(), obj.Ref.Resource, obj.Intent, nil)
		require.True(b, apierrors.IsConflict(err), "a conflict, not %v", err)
	}
	require.Empty(b, b.objects())
}
