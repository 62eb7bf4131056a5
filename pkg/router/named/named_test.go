package named_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/named"
)

// TestKinds shifts the weights of each kind on a real API server that has its definition.
func TestKinds(t *testing.T) {
	client := startServer(t)
	for _, u := range users() {
		t.Run(u.name, func(t *testing.T) {
			t.Run("at every weight, and back", func(t *testing.T) { newBench(t, client, u).everyWeight() })
			t.Run("that others change", func(t *testing.T) { newBench(t, client, u).changed() })
			t.Run("that is applied again", func(t *testing.T) { newBench(t, client, u).appliedAgain() })
		})
	}
}

// bench is a user's route on the server, and the router that shifts it.
type bench struct {
	*testing.T
	user
	client dynamic.Interface
	router router.Router
	app    router.App
	writes int
}

const namespace = metav1.NamespaceDefault

func newBench(t *testing.T, client dynamic.Interface, u user) *bench {
	t.Helper()
	b := &bench{T: t, user: u, client: client, router: named.Over(u.router)}
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: namespace, UID: "1"}}
	b.app = router.App{Canary: c, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary"}
	route := b.manifest()
	c.Spec.RouteRefs = []v1beta1.NamedRoute{
		{APIVersion: route.GetAPIVersion(), Kind: route.GetKind(), Name: route.GetName(), Rules: u.rules},
	}
	require.Empty(t, b.router.Validate(c))
	b.apply(route)
	t.Cleanup(func() {
		ref := b.router.Refs(b.app)[0]
		assert.NoError(t, b.at(ref).Delete(context.Background(), ref.Name, metav1.DeleteOptions{}))
	})
	return b
}

func (b *bench) manifest() *unstructured.Unstructured {
	b.Helper()
	route := &unstructured.Unstructured{}
	require.NoError(b, yaml.Unmarshal([]byte(b.route), &route.Object))
	return route
}

// apply is what Flux does.
func (b *bench) apply(route *unstructured.Unstructured) {
	b.Helper()
	ref := b.router.Refs(b.app)[0]
	_, err := b.at(ref).Apply(b.Context(), ref.Name, route, metav1.ApplyOptions{FieldManager: "gitops"})
	require.NoError(b, err, "nobody who applies the route meets a conflict")
}

func (b *bench) at(ref router.Ref) dynamic.ResourceInterface {
	return b.client.Resource(ref.Resource).Namespace(namespace)
}

func (b *bench) found() router.Found {
	b.Helper()
	ref := b.router.Refs(b.app)[0]
	obj, err := b.at(ref).Get(b.Context(), ref.Name, metav1.GetOptions{})
	require.NoError(b, err)
	return router.Found{ref: obj}
}

// shift is one look.
func (b *bench) shift(weight int32) {
	b.Helper()
	objects, err := b.router.Render(b.app, rollout.Split{Weight: weight}, b.found())
	require.NoError(b, err)
	writer := kube.NewWriter(nil, nil, b.client, kube.NewFreshness(), nil)
	for _, o := range objects {
		require.Nil(b, o.Intent)
		require.NoError(b, writer.Restore(b.Context(), o.Ref.Resource, o.Whole))
	}
	b.writes = len(objects)
}

// stands says that a split stands in the route, by the words of the test and by those of the router.
func (b *bench) stands(weight int32) {
	b.Helper()
	in := rollout.Route{Found: true, Accepted: true, Split: rollout.Split{Weight: weight}}
	found := b.found()
	require.Equal(b, in, b.router.Read(b.app, in.Split, found))
	for _, obj := range found {
		require.Equal(b, b.want(int64(weight)), b.shares(obj), "weight %d", weight)
		for _, m := range obj.GetManagedFields() {
			require.NotEqual(b, v1beta1.FieldManager, m.Manager, "no field is Weir's")
		}
	}
	b.shift(weight)
	require.Zero(b, b.writes, "once")
}

