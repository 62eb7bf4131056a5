// Package e2e_test applies what people copy from artifacts/examples and from the docs.
package e2e_test

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/sandbox"
	channels "weir.dev/weir/pkg/alert/builtin"
	"weir.dev/weir/pkg/annotated"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	providers "weir.dev/weir/pkg/metrics/builtin"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/apisix"
	"weir.dev/weir/pkg/router/builtin"
	"weir.dev/weir/pkg/router/gloo"
	"weir.dev/weir/pkg/router/traefik"
	"weir.dev/weir/pkg/workload"
)

const namespace = metav1.NamespaceDefault

// TestExamples applies every example to a real API server, which refuses a field that does not exist,
// and then looks whether Weir could carry out what they say together.
func TestExamples(t *testing.T) {
	config := apiServer(t)
	client, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	s := shop{client: client, found: map[string][]*unstructured.Unstructured{}}
	files, err := filepath.Glob("../artifacts/examples/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { s.apply(t, file) })
	}
	for _, object := range slices.Concat(s.found["MetricTemplate"], s.found["ClusterMetricTemplate"]) {
		template := typed[v1beta1.MetricTemplate](t, object)
		assert.NoError(t, metrics.Parse(template.Spec.Query), template.Name)
		if template.Spec.Provider.Type == v1beta1.ProviderJob {
			_, err := workload.JobTemplate(template.Spec.Provider.Job)
			assert.NoError(t, err, template.Name)
			continue
		}
		assert.NoError(t, providers.Check(template.Spec.Provider), template.Name)
	}
	for _, object := range s.found["AlertProvider"] {
		p := typed[v1beta1.AlertProvider](t, object)
		assert.NoError(t, channels.Check(p.Spec.AlertChannel, p.Spec.SecretRef != nil), p.Name)
	}
	for _, object := range s.found["ClusterAlertProvider"] {
		p := typed[v1beta1.ClusterAlertProvider](t, object)
		assert.NoError(t, channels.Check(p.Spec.AlertChannel, p.Spec.SecretRef != nil), p.Name)
	}
	s.annotated(t)
	for _, object := range s.found["Canary"] {
		canary := typed[v1beta1.Canary](t, object)
		t.Run("Canary "+canary.Name, func(t *testing.T) {
			s.testServices(t, canary)
			s.testRoute(t, canary)
			s.testMetrics(t, canary)
		})
	}
}

