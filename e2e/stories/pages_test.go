package stories

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/desk"
	"weir.dev/weir/e2e/pages"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// reader is a user who types what a page says.
type reader struct {
	*story
	shell *desk.Shell
	tree  string
	// instead is what is done in place of commands, by how they begin; nothing, where that needs what is not here.
	instead map[string]func(command string)
}

// reads gives the story's user a desk. Images that pages name stand for those that the cluster has.
func (s *story) reads() *reader {
	s.t.Helper()
	tree, err := sandbox.Tree(s.t.Context())
	require.NoError(s.t, err)
	folder := s.t.TempDir()
	programs := filepath.Join(folder, "programs")
	require.NoError(s.t, os.Mkdir(programs, 0o755))
	require.NoError(s.t, desk.Checkout(tree, folder))
	require.NoError(s.t, desk.Programs(s.t.Context(), tree, programs, s.t.Output()))
	config, err := os.ReadFile(s.Stage.Sandbox.Kubeconfig)
	require.NoError(s.t, err)
	kubeconfig := filepath.Join(folder, ".kubeconfig")
	require.NoError(s.t, os.WriteFile(kubeconfig, config, 0o600))
	path := strings.Join([]string{filepath.Join(folder, "weir", "bin"), programs, os.Getenv("PATH")}, ":")
	r := &reader{story: s, tree: tree, instead: map[string]func(string){}, shell: &desk.Shell{
		Folder: folder, Log: s.t.Output(), Words: map[string]string{},
		Env:     []string{"PATH=" + path, "KUBECONFIG=" + kubeconfig, "PPROF_TMPDIR=" + folder},
		Outside: []string{"stefanprodan/podinfo:6.9.2", sandbox.PodinfoImage, "registry.example/team/", ""},
	}}
	s.t.Cleanup(r.shell.Close)
	r.types("kubectl config set-context --current --namespace=" + s.Namespace)
	return r
}

// types wants a command to succeed, and gives what it said.
func (r *reader) types(command string) string {
	r.t.Helper()
	said, err := r.shell.Type(r.t.Context(), command)
	require.NoError(r.t, err, "%s\n%s", command, said)
	return said
}

// until types what would go on, until something is seen of it.
func (r *reader) until(seen string) func(command string) {
	return func(command string) {
		r.t.Helper()
		ctx, cancel := context.WithTimeout(r.t.Context(), 2*patience)
		defer cancel()
		said, err := r.shell.Until(ctx, command, func(said string) bool { return strings.Contains(said, seen) })
		require.NoError(r.t, err, "%s\n%s", command, said)
	}
}

// again types until it succeeds: what goes on in the background may not be there yet.
func (r *reader) again(command string) {
	r.t.Helper()
	require.EventuallyWithT(r.t, func(t *assert.CollectT) {
		said, err := r.shell.Type(r.t.Context(), command)
		require.NoError(t, err, said)
	}, time.Minute, time.Second, command)
}

// nothing is done.
func nothing(string) {}

// page types all that is under headings of a page, or, without any, all of it.
func (r *reader) page(file string, headings ...string) {
	r.t.Helper()
	page, err := pages.Read(r.tree, file)
	require.NoError(r.t, err)
	var commands []string
	for _, step := range page.Steps() {
		switch {
		case len(headings) > 0 && !slices.Contains(headings, step.Heading):
		case step.File != "":
			require.NoError(r.t, r.shell.Write(step))
		default:
			commands = append(commands, step.Command)
			r.command(step.Command)
		}
	}
	require.NotEmpty(r.t, commands, "%s under %s", file, headings)
	for begins := range r.instead {
		assert.True(r.t, slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(c, begins) }),
			"no command of %s begins with %q", file, begins)
	}
}

func (r *reader) command(command string) {
	r.t.Helper()
	for begins, do := range r.instead {
		if strings.HasPrefix(command, begins) {
			do(command)
			return
		}
	}
	r.types(command)
}

// gives the cluster an image archive that was made in the checkout.
func (r *reader) gives(file string) {
	r.t.Helper()
	require.NoError(r.t, r.Stage.Sandbox.Import(r.t.Context(), filepath.Join(r.shell.Folder, "weir", "bin", file)))
}