// owns is what the user has written, as the server shows it.
func (b *bench) owns() string {
	b.Helper()
	for _, obj := range b.found() {
		obj = obj.DeepCopy()
		obj.SetManagedFields(nil)
		obj.SetResourceVersion("")
		obj.SetGeneration(0)
		obj.SetUID("")
		obj.SetCreationTimestamp(metav1.Time{})
		content, err := yaml.Marshal(obj.Object)
		require.NoError(b, err)
		return string(content)
	}
	return ""
}

func (b *bench) everyWeight() {
	before := b.owns()
	b.stands(0)
	for _, weight := range []int32{1, 10, 33, 50, 67, 99, 100} {
		b.shift(weight)
		b.stands(weight)
	}
	b.shift(0)
	b.stands(0)
	require.Equal(b, before, b.owns(), "at the end of a run")
	b.shift(30)
	b.release()
	require.Equal(b, before, b.owns(), "in the midst of one")
}

func (b *bench) release() {
	b.Helper()
	released, err := b.router.Release(b.app, b.found())
	require.NoError(b, err)
	require.Len(b, released, 1)
	writer := kube.NewWriter(nil, nil, b.client, kube.NewFreshness(), nil)
	require.NoError(b, writer.Restore(b.Context(), released[0].Ref.Resource, released[0].Object))
	released, err = b.router.Release(b.app, b.found())
	require.NoError(b, err)
	require.Empty(b, released)
	deleted := metav1.Now()
	b.app.Canary.DeletionTimestamp = &deleted
	require.Equal(b, rollout.Route{}, b.router.Read(b.app, rollout.Split{}, b.found()), "nothing of Weir's is found")
	b.app.Canary.Status.Retiring = &v1beta1.RevisionStatus{}
	b.stands(0)
}

// changed has somebody else add a label, and move the weight.
func (b *bench) changed() {
	before := b.owns()
	b.shift(30)
	edit := func(do func(*unstructured.Unstructured)) {
		for ref, obj := range b.found() {
			do(obj)
			_, err := b.at(ref).Update(b.Context(), obj, metav1.UpdateOptions{FieldManager: "somebody"})
			require.NoError(b, err)
		}
	}
	edit(func(o *unstructured.Unstructured) {
		o.SetLabels(map[string]string{"team": "a"})
		b.damage(o)
	})
	require.NotEqual(b, rollout.Route{Found: true, Accepted: true, Split: rollout.Split{Weight: 30}},
		b.router.Read(b.app, rollout.Split{Weight: 30}, b.found()))
	b.shift(30)
	b.stands(30)
	b.shift(0)
	edit(func(o *unstructured.Unstructured) {
		require.Equal(b, map[string]string{"team": "a"}, o.GetLabels())
		o.SetLabels(nil)
	})
	require.Equal(b, before, b.owns())
}

// appliedAgain has a tool apply the route in mid-run as Git has it.
func (b *bench) appliedAgain() {
	before := b.owns()
	b.shift(40)
	b.apply(b.manifest())
	b.shift(40)
	b.stands(40)
	b.shift(0)
	require.Equal(b, before, b.owns())
}

// startServer starts an API server with the definitions of all kinds.
func startServer(t *testing.T) dynamic.Interface {
	t.Helper()
	server, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{Progress: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	for _, u := range users() {
		require.NoError(t, sandbox.Apply(t.Context(), server.RESTConfig(), u.definitions(t)))
	}
	config := server.RESTConfig()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return strict{next} })
	client, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	return client
}

// strict makes a field that a definition does not know an error.
type strict struct{ next http.RoundTripper }

func (s strict) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		r = r.Clone(r.Context())
		query := r.URL.Query()
		query.Set("fieldValidation", "Strict")
		r.URL.RawQuery = query.Encode()
	}
	response, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("strictly: %w", err)
	}
	return response, nil
}
