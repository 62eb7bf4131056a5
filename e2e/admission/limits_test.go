package admission

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/annotated"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/client/clientset/versioned"
)

const profile = `apiVersion: weir.dev/v1beta1
kind: CanaryProfile
metadata: {name: %s}
spec: {limits: %s}
`

// cluster is an API server with Weir's kinds and the policies.
type cluster struct {
	*testing.T
	weir  *versioned.Clientset
	apply func(manifests string)
}

func start(t *testing.T) *cluster {
	t.Helper()
	server, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{Progress: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	c := &cluster{T: t, apply: func(manifests string) {
		t.Helper()
		require.NoError(t, sandbox.Apply(t.Context(), server.RESTConfig(), []byte(manifests)))
	}}
	c.weir, err = versioned.NewForConfig(server.RESTConfig())
	require.NoError(t, err)
	files, err := filepath.Glob("../../artifacts/crds/weir.dev_*.yaml")
	require.NoError(t, err)
	for _, file := range append(files, "../../kustomize/admission/limits/limits.yaml") {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		c.apply(string(content))
	}
	// An API server that does not know a policy yet takes everything, and one that has just got to know it takes nothing for a
	// moment. So one Canary has to be refused by a limit, and then another be taken.
	c.apply(fmt.Sprintf(profile, "strict", "{maxStep: 1}"))
	strict, free := canary(t, "analysis: {stepWeights: [10]}"), canary(t, "analysis: {stepWeights: [10]}")
	strict.Annotations = map[string]string{v1beta1.AnnotationProfile: "strict"}
	free.Annotations = nil
	c.eventually("the policies to be at work", func() bool { return apierrors.IsInvalid(c.create(strict)) && c.create(free) == nil })
	return c
}

// create says what the API server says of a new Canary, and stores nothing.
func (c *cluster) create(canary *v1beta1.Canary) error {
	_, err := c.weir.WeirV1beta1().Canaries("default").Create(c.Context(), canary,
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// eventually waits for what the API server learns of later: policies and their parameters.
func (c *cluster) eventually(what string, holds func() bool) {
	c.Helper()
	require.Eventually(c, holds, time.Minute, 100*time.Millisecond, what)
}

func canary(t *testing.T, spec string) *v1beta1.Canary {
	t.Helper()
	c := &v1beta1.Canary{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(`{metadata: {name: app, annotations: {weir.dev/profile: careful}}, spec: {
		targetRef: {name: app}, service: {port: 80}, `+spec+`}}`), c), spec)
	return c
}

// TestLimits: the API server refuses a Canary if, and only if, the operator would say that it exceeds its profile.
func TestLimits(t *testing.T) {
	c := start(t)
	const limits = `{maxStep: 20, minChecks: 3, requiredMetrics: [request-success-rate, request-duration],
  providers: [gatewayapi, istio]}`
	c.apply(fmt.Sprintf(profile, "careful", limits))
	careful := &v1beta1.CanaryProfile{}
	require.NoError(t, yaml.UnmarshalStrict(fmt.Appendf(nil, profile, "careful", limits), careful))
	bad := canary(t, `analysis: {stepWeights: [50]}`)
	c.eventually("the policy to be in force", func() bool { return apierrors.IsInvalid(c.create(bad)) })

	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	taken, refused := 0, 0
	for range 400 {
		made := canary(t, someSpec(random))
		exceeds := annotated.Exceeds(&made.Spec, "gatewayapi", careful, nil)
		err := c.create(made)
		text, _ := yaml.Marshal(made.Spec)
		if len(exceeds) == 0 {
			require.NoError(t, err, "the operator takes it:\n%s", text)
			taken++
			continue
		}
		refused++
		require.True(t, apierrors.IsInvalid(err), "the operator says %v, and the API server %v:\n%s", exceeds, err, text)
		require.Contains(t, err.Error(), "CanaryProfile careful")
	}
	assert.Greater(t, taken, 40)
	assert.Greater(t, refused, 40)
	t.Logf("%d taken, %d refused", taken, refused)

	free := canary(t, `analysis: {stepWeights: [50]}`)
	free.Annotations = nil
	require.NoError(t, c.create(free), "who names no profile is bound by none")
	free.Annotations = map[string]string{v1beta1.AnnotationProfile: "other"}
	require.NoError(t, c.create(free))
	text := c.create(bad).Error()
	for _, words := range []string{"a step of spec.analysis may add 20 % of the traffic at most, by CanaryProfile careful"} {
		assert.Contains(t, text, words)
	}
}

// someSpec is one that the schema takes.
func someSpec(r *rand.Rand) string {
	var parts []string
	if p := []string{"", "gatewayapi", "istio:v1", "smi:v1alpha1", "kubernetes"}[r.IntN(5)]; p != "" {
		parts = append(parts, "provider: "+p)
	}
	if r.IntN(10) == 0 {
		parts = append(parts, "skipAnalysis: true")
	}
	var analysis []string
	most := 100
	if r.IntN(4) == 0 {
		most = 20 + r.IntN(80)
		analysis = append(analysis, fmt.Sprintf("maxWeight: %d", most))
	}
	weights := func() (all []string) {
		for w := 1 + r.IntN(25); w <= most && len(all) < 8; w += 1 + r.IntN(25) {
			all = append(all, fmt.Sprint(w))
		}
		return all
	}
	switch r.IntN(5) {
	case 0:
		analysis = append(analysis, fmt.Sprintf("stepWeight: %d", 1+r.IntN(min(most, 45))))
	case 1:
		analysis = append(analysis, "stepWeights: ["+strings.Join(weights(), ",")+"]")
	case 2:
		var steps []string
		for _, w := range weights() {
			steps = append(steps, "{weight: "+w+"}")
			if r.IntN(3) == 0 {
				steps = append(steps, "{pause: {duration: 1m}}")
			}
		}
		analysis = append(analysis, "steps: ["+strings.Join(steps, ",")+"]")
	case 3:
		analysis = append(analysis, fmt.Sprintf("iterations: %d", 1+r.IntN(6)))
	default:
		return strings.Join(append(parts, "analysis: {interval: 30s}"), ", ")
	}
	if !strings.Contains(analysis[len(analysis)-1], "steps:") && r.IntN(4) == 0 {
		analysis = append(analysis, "mirror: true")
	}
	var metrics []string
	for _, name := range []string{"request-success-rate", "request-duration", "own"} {
		if r.IntN(8) > 0 {
			metrics = append(metrics, fmt.Sprintf("{name: %s, %scondition: 'true', dryRun: %t}", name,
				map[bool]string{true: "templateRef: {name: own}, "}[name == "own"], r.IntN(12) == 0))
		}
	}
	analysis = append(analysis, "metrics: ["+strings.Join(metrics, ",")+"]")
	return strings.Join(append(parts, "analysis: {"+strings.Join(analysis, ", ")+"}"), ", ")
}

// TestWhatIsStoredGoesOn: the operator's own writes are let through whatever a profile has become, and so is a deletion.
func TestWhatIsStoredGoesOn(t *testing.T) {
	c := start(t)
	c.apply(fmt.Sprintf(profile, "careful", "{maxStep: 50}"))
	canaries := c.weir.WeirV1beta1().Canaries("default")
	_, err := canaries.Create(t.Context(), canary(t, `analysis: {stepWeights: [50]}`), metav1.CreateOptions{})
	require.NoError(t, err)
	c.apply(fmt.Sprintf(profile, "careful", "{maxStep: 10}"))
	c.eventually("the profile to be known", func() bool {
		return apierrors.IsInvalid(c.create(func() *v1beta1.Canary {
			other := canary(t, `analysis: {stepWeights: [50]}`)
			other.Name = "other"
			return other
		}()))
	})
	patch := func(text string) error {
		_, err := canaries.Patch(t.Context(), "app", types.MergePatchType, []byte(text), metav1.PatchOptions{})
		return err
	}
	require.NoError(t, patch(`{"metadata": {"finalizers": ["weir.dev/give-back"]}}`))
	require.NoError(t, patch(`{"metadata": {"labels": {"a": "b"}}}`))
	require.ErrorContains(t, patch(`{"spec": {"analysis": {"threshold": 3}}}`), "by CanaryProfile careful")
	require.NoError(t, canaries.Delete(t.Context(), "app", metav1.DeleteOptions{}))
	require.NoError(t, patch(`{"metadata": {"finalizers": null}}`))
}

// TestProfileRequired: a namespace where it is bound takes no Canary without a profile.
func TestProfileRequired(t *testing.T) {
	c := start(t)
	free := canary(t, `analysis: {stepWeights: [50]}`)
	free.Annotations = nil
	require.NoError(t, c.create(free))
	docs, err := os.ReadFile("../../docs/annotations.md")
	require.NoError(t, err)
	_, binding, told := strings.Cut(string(docs), "```yaml\napiVersion: admissionregistration")
	require.True(t, told)
	binding, _, _ = strings.Cut(binding, "```")
	c.apply("apiVersion: admissionregistration" + strings.Replace(binding, "team: shop", "kubernetes.io/metadata.name: default", 1))
	c.eventually("the policy to be bound", func() bool {
		err := c.create(free)
		return err != nil && strings.Contains(err.Error(), "needs the annotation weir.dev/profile with the name of a CanaryProfile")
	})
	require.NoError(t, c.create(canary(t, `analysis: {stepWeights: [50]}`)))
}