// apiServer serves Weir's kinds, and those of every router that has any.
func apiServer(t *testing.T) *rest.Config {
	t.Helper()
	server, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{Progress: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	files, err := filepath.Glob("../artifacts/crds/weir.dev_*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, sandbox.Apply(t.Context(), server.RESTConfig(), content))
	}
	for _, definitions := range []func(context.Context) ([]byte, error){
		sandbox.GatewayDefinitions, sandbox.IstioDefinitions, sandbox.TraefikDefinitions, sandbox.ContourDefinitions,
		sandbox.KnativeDefinitions,
		func(ctx context.Context) ([]byte, error) { return sandbox.SMIDefinitions(ctx, "v1alpha4") },
	} {
		manifests, err := definitions(t.Context())
		require.NoError(t, err)
		require.NoError(t, sandbox.Apply(t.Context(), server.RESTConfig(), manifests))
	}
	for _, r := range []string{"apisix", "gloo", "kuma"} { // of these, the ones of their routers' tests
		definitions, err := os.ReadFile("../pkg/router/" + r + "/testdata/definitions.yaml")
		require.NoError(t, err)
		require.NoError(t, sandbox.Apply(t.Context(), server.RESTConfig(), definitions))
	}
	return server.RESTConfig()
}

// shop is where the examples are applied, and what the API server made of them, by kind.
type shop struct {
	client dynamic.Interface
	found  map[string][]*unstructured.Unstructured
}

// resources are those of the kinds that an example may be of.
func resources() map[schema.GroupVersionKind]string {
	ingressRoutes := traefik.Resource().GroupVersion().WithKind("IngressRoute")
	return map[schema.GroupVersionKind]string{
		appsv1.SchemeGroupVersion.WithKind("Deployment"):    "deployments",
		appsv1.SchemeGroupVersion.WithKind("StatefulSet"):   "statefulsets",
		corev1.SchemeGroupVersion.WithKind("Service"):       "services",
		networkingv1.SchemeGroupVersion.WithKind("Ingress"): "ingresses",
		ingressRoutes: "ingressroutes",
		apisix.Routes().GroupVersion().WithKind("ApisixRoute"):        "apisixroutes",
		gloo.RouteTables().GroupVersion().WithKind("VirtualService"):  "virtualservices",
		workload.KnativeServices().GroupVersion().WithKind("Service"): "services",
		v1beta1.SchemeGroupVersion.WithKind("Canary"):                 "canaries",
		v1beta1.SchemeGroupVersion.WithKind("MetricTemplate"):         "metrictemplates",
		v1beta1.SchemeGroupVersion.WithKind("ClusterMetricTemplate"):  "clustermetrictemplates",
		v1beta1.SchemeGroupVersion.WithKind("AlertProvider"):          "alertproviders",
		v1beta1.SchemeGroupVersion.WithKind("ClusterAlertProvider"):   "clusteralertproviders",
		v1beta1.SchemeGroupVersion.WithKind("CanaryProfile"):          "canaryprofiles",
	}
}

func (s shop) apply(t *testing.T, file string) {
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, document := range bytes.Split(content, []byte("\n---\n")) {
		object := &unstructured.Unstructured{}
		require.NoError(t, yaml.UnmarshalStrict(document, &object.Object))
		kind := object.GroupVersionKind()
		require.Contains(t, resources(), kind)
		assert.Empty(t, object.GetNamespace(), "an example names a namespace, and people have others")
		home := namespace
		if strings.HasPrefix(kind.Kind, "Cluster") || kind.Kind == "CanaryProfile" {
			home = metav1.NamespaceNone
		}
		made, err := s.client.Resource(kind.GroupVersion().WithResource(resources()[kind])).Namespace(home).
			Create(t.Context(), object, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
		require.NoError(t, err, "%s %s", kind.Kind, object.GetName())
		s.found[kind.Kind] = append(s.found[kind.Kind], made)
	}
}

// annotated makes the Canaries that annotated workloads get.
func (s shop) annotated(t *testing.T) {
	profiles := make([]*v1beta1.CanaryProfile, 0, len(s.found["CanaryProfile"]))
	for _, object := range s.found["CanaryProfile"] {
		profiles = append(profiles, typed[v1beta1.CanaryProfile](t, object))
	}
	made := 0
	for _, object := range s.found["Deployment"] {
		asks, err := annotated.Asks(object.GetAnnotations())
		require.NoError(t, err)
		if !asks {
			continue
		}
		profile, err := annotated.Profile(object.GetAnnotations(), profiles)
		require.NoError(t, err)
		canary, err := annotated.Canary(annotated.Asking{
			Target:      *workload.OfDeployment(typed[appsv1.Deployment](t, object)),
			Annotations: object.GetAnnotations(), Service: named[corev1.Service](t, s, "Service", object.GetName()),
		}, profile)
		require.NoError(t, err)
		assert.Empty(t, annotated.Exceeds(&canary.Spec, "", profile, s.askedOf(t)))
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(canary)
		require.NoError(t, err)
		delete(content, "status")
		stored, err := s.client.Resource(v1beta1.SchemeGroupVersion.WithResource("canaries")).Namespace(namespace).
			Create(t.Context(), &unstructured.Unstructured{Object: content},
				metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
		require.NoError(t, err)
		s.found["Canary"] = append(s.found["Canary"], stored)
		made++
	}
	assert.Positive(t, made)
}

// askedOf tells whom a template of the examples asks.
func (s shop) askedOf(t *testing.T) annotated.AskedOf {
	return func(ref *v1beta1.TemplateRef) string {
		return named[v1beta1.MetricTemplate](t, s, cmp.Or(ref.Kind, v1beta1.KindMetricTemplate), ref.Name).Spec.Provider.Type
	}
}

// testServices wants the target and the Service that a Canary is about, and nothing amiss with them.
func (s shop) testServices(t *testing.T, canary *v1beta1.Canary) {
	assert.Empty(t, rollout.PlanProblems(&canary.Spec))
	if canary.Spec.TargetRef.Kind == v1beta1.KindKnativeService {
		return // it is its own
	}
	apex := named[corev1.Service](t, s, "Service", workload.ServiceNames(canary).Apex)
	assert.Empty(t, workload.ServiceProblems(canary, s.target(t, canary), apex, nil, nil))
}

func (s shop) target(t *testing.T, canary *v1beta1.Canary) *workload.Target {
	ref := canary.Spec.TargetRef
	if ref.Kind == v1beta1.KindStatefulSet {
		set := named[appsv1.StatefulSet](t, s, ref.Kind, ref.Name)
		assert.Empty(t, workload.StatefulSetProblems(set))
		return workload.OfStatefulSet(set)
	}
	return workload.OfDeployment(named[appsv1.Deployment](t, s, ref.Kind, ref.Name))
}

// testRoute gives what the router renders of the example to the API server, which knows the rules of routes
// better than the Canary's schema does.
func (s shop) testRoute(t *testing.T, canary *v1beta1.Canary) {
	r, ok := builtin.ByProvider(canary.Spec.Provider)
	require.True(t, ok, "an example names its provider")
	assert.Empty(t, r.Validate(canary))
	if canary.Spec.TargetRef.Kind == v1beta1.KindKnativeService {
		canary.Status.Primary = &v1beta1.RevisionStatus{ReplicaSet: canary.Name + "-00001"}
		canary.Status.Canary = &v1beta1.RevisionStatus{ReplicaSet: canary.Name + "-00002"}
	}
	names := workload.ServiceNames(canary)
	app := router.App{
		Canary: canary, Apex: names.Apex, Primary: names.Primary, CanaryService: names.Canary,
		Owner: map[string]any{
			"apiVersion": "weir.dev/v1beta1", "kind": "Canary", "name": canary.Name, "uid": string(canary.UID),
		},
	}
	found := router.Found{}
	for _, ref := range r.Refs(app) {
		object, err := s.client.Resource(ref.Resource).Namespace(ref.Namespace).Get(t.Context(), ref.Name, metav1.GetOptions{})
		if err == nil {
			found[ref] = object
		}
	}
	objects, err := r.Render(app, rollout.Split{Weight: 20}, found)
	require.NoError(t, err)
	assert.Equal(t, !r.Features().Has(router.FollowsPods), len(objects) > 0, "what is there to be made")
	for _, o := range objects {
		intent, err := o.Intent.MarshalJSON()
		require.NoError(t, err)
		_, err = s.client.Resource(o.Ref.Resource).Namespace(o.Ref.Namespace).
			Patch(t.Context(), o.Ref.Name, types.ApplyPatchType, intent, metav1.PatchOptions{
				FieldManager: v1beta1.FieldManager, Force: new(true), FieldValidation: metav1.FieldValidationStrict,
			})
		require.NoError(t, err)
	}
}

// testMetrics wants each template that a Canary names, and fills it in as Weir does.
func (s shop) testMetrics(t *testing.T, canary *v1beta1.Canary) {
	for _, m := range canary.Spec.Analysis.Metrics {
		if m.TemplateRef == nil {
			continue
		}
		template := named[v1beta1.MetricTemplate](t, s, "MetricTemplate", m.TemplateRef.Name)
		query, err := metrics.Render(template.Spec.Query, metrics.Vars{
			Name: canary.Name, Namespace: namespace, Target: canary.Spec.TargetRef.Name,
			Service: workload.ServiceNames(canary).Apex, Variables: m.TemplateVariables, Interval: time.Minute,
			Revision: "canary", Hash: "abc", ReplicaSet: canary.Name + "-abc",
		})
		require.NoError(t, err, m.Name)
		assert.NotContains(t, query, "<no value>")
	}
}

func named[T any](t *testing.T, s shop, kind, name string) *T {
	t.Helper()
	for _, object := range s.found[kind] {
		if object.GetName() == name {
			return typed[T](t, object)
		}
	}
	require.Failf(t, "missing", "no example has %s %s", kind, name)
	return nil
}

func typed[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	to := new(T)
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, to))
	return to
}
