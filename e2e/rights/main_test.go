package rights

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/rehearsal"
	"weir.dev/weir/e2e/sandbox"
)

// ground is what all overlays are tried on, one after the other.
type ground struct {
	*rehearsal.Stage
	questions *questions
	rival     *rival
	// place is how far the audit log was read.
	place int
	// outside is a Prometheus, and a channel of alerts, which counts its alerts.
	outside *httptest.Server
	alerts  atomic.Int32
}

// raise starts the stage, with what listens to the operator and gets in its way.
func raise(t *testing.T) *ground {
	t.Helper()
	g := &ground{questions: listen()}
	t.Cleanup(g.questions.Close)
	g.outside = httptest.NewServer(http.HandlerFunc(g.answer))
	t.Cleanup(g.outside.Close)
	var err error
	g.Stage, err = rehearsal.Raise(t.Context(), sandbox.APIServerOptions{
		AuditPolicy: auditPolicy, Progress: os.Stderr,
		// On in some clusters, as in OpenShift's: who names an owner needs rights on him.
		AdmissionPlugins:     []string{"OwnerReferencesPermissionEnforcement"},
		AuthorizationWebhook: g.wayToQuestions(t),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, g.Strike()) })
	g.rival = meet(t, g.Config)
	return g
}

// wayToQuestions is a kubeconfig.
func (g *ground) wayToQuestions(t *testing.T) string {
	t.Helper()
	config := clientapi.NewConfig()
	config.Clusters["questions"] = &clientapi.Cluster{Server: g.questions.URL}
	config.Contexts["questions"] = &clientapi.Context{Cluster: "questions"}
	config.CurrentContext = "questions"
	path := filepath.Join(t.TempDir(), "questions")
	require.NoError(t, clientcmd.WriteToFile(*config, path))
	return path
}

// answer is a Prometheus that says of every revision under /good that it is well and of every one under /bad that it is
// not, and what alerts are sent to.
func (g *ground) answer(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/alerts") {
		g.alerts.Add(1)
		return
	}
	value := map[bool]string{true: "100", false: "50"}[!strings.HasPrefix(r.URL.Path, "/bad")]
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,%q]}]}}`,
		time.Now().Unix(), value)
}

func (g *ground) apply(t *testing.T, manifests string) {
	t.Helper()
	require.NoError(t, g.Apply(t.Context(), manifests))
}

// TestRights lives the lives of each overlay by its rights, and those of the bare one with each component.
func TestRights(t *testing.T) {
	g := raise(t)
	for _, overlay := range slices.Concat(overlays(), components()) {
		t.Run(overlay, func(t *testing.T) { g.prove(t, overlay) })
	}
}

// prove wants an overlay to give the operator what it needs, and no more.
func (g *ground) prove(t *testing.T, overlay string) {
	base, objects := manifests(t, bare), manifests(t, overlay)
	g.install(t, base, objects)
	roles := rolesOf(t, objects)
	all := granted(roles)
	mine := all
	if overlay != bare { // which proves those of the base
		of := granted(rolesOf(t, base))
		mine = slices.DeleteFunc(slices.Clone(all), func(right grant) bool { return slices.Contains(of, right) })
	}
	g.questions.taken()
	_, g.place = requests(t, g.Server.AuditLog, g.place)
	lives := lives()[overlay]
	require.NotEmpty(t, lives)
	args, env := program(t, objects)
	op := g.operate(t, args, env)
	t.Run("lives", func(t *testing.T) {
		for _, l := range lives {
			for _, name := range l.binds {
				at := slices.IndexFunc(roles, func(r *role) bool { return r.name == name })
				require.GreaterOrEqual(t, at, 0)
				mine = append(mine, grants(roles[at].rules, overlay+"-"+l.name)...)
			}
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				l.live(g.begin(t, overlay, l))
			})
		}
	})
	require.NoError(t, op.End())
	events, place := requests(t, g.Server.AuditLog, g.place)
	g.place = place
	require.NotEmpty(t, events)
	for _, d := range denied(events) {
		t.Errorf("the operator lacks a right: %s", d)
	}
	asked := g.questions.taken()
	for _, e := range events {
		asked = append(asked, e.ask())
	}
	for _, right := range mine {
		if !slices.ContainsFunc(asked, right.covers) {
			t.Errorf("nothing asked for what overlay %s grants: %s", overlay, right)
		}
	}
}

func words[T fmt.Stringer](all []T) []string {
	var said []string
	for _, one := range all {
		said = append(said, one.String())
	}
	slices.Sort(said)
	return slices.Compact(said)
}

// install applies an overlay, without the operator's Deployment, whose program runs here, and takes away what it has
// beyond the base when the test ends.
func (g *ground) install(t *testing.T, base, objects []*unstructured.Unstructured) {
	t.Helper()
	var manifests strings.Builder
	for _, o := range objects {
		if o.GetKind() == "Deployment" {
			continue
		}
		raw, err := yaml.Marshal(o.Object)
		require.NoError(t, err)
		fmt.Fprintf(&manifests, "---\n%s", raw)
		added := !slices.ContainsFunc(base, func(b *unstructured.Unstructured) bool {
			return b.GetKind() == o.GetKind() && b.GetName() == o.GetName()
		})
		if added {
			t.Cleanup(func() { g.remove(t, o) })
		}
	}
	g.apply(t, manifests.String())
	g.agree(t, granted(rolesOf(t, objects)))
}

// agree waits until the API server says of the operator's account in its namespace, as `kubectl auth can-i --list` does,
// that it may do just that, and what every account may. Its own watch on roles may be behind.
func (g *ground) agree(t *testing.T, want []grant) {
	t.Helper()
	want = slices.Clone(want)
	for i := range want {
		want[i].namespace = "" // the answer is about one
	}
	may := func(name string) func() []grant {
		config, err := g.As(t.Context(), name)
		require.NoError(t, err)
		client, err := kubernetes.NewForConfig(config)
		require.NoError(t, err)
		review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: system}}
		return func() []grant {
			said, err := client.AuthorizationV1().SelfSubjectRulesReviews().Create(t.Context(), review, metav1.CreateOptions{})
			require.NoError(t, err)
			var all []grant
			for _, r := range said.Status.ResourceRules {
				all = append(all, grants([]rbacv1.PolicyRule{{
					Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames,
				}}, "")...)
			}
			return all
		}
	}
	everybody, operator := may("default")(), may("weir")
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		is := slices.DeleteFunc(operator(), func(right grant) bool { return slices.Contains(everybody, right) })
		assert.Equal(t, words(want), words(is))
	}, 20*time.Second, 100*time.Millisecond)
}

// remove deletes one of the objects that overlays have beyond the base.
func (g *ground) remove(t *testing.T, o *unstructured.Unstructured) {
	resource, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
	err := g.Dynamic.Resource(resource).Namespace(o.GetNamespace()).
		Delete(context.WithoutCancel(t.Context()), o.GetName(), metav1.DeleteOptions{})
	assert.NoError(t, err)
}