// quickStart is what the page of that name says, on a cluster without Weir. In place of kind, the sandbox takes the image.
func quickStart(s *story) {
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(s.t, s.Stage.Install(ctx, stage.Overlay{}))
	})
	require.NoError(s.t, s.Stage.Uninstall(s.t.Context()))
	r := s.reads()
	r.instead = map[string]func(string){
		"make -C weir demo": nothing, "go -C weir run ./e2e/demo": nothing, // a cluster of its own; see e2e/demo
		"kind create": nothing, "docker build": nothing,
		"kind load":                        func(string) { r.gives("weir.tar") },
		"kubectl get canary hello --watch": r.until("Succeeded"),
		"kubectl weir watch hello":         r.until("Succeeded"),
	}
	r.page("docs/quickstart.md")
	_, err := s.Stage.Kube.CoreV1().Namespaces().Get(s.t.Context(), "weir-system", metav1.GetOptions{})
	assert.True(s.t, apierrors.IsNotFound(err), "Weir has gone, and not: %v", err)
	assert.Equal(s.t, "4", s.kubectl("get", "deployment", "hello", "-o", "jsonpath={.status.readyReplicas}"), "and hello serves")
}

// byThePages is what pages have people type that needs a node: ways to ports of pods, and logs.
func byThePages(s *story) {
	s.equip(stage.Overlay{Components: []string{"dashboard"}})
	r := s.reads()
	for _, namespace := range []string{"test", "shop"} {
		r.types("kubectl create namespace " + namespace)
		s.t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_, err := s.Stage.Kubectl(ctx, "delete", "namespace", namespace)
			assert.NoError(s.t, err)
		})
	}
	r.seesTheDashboard()
	r.opensAGate()
	r.looksWhereTheTimeGoes()
	r.readsLogs()
}

func (r *reader) seesTheDashboard() {
	r.t.Helper()
	r.types("kubectl -n shop create serviceaccount releaser")
	r.types("kubectl -n shop create role releaser --verb=get,list --resource=canaries.weir.dev")
	r.types("kubectl -n shop create rolebinding releaser --role=releaser --serviceaccount=shop:releaser")
	token := ""
	r.instead = map[string]func(string){
		"kubectl -n weir-system port-forward": func(command string) { r.types(command + " &") }, // in a terminal of its own
		"kubectl -n shop create token":        func(command string) { token = strings.TrimSpace(r.types(command)) },
	}
	r.page("docs/dashboard.md")
	r.again("curl --silent --fail --output /dev/null --header 'Authorization: Bearer " + token + "' http://localhost:8081/")
}

// opensAGate installs the load tester in both ways that its page has, and opens the gate of a Canary.
func (r *reader) opensAGate() {
	r.t.Helper()
	r.types("kubectl -n test create serviceaccount ann")
	r.types("kubectl -n test create role ann --verb=get,patch --resource=canaries.weir.dev")
	r.types("kubectl -n test create rolebinding ann --role=ann --serviceaccount=test:ann")
	r.instead = map[string]func(string){
		"make -C weir image-loadtester": func(command string) {
			r.types(command)
			r.gives("weir-loadtester.tar")
		},
		"helm install": func(command string) {
			r.types("kubectl delete -k mine")
			r.types(command)
			r.types("helm uninstall weir-loadtester --namespace test")
			r.types("kubectl apply -k mine")
			r.types("kubectl -n test rollout status deployment/weir-loadtester")
		},
		"curl": func(command string) { r.again(command) },
	}
	r.page("docs/loadtester.md")
	assert.Contains(r.t, r.types("kubectl -n test get configmap weir-gates -o yaml"), "gate.test.podinfo:")
	r.types("kubectl apply -k mine") // as the last heading has it
	r.types("kubectl delete -k mine")
}

func (r *reader) looksWhereTheTimeGoes() {
	r.t.Helper()
	r.types("kubectl -n weir-system set env deployment/weir WEIR_PPROF_ADDRESS=127.0.0.1:6060")
	r.types("kubectl -n weir-system rollout status deployment/weir")
	r.instead = map[string]func(string){"go tool pprof": func(command string) { r.again(command) }}
	r.page("docs/observability.md", "Profiles")
}

func (r *reader) readsLogs() {
	r.t.Helper()
	r.instead = map[string]func(string){}
	assert.Contains(r.t, r.types("kubectl -n weir-system logs deployment/weir --tail=20"), "weir")
	crashing(r.story)
	c := r.await(func(*v1beta1.Canary) bool { return true })
	r.shell.Words["POD"] = r.kubectl("get", "pods", "-l", "pod-template-hash="+c.Status.History[0].Revision,
		"-o", "jsonpath={.items[0].metadata.name}")
	r.page("docs/troubleshooting.md", "CrashLoopBackOff, OOMKilled, RunContainerError")
}
