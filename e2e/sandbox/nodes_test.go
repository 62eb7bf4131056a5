package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/e2e/sandbox"
)

// TestFurtherNodes brings a second sandbox up beside whatever runs, adds nodes to it
// and takes them away: in order, and cut short.
func TestFurtherNodes(t *testing.T) {
	if os.Getenv("WEIR_E2E") != "1" {
		t.Skip("nodes need root and a sandbox of their own: set WEIR_E2E=1")
	}
	t.Setenv("KUBECONFIG", "")
	dir := filepath.Join(t.TempDir(), "sandbox")
	options := sandbox.Options{Dir: dir, Progress: t.Output()}
	before := traces(t)
	t.Cleanup(func() { assert.NoError(t, sandbox.Down(context.Background(), options)) })
	s := up(t, options)
	client, err := kubernetes.NewForConfig(s.RESTConfig())
	require.NoError(t, err)

	require.NoError(t, s.AddNodes(t.Context(), 2))
	require.NoError(t, s.AddNodes(t.Context(), 2), "once more")
	servesOnEach(t, s, client, 3)
	importsToEach(t, s, client)
	for _, line := range s.Status(t.Context()) {
		assert.Contains(t, line, " ready")
	}
	assert.NotEmpty(t, furtherLinks(t, dir))
	require.NoError(t, s.RemoveNodes(t.Context()))
	servesOnEach(t, s, client, 1)
	readyPods(t, client, "app=spare", 0)
	assert.Empty(t, mentioning(t, dir+"/state/nodes"))
	assert.Empty(t, furtherLinks(t, dir))

	soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.Error(t, s.AddNodes(soon, 1))
	require.NoError(t, s.AddNodes(t.Context(), 1), "after one that was cut short")
	kill(t, dir+"/state/nodes/weir-1", "ground")
	eventually(t, "all of it to be gone", func() bool { return len(mentioning(t, dir+"/state/nodes")) == 0 })
	require.NoError(t, s.AddNodes(t.Context(), 1), "after it died")
	servesOnEach(t, s, client, 2)

	require.NoError(t, s.Down(t.Context()))
	assert.Empty(t, mentioning(t, dir))
	assert.NoDirExists(t, dir)
	assert.Equal(t, before, traces(t))
}

// servesOnEach expects a DaemonSet's pod on each of so many nodes, and an answer from each
// in every way; and that a Deployment, which tolerates nothing, stays on the first.
func servesOnEach(t *testing.T, s *sandbox.Sandbox, client kubernetes.Interface, count int) {
	t.Helper()
	manifests := fmt.Sprintf(eachManifests, sandbox.PodinfoImage, sandbox.FurtherTaint, s.Gateway.Name, s.Gateway.Namespace)
	require.NoError(t, sandbox.Apply(t.Context(), s.RESTConfig(), []byte(manifests)))
	for _, pod := range readyPods(t, client, "app=first", 3) {
		assert.Equal(t, "weir", pod.Spec.NodeName)
	}
	each := readyPods(t, client, "app=each", count)
	nodes := map[string]bool{}
	for _, pod := range each {
		nodes[pod.Spec.NodeName] = true
		reachable(t, s, client, pod)
	}
	assert.Len(t, nodes, count)
	service, err := client.CoreV1().Services("default").Get(t.Context(), "each", metav1.GetOptions{})
	require.NoError(t, err)
	for _, where := range []string{"http://" + service.Spec.ClusterIP, s.TraefikURL} {
		silent := map[string]bool{}
		for _, pod := range each {
			silent[pod.Name] = true
		}
		eventually(t, "all of them to answer through "+where, func() bool {
			var said struct{ Hostname string }
			if err := json.Unmarshal(ask(t, http.MethodGet, where+"/api/info"), &said); err == nil {
				delete(silent, said.Hostname)
			}
			return len(silent) == 0
		})
	}
}

