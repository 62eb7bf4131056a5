package charts_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/charts"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/client/clientset/versioned"
)

// site is a real API server, and what a person works on it with.
type site struct {
	*testing.T
	server  *sandbox.APIServer
	helm    charts.Helm
	program string // kubectl
	kube    kubernetes.Interface
	weir    versioned.Interface
}

// found makes a site with namespaces, of which each has the strictest of Kubernetes' standards for pods.
func found(t *testing.T, namespaces ...string) *site {
	t.Helper()
	server, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{Progress: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	s := &site{T: t, server: server}
	s.helm, err = charts.Open(t.Context(), t.TempDir(), server.Kubeconfig, t.Output())
	require.NoError(t, err)
	s.program, err = sandbox.Kubectl(t.Context(), t.Output())
	require.NoError(t, err)
	s.kube, err = kubernetes.NewForConfig(server.RESTConfig())
	require.NoError(t, err)
	s.weir, err = versioned.NewForConfig(server.RESTConfig())
	require.NoError(t, err)
	for _, name := range namespaces {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name,
			Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
		_, err := s.kube.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	return s
}

func (s *site) kubectl(stdin []byte, args ...string) {
	s.Helper()
	command := exec.CommandContext(s.Context(), s.program, append(args, "--kubeconfig="+s.server.Kubeconfig)...)
	command.Stdin = bytes.NewReader(stdin)
	said, err := command.CombinedOutput()
	require.NoError(s, err, "kubectl %s: %s", strings.Join(args, " "), said)
}

// release is helm install or upgrade of the release weir.
func (s *site) release(verb, chart, values string, args ...string) (notes string) {
	s.Helper()
	said, err := s.helm.Run(s.Context(), values, append([]string{verb, "weir", chart, "--namespace=weir-system"}, args...)...)
	require.NoError(s, err)
	return string(said)
}

// store makes a Canary, with a field that an older chart does not know. An API server that has just got to know of a kind,
// or of a policy, takes nothing for a moment.
func (s *site) store(name, promotionDelay string) (stored *v1beta1.Canary, err error) {
	canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: name}}
	canary.Spec.TargetRef.Name, canary.Spec.Service.Port, canary.Spec.PromotionDelay = name, 80, promotionDelay
	require.Eventually(s, func() bool {
		stored, err = s.weir.WeirV1beta1().Canaries("shop").Create(s.Context(), canary,
			metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
		return err == nil || !apierrors.IsNotFound(err) && !strings.Contains(err.Error(), "not yet synced to use for admission")
	}, time.Minute, 100*time.Millisecond)
	return stored, err
}

// older is the chart without the field promotionDelay of a Canary's spec.
func older(t *testing.T) string {
	t.Helper()
	chart := filepath.Join(t.TempDir(), "weir")
	require.NoError(t, os.CopyFS(chart, os.DirFS(weir)))
	file := filepath.Join(chart, "files/crds/weir.dev_canaries.yaml")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	definition := map[string]any{}
	require.NoError(t, yaml.Unmarshal(content, &definition))
	node := definition["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)["schema"]
	for _, name := range []string{"openAPIV3Schema", "properties", "spec", "properties"} {
		node = node.(map[string]any)[name]
	}
	require.Contains(t, node, "promotionDelay")
	delete(node.(map[string]any), "promotionDelay")
	content, err = yaml.Marshal(definition)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return chart
}

// TestLife: an API server takes each object, and knows each of its fields. An upgrade brings new fields of the
// definitions. When Weir is uninstalled they stay, and so do Canaries; it can be installed again over them.
func TestLife(t *testing.T) {
	s := found(t, "weir-system", "shop", "test", "delivery")
	definitions, err := sandbox.PrometheusOperatorDefinitions(t.Context())
	require.NoError(t, err)
	require.NoError(t, sandbox.Apply(t.Context(), s.server.RESTConfig(), definitions))
	for _, chart := range []string{weir, loadtester} {
		for _, values := range []string{"{}", everything(t, chart)} {
			manifests, err := s.helm.Run(t.Context(), values, "template", "blue", chart, "--namespace=delivery", served)
			require.NoError(t, err)
			s.kubectl(manifests, "create", "--dry-run=server", "--validate=strict", "--filename=-")
		}
	}
	before := s.objects()

	notes := s.release("install", older(t), "{}")
	assert.Contains(t, notes, "rollout status deployment/weir\n")
	assert.Contains(t, notes, "They stay at `helm uninstall`")
	s.podAllowed("weir-system", "weir")
	stored, err := s.store("app", "")
	require.NoError(t, err)
	_, err = s.store("new", "5m")
	require.ErrorContains(t, err, `unknown field "spec.promotionDelay"`)

	notes = s.release("upgrade", weir, `{replicas: 2, dashboard: true, secretNamespaces: [shop],
		podDisruptionBudget: {minAvailable: 1}, podMonitor: {enabled: true}, prometheusRule: {enabled: true},
		admission: {enabled: true, profileRequired: {matchLabels: {team: a}}}}`)
	assert.Contains(t, notes, "port-forward service/weir-dashboard")
	s.podAllowed("weir-system", "weir")
	_, err = s.store("new", "5m")
	require.NoError(t, err)
	s.same(stored)
	_, err = s.helm.Run(t.Context(), "namespaces: [shop]", "install", "weir-loadtester", loadtester, "--namespace=test")
	require.NoError(t, err)
	s.podAllowed("test", "weir-loadtester")

	require.NoError(t, s.helm.Uninstall(t.Context(), "weir", "weir-system"))
	require.NoError(t, s.helm.Uninstall(t.Context(), "weir-loadtester", "test"))
	after := slices.DeleteFunc(s.objects(), func(object string) bool { return slices.Contains(before, object) })
	assert.Equal(t, []string{
		"APIService v1beta1.weir.dev",
		"Canary shop/app",
		"Canary shop/new",
		"CustomResourceDefinition alertproviders.weir.dev",
		"CustomResourceDefinition canaries.weir.dev",
		"CustomResourceDefinition canaryprofiles.weir.dev",
		"CustomResourceDefinition clusteralertproviders.weir.dev",
		"CustomResourceDefinition clustermetrictemplates.weir.dev",
		"CustomResourceDefinition metrictemplates.weir.dev",
	}, after)
	s.release("install", weir, "{}")
	s.same(stored)
	_, err = s.helm.Run(t.Context(), "{crds: {install: false}, watchNamespace: shop}", "install", "weir", weir, "--namespace=test")
	require.NoError(t, err, "a second one beside it")
}

// TestFromKustomize goes the way of docs/guide.md from an overlay to the chart. The definitions are Helm's then: what a
// chart does not have any more is gone.
func TestFromKustomize(t *testing.T) {
	s := found(t, "shop")
	s.kubectl(nil, "apply", "--kustomize="+written(t,
		"resources: [TREE/gatewayapi]\ncomponents: [TREE/ha, TREE/admission, TREE/dashboard]"))
	s.awaitKinds()
	stored, err := s.store("app", "")
	require.NoError(t, err)
	const ours = "app.kubernetes.io/name=weir"
	s.kubectl(nil, "--namespace=weir-system", "delete", "--selector="+ours,
		"deployment,service,poddisruptionbudget,serviceaccount,role,rolebinding")
	s.kubectl(nil, "delete", "--selector="+ours,
		"clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding")
	s.kubectl(nil, "delete", "--selector="+ours, "mutatingadmissionpolicy,mutatingadmissionpolicybinding")
	s.kubectl(nil, "apply", "--kustomize=../../artifacts/crds", "--server-side", "--force-conflicts", "--field-manager=helm")
	left := slices.DeleteFunc(s.objects(), func(object string) bool {
		return !strings.Contains(object, "weir") || strings.HasPrefix(object, "CustomResourceDefinition ")
	})
	assert.Equal(t, []string{"APIService v1beta1.weir.dev", "Namespace weir-system"}, left)
	s.release("install", older(t), "{}", "--take-ownership")
	s.same(stored)
	s.podAllowed("weir-system", "weir")
	_, err = s.store("new", "5m")
	require.ErrorContains(t, err, `unknown field "spec.promotionDelay"`)
}

// awaitKinds waits until the API server serves Canaries.
func (s *site) awaitKinds() {
	s.Helper()
	require.Eventually(s, func() bool {
		_, err := s.weir.WeirV1beta1().Canaries("").List(s.Context(), metav1.ListOptions{})
		return err == nil
	}, 30*time.Second, 100*time.Millisecond)
}

// same: a Canary is still there, and nobody has changed it.
func (s *site) same(stored *v1beta1.Canary) {
	s.Helper()
	s.awaitKinds()
	now, err := s.weir.WeirV1beta1().Canaries(stored.Namespace).Get(s.Context(), stored.Name, metav1.GetOptions{})
	require.NoError(s, err)
	assert.Equal(s, stored.UID, now.UID)
	assert.Equal(s, stored.Spec, now.Spec)
}

// podAllowed: the namespace lets in a pod of the Deployment.
func (s *site) podAllowed(namespace, name string) {
	s.Helper()
	deployment, err := s.kube.AppsV1().Deployments(namespace).Get(s.Context(), name, metav1.GetOptions{})
	require.NoError(s, err)
	pod := &corev1.Pod{ObjectMeta: deployment.Spec.Template.ObjectMeta, Spec: deployment.Spec.Template.Spec}
	pod.Name = name
	_, err = s.kube.CoreV1().Pods(namespace).Create(s.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	require.NoError(s, err)
}

// objects are all that there are, but for what the API server itself writes at any time, and what it does not keep.
func (s *site) objects() []string {
	s.Helper()
	client, err := dynamic.NewForConfig(s.server.RESTConfig())
	require.NoError(s, err)
	groups, err := s.kube.Discovery().ServerPreferredResources()
	require.NoError(s, err)
	left := []string{"ComponentStatus", "Endpoints", "Event", "Lease"}
	var all []string
	for _, group := range groups {
		version, err := schema.ParseGroupVersion(group.GroupVersion)
		require.NoError(s, err)
		for _, r := range group.APIResources {
			if !slices.Contains(r.Verbs, "list") || slices.Contains(left, r.Kind) {
				continue
			}
			list, err := client.Resource(version.WithResource(r.Name)).List(s.Context(), metav1.ListOptions{})
			require.NoError(s, err, r.Name)
			for _, object := range list.Items {
				all = append(all, r.Kind+" "+strings.TrimPrefix(object.GetNamespace()+"/"+object.GetName(), "/"))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
