package rights

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// life is that of an application, from its adoption to the end of its Canary. In its manifests, $NAMESPACE, $VERSION and
// $OUTSIDE stand for what they say.
type life struct {
	name string
	// target is what is released and its Service, beside is what else the user has.
	target, beside string
	// canary is what its Canary's spec says.
	canary string
	// binds are ClusterRoles that are bound to nobody, and that this life needs in its namespace.
	binds []string
	live  func(*application)
}

// application is one in a namespace of its own.
type application struct {
	*ground
	life
	t         *testing.T
	namespace string
}

// begin makes the namespace and what the user has in it.
func (g *ground) begin(t *testing.T, overlay string, l life) *application {
	t.Helper()
	a := &application{ground: g, life: l, t: t, namespace: overlay + "-" + l.name}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: a.namespace}}
	_, err := g.Kube.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	require.NoError(t, err)
	for _, name := range l.binds {
		_, err := g.Kube.RbacV1().RoleBindings(a.namespace).Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: system, Name: "weir"}},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	a.judge("good")
	a.write(l.beside)
	a.release("1")
	return a
}

// write applies manifests.
func (a *application) write(manifests string) {
	a.t.Helper()
	a.apply(a.t, strings.NewReplacer("$NAMESPACE", a.namespace, "$OUTSIDE", a.outside.URL).Replace(manifests))
}

// judge says what is answered to queries from now on.
func (a *application) judge(verdict string) {
	a.t.Helper()
	a.write(strings.ReplaceAll(template, "$VERDICT", verdict))
}

// release applies the target with an image.
func (a *application) release(version string) {
	a.t.Helper()
	a.write(strings.ReplaceAll(a.target, "$VERSION", version))
}

// manage makes the Canary.
func (a *application) manage() {
	a.t.Helper()
	a.write(canary + a.canary)
}

// patch changes the Canary as a person does.
func (a *application) patch(patch string) {
	a.t.Helper()
	_, err := a.Weir.WeirV1beta1().Canaries(a.namespace).Patch(a.t.Context(), "app", types.MergePatchType, []byte(patch),
		metav1.PatchOptions{FieldManager: "kubectl-edit"})
	require.NoError(a.t, err)
}

// found is nil where there is none.
func (a *application) found() *v1beta1.Canary {
	a.t.Helper()
	c, err := a.Weir.WeirV1beta1().Canaries(a.namespace).Get(a.t.Context(), "app", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	require.NoError(a.t, err)
	return c
}

// await returns when the Canary is as wanted; it may be nil.
func (a *application) await(what string, wanted func(*v1beta1.Canary) bool) {
	a.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !wanted(a.found()) {
		if time.Now().After(deadline) {
			said := ""
			if c := a.found(); c != nil {
				raw, err := json.Marshal(c.Status)
				require.NoError(a.t, err)
				said = string(raw)
			}
			require.FailNow(a.t, "never came: "+what, "the Canary's last status: %s", said)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (a *application) awaitPhase(phase v1beta1.Phase) {
	a.t.Helper()
	a.await("phase "+string(phase), func(c *v1beta1.Canary) bool { return c != nil && c.Status.Phase == phase })
}

// awaitGone returns when the Canary has given everything back.
func (a *application) awaitGone() {
	a.t.Helper()
	a.await("the end of the Canary", func(c *v1beta1.Canary) bool { return c == nil })
}

// whole is a life with a run that is superseded, a promotion and a rollback.
func whole(a *application) {
	a.manage()
	a.awaitPhase(v1beta1.PhaseInitialized)
	a.release("2")
	a.await("a run", func(c *v1beta1.Canary) bool { return c.Status.Phase != v1beta1.PhaseInitialized })
	a.release("3")
	a.await("the promotion", func(c *v1beta1.Canary) bool {
		return c.Status.Phase == v1beta1.PhaseSucceeded && slices.Contains(c.Status.Primary.Images, "app:3")
	})
	a.judge("bad")
	a.release("4")
	a.awaitPhase(v1beta1.PhaseFailed)
	assert.Equal(a.t, v1beta1.OutcomeRolledBack, a.found().Status.History[0].Outcome)
	a.end()
}

func (a *application) end() {
	a.t.Helper()
	require.NoError(a.t, a.Weir.WeirV1beta1().Canaries(a.namespace).Delete(a.t.Context(), "app", metav1.DeleteOptions{}))
	a.awaitGone()
}

// alerted is a whole life of which people are told.
func alerted(a *application) {
	before := a.alerts.Load()
	whole(a)
	require.Eventually(a.t, func() bool { return a.alerts.Load() >= before+2 }, time.Minute, 50*time.Millisecond)
}

// annotated is the life of a workload that gets its Canary by an annotation, and loses it with that.
func annotated(kind string) func(*application) {
	return func(a *application) {
		resource := appsv1.SchemeGroupVersion.WithResource(strings.ToLower(kind) + "s")
		annotate := func(annotations string) {
			a.t.Helper()
			_, err := a.Dynamic.Resource(resource).Namespace(a.namespace).Patch(a.t.Context(), "app", types.MergePatchType,
				fmt.Appendf(nil, `{"metadata": {"annotations": %s}}`, annotations), metav1.PatchOptions{FieldManager: "kubectl-annotate"})
			require.NoError(a.t, err)
		}
		annotate(fmt.Sprintf(`{"weir.dev/canary": "true", "weir.dev/interval": "1s", "weir.dev/threshold": "2",
			"weir.dev/success-rate": "99", "weir.dev/metrics-server": "%s/good"}`, a.outside.URL))
		a.awaitPhase(v1beta1.PhaseInitialized)
		// What a person has set is found out when the annotations change later.
		a.patch(`{"spec": {"analysis": {"threshold": 4}}}`)
		annotate(`{"weir.dev/step-weights": "40"}`)
		a.await("the weights", func(c *v1beta1.Canary) bool { return len(c.Spec.Analysis.StepWeights) == 1 })
		assert.EqualValues(a.t, 4, a.found().Spec.Analysis.Threshold)
		annotate(`{"weir.dev/canary": null}`)
		a.awaitGone()
	}
}