// importsToEach expects that an image of later is on the further nodes, too. Its pods are
// bound by hand and have nobody who would make them again.
func importsToEach(t *testing.T, s *sandbox.Sandbox, client kubernetes.Interface) {
	t.Helper()
	require.NoError(t, s.BuildAndImport(t.Context(), "weir.dev/weir/e2e/sandbox/cmd/pause", "spare:dev"))
	for _, name := range []string{"weir-1", "weir-2"} {
		_, err := client.CoreV1().Pods("default").Create(t.Context(), &core.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "spare-on-" + name, Labels: map[string]string{"app": "spare"}},
			Spec: core.PodSpec{
				NodeName: name,
				Containers: []core.Container{
					{Name: "spare", Image: "spare:dev", ImagePullPolicy: core.PullNever},
				},
			},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	readyPods(t, client, "app=spare", 2)
}

// readyPods waits until there are so many pods, all of them ready.
func readyPods(t *testing.T, client kubernetes.Interface, selector string, count int) []core.Pod {
	t.Helper()
	var found []core.Pod
	eventually(t, fmt.Sprintf("%d ready pods of %s", count, selector), func() bool {
		pods, err := client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: selector})
		require.NoError(t, err)
		found = pods.Items
		unready := func(pod core.Pod) bool {
			return !slices.ContainsFunc(pod.Status.Conditions, func(c core.PodCondition) bool {
				return c.Type == core.PodReady && c.Status == core.ConditionTrue
			})
		}
		return len(found) == count && !slices.ContainsFunc(found, unready)
	})
	return found
}

// reachable expects that a pod is reached from this machine, by the API server, by its
// kubelet and by Prometheus, and that it reaches a Service by name.
func reachable(t *testing.T, s *sandbox.Sandbox, client kubernetes.Interface, pod core.Pod) {
	t.Helper()
	direct := "http://" + pod.Status.PodIP + ":9898"
	assert.NotEmpty(t, ask(t, http.MethodGet, direct+"/version"), "%s at its address", pod.Name)
	assert.JSONEq(t, `["hello"]`, string(ask(t, http.MethodPost, direct+"/echo")), "%s asks another", pod.Name)
	proxied := client.CoreV1().RESTClient().Get().Namespace(pod.Namespace).Resource("pods").Name(pod.Name + ":9898")
	_, err := proxied.SubResource("proxy").Suffix("version").DoRaw(t.Context())
	assert.NoError(t, err, "%s through the API server", pod.Name)
	said, err := client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &core.PodLogOptions{}).DoRaw(t.Context())
	assert.NoError(t, err)
	assert.NotEmpty(t, said, "the log of %s", pod.Name)
	eventually(t, "Prometheus to scrape "+pod.Name, func() bool {
		return query(t.Context(), s, `up{pod="`+pod.Name+`"} == 1`) == nil
	})
}

// ask gives what is answered over a connection of its own; nothing when that is no success.
func ask(t *testing.T, method, where string) []byte {
	t.Helper()
	soon, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(soon, method, where, strings.NewReader("hello"))
	require.NoError(t, err)
	request.Host, request.Close = "each.example", true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode/100 != 2 {
		return nil
	}
	return said
}

// furtherLinks lists the links of a sandbox's own network that are not the first node's or its pods'.
func furtherLinks(t *testing.T, dir string) []string {
	t.Helper()
	written, err := os.ReadFile(filepath.Join(dir, "state", "claim.json"))
	require.NoError(t, err)
	var claim struct{ Holder int }
	require.NoError(t, json.Unmarshal(written, &claim))
	list := exec.CommandContext(t.Context(), "nsenter", "-t", strconv.Itoa(claim.Holder), "-n", "ip", "-o", "link")
	said, err := list.Output()
	require.NoError(t, err)
	known := regexp.MustCompile(`^\d+: (lo|weir0|eth0@\S+|veth.* master weir0)[: ]`)
	var further []string
	for line := range strings.Lines(string(said)) {
		if !known.MatchString(line) {
			further = append(further, line)
		}
	}
	return further
}

const eachManifests = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: first, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: first}}
  template:
    metadata: {labels: {app: first}}
    spec:
      containers:
      - {name: podinfo, image: "%[1]s", imagePullPolicy: Never}
---
apiVersion: v1
kind: Service
metadata: {name: first, namespace: default}
spec:
  selector: {app: first}
  ports: [{port: 80, targetPort: 9898}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: each, namespace: default}
spec:
  selector: {matchLabels: {app: each}}
  template:
    metadata:
      labels: {app: each}
      annotations: {prometheus.io/scrape: "true", prometheus.io/port: "9898"}
    spec:
      tolerations: [{key: %[2]s, operator: Exists}]
      containers:
      - name: podinfo
        image: %[1]s
        imagePullPolicy: Never
        args: ["--backend-url=http://first/echo"]
        readinessProbe: {httpGet: {path: /readyz, port: 9898}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: each, namespace: default}
spec:
  selector: {app: each}
  ports: [{port: 80, targetPort: 9898}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: each, namespace: default}
spec:
  parentRefs: [{name: %[3]s, namespace: %[4]s}]
  hostnames: [each.example]
  rules: [{backendRefs: [{name: each, port: 80}]}]
`
