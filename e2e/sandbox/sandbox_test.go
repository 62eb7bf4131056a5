package sandbox_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/e2e/sandbox"
)

// bystander, when set, makes this test binary the process that starts an API
// server and is then killed.
const bystander = "WEIR_TEST_BYSTANDER"

func TestMain(m *testing.M) {
	if os.Getenv(bystander) == "" {
		os.Exit(m.Run())
	}
	server, err := sandbox.StartAPIServer(context.Background(), sandbox.APIServerOptions{})
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println(filepath.Dir(filepath.Dir(server.Kubeconfig)))
	select {}
}

func TestAPIServerServesAndLeavesNothing(t *testing.T) {
	server := startAPIServer(t, sandbox.APIServerOptions{})
	client, err := kubernetes.NewForConfig(server.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	namespace := &core.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "first"}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	dir := filepath.Dir(filepath.Dir(server.Kubeconfig))
	if len(mentioning(t, dir)) != 2 {
		t.Fatalf("want etcd and kube-apiserver running, got %q", mentioning(t, dir))
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if left := mentioning(t, dir); len(left) > 0 {
		t.Errorf("still running after Stop: %q", left)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there after Stop", dir)
	}
}

func TestAPIServerDiesWithItsTest(t *testing.T) {
	startAPIServer(t, sandbox.APIServerOptions{}) // so that what is missing is built here, with progress
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	started := exec.Command(program)
	started.Env = append(os.Environ(), bystander+"=1")
	out, err := started.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := started.Start(); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(said, "failed") {
		t.Fatalf("starting in another process: %v %s", err, said)
	}
	dir := strings.TrimSpace(said)
	defer os.RemoveAll(dir)
	if err := started.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = started.Wait()
	eventually(t, "its processes to be gone", func() bool { return len(mentioning(t, dir)) == 0 })
}

func TestAPIServerWithControllers(t *testing.T) {
	server := startAPIServer(t, sandbox.APIServerOptions{ControllerManager: true})
	client, err := kubernetes.NewForConfig(server.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"app": "some"}
	deployment := &apps.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "some"},
		Spec: apps.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: core.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       core.PodSpec{Containers: []core.Container{{Name: "some", Image: "some"}}},
			},
		},
	}
	deployments := client.AppsV1().Deployments("default")
	if _, err := deployments.Create(t.Context(), deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a Pod of the Deployment", func() bool {
		pods, err := client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=some"})
		return err == nil && len(pods.Items) == 1
	})
}

func TestUpUsesTheUsersCluster(t *testing.T) {
	server := startAPIServer(t, sandbox.APIServerOptions{})
	t.Setenv("KUBECONFIG", server.Kubeconfig)
	t.Setenv("WEIR_GATEWAY", "edge/main")
	t.Setenv("WEIR_GATEWAY_URL", "http://gateway.example")
	dir := filepath.Join(t.TempDir(), "sandbox")
	s, err := sandbox.Up(t.Context(), sandbox.Options{Dir: dir, Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	if !s.External || s.Gateway.String() != "edge/main" || s.TraefikURL != "http://gateway.example" {
		t.Errorf("Up did not take the user's cluster as it is: %+v", s)
	}
	if err := s.Import(t.Context(), "image.tar"); err == nil {
		t.Error("Import into the user's cluster was not refused")
	}
	if err := s.Down(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("Up made %s, though there was nothing to make", dir)
	}
}

func startAPIServer(t *testing.T, options sandbox.APIServerOptions) *sandbox.APIServer {
	t.Helper()
	options.Progress = t.Output()
	server, err := sandbox.StartAPIServer(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// mentioning lists the processes whose command line or environment names a
// folder.
func mentioning(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, kind := range []string{"cmdline", "environ"} {
		files, err := filepath.Glob("/proc/[0-9]*/" + kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err == nil && strings.Contains(string(content), dir) {
				found = append(found, strings.ReplaceAll(string(content), "\x00", " "))
			}
		}
	}
	return found
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
