package sandbox_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir.dev/weir/e2e/sandbox"
)

// TestFullForm brings a second sandbox up beside whatever runs, in the ways that
// go wrong: cut short, repeated, and with parts missing.
func TestFullForm(t *testing.T) {
	if os.Getenv("WEIR_E2E") != "1" {
		t.Skip("the full form needs root and minutes: set WEIR_E2E=1")
	}
	t.Setenv("KUBECONFIG", "")
	dir := filepath.Join(t.TempDir(), "sandbox")
	options := sandbox.Options{Dir: dir, Progress: t.Output()}
	before := traces(t)
	t.Cleanup(func() {
		if err := sandbox.Down(context.Background(), options); err != nil {
			t.Error(err)
		}
	})

	killHalfway(t, dir)
	s := up(t, options)
	serves(t, s)

	again := up(t, options)
	if again.TraefikURL != s.TraefikURL {
		t.Errorf("the second Up made another sandbox: %s after %s", again.TraefikURL, s.TraefikURL)
	}
	if err := s.StopPrometheus(t.Context()); err != nil {
		t.Fatal(err)
	}
	if query(t.Context(), s, "up") == nil {
		t.Error("Prometheus still answers after StopPrometheus")
	}
	if err := s.StartPrometheus(t.Context()); err != nil {
		t.Fatal(err)
	}
	serves(t, s)

	if err := s.BuildAndImport(t.Context(), "weir.dev/weir/e2e/sandbox/cmd/pause", "spare:dev"); err != nil {
		t.Error(err)
	}

	kill(t, dir+"/state", "kubelet")
	serves(t, up(t, options))
	kill(t, dir+"/state", "ground") // and all with it, as when the machine restarts
	serves(t, up(t, options))

	if err := s.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := mentioning(t, dir); len(left) > 0 {
		t.Errorf("still running after Down: %q", left)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there after Down", dir)
	}
	if after := traces(t); after != before {
		t.Errorf("Down left something behind; before:\n%s\nafter:\n%s", before, after)
	}
}

func up(t *testing.T, options sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Up(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// killHalfway starts Up in a process of its own and kills it when the cluster
// is partly there.
func killHalfway(t *testing.T, dir string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sandbox")
	if said, err := exec.Command("go", "build", "-o", program, "./cmd/sandbox").CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, said)
	}
	command := exec.Command(program, "up")
	command.Env = append(os.Environ(), "WEIR_SANDBOX_DIR="+dir)
	var said strings.Builder
	command.Stderr = &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	etcd := dir + "/state#etcd"
	for deadline := time.Now().Add(time.Hour); len(mentioning(t, etcd)) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("etcd never came up:\n%s", said.String())
		}
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
}

// kill ends one process of a ground by force.
func kill(t *testing.T, dir, component string) {
	t.Helper()
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range environments {
		content, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(content), "="+dir+"#"+component+"\x00") {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/environ", &pid); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("there is no %s to kill", component)
}

// serves rolls podinfo out and expects it through the Gateway and in Prometheus.
func serves(t *testing.T, s *sandbox.Sandbox) {
	t.Helper()
	manifests := fmt.Sprintf(podinfoManifests, sandbox.PodinfoImage, s.Gateway.Name, s.Gateway.Namespace)
	if err := sandbox.Apply(t.Context(), s.RESTConfig(), []byte(manifests)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "podinfo to answer through the Gateway", func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.TraefikURL+"/version", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "podinfo.example"
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	for _, metric := range []string{
		`http_requests_total{namespace="default",app="podinfo",pod_template_hash!=""}`,
		`traefik_service_requests_total{service=~".+-svc-default-podinfo-0@kubernetesgateway"}`,
	} {
		eventually(t, metric, func() bool { return query(t.Context(), s, metric) == nil })
	}
}

// query tells what is wrong when Prometheus has no answer.
func query(ctx context.Context, s *sandbox.Sandbox, expression string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.PrometheusURL+"/api/v1/query", nil)
	if err != nil {
		return err
	}
	request.URL.RawQuery = "query=" + url.QueryEscape(expression)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer strings.Builder
	if _, err := io.Copy(&answer, response.Body); err != nil {
		return err
	}
	if !strings.Contains(answer.String(), `"metric"`) {
		return fmt.Errorf("no data: %s", answer.String())
	}
	return nil
}

// traces is what a sandbox changes about a machine, as text to compare.
func traces(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, line := range [][]string{
		{"ip", "-br", "link"}, {"ip", "route"}, {"ip", "netns"}, {"nft", "list", "tables"},
		{"sh", "-c", "cut -d' ' -f4- /proc/self/mountinfo"},
		{"sh", "-c", "find /sys/fs/cgroup -maxdepth 3 -name 'weir-*' -o -path '*k8s.io*' | sort"},
		{"sh", "-c", "ls -d /run/containerd /var/lib/kubelet /var/lib/cni " +
			"/var/log/pods /var/log/containers 2>/dev/null; true"},
		{"sysctl", "net.ipv4.ip_forward"},
	} {
		out, err := exec.Command(line[0], line[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", line, err, out)
		}
		fmt.Fprintf(&all, "%v\n%s", line, out)
	}
	return all.String()
}

const podinfoManifests = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: podinfo, namespace: default}
spec:
  selector: {matchLabels: {app: podinfo}}
  template:
    metadata:
      labels: {app: podinfo}
      annotations: {prometheus.io/scrape: "true", prometheus.io/port: "9898"}
    spec:
      containers:
      - name: podinfo
        image: %[1]s
        imagePullPolicy: Never
        readinessProbe: {httpGet: {path: /readyz, port: 9898}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: podinfo, namespace: default}
spec:
  selector: {app: podinfo}
  ports: [{port: 80, targetPort: 9898}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: podinfo, namespace: default}
spec:
  parentRefs: [{name: %[2]s, namespace: %[3]s}]
  hostnames: [podinfo.example]
  rules: [{backendRefs: [{name: podinfo, port: 80}]}]
`
