package cli_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/artifacts"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/cli"
	"weir.dev/weir/pkg/client/clientset/versioned"
)

// TestCLI runs commands against a real API server. Nobody runs there but the test: it writes the statuses, as the
// operator would.
func TestCLI(t *testing.T) {
	s := start(t, sandbox.APIServerOptions{})
	for name, test := range map[string]func(*bench){
		"names":              names,
		"output":             outputs,
		"nothing there":      nothingThere,
		"command accepted":   accepted,
		"command refused":    refuses,
		"command unanswered": unanswered,
		"command overtaken":  overtaken,
		"command of whom":    actors,
		"completion":         completes,
		"query":              queries,
		"query by cluster":   queriesOfTheCluster,
		"query of counts":    queriesCounts,
		"the past":           analyzesThePast,
		"a Job":              queriesAJob,
		"query of nothing":   queriesNothing,
		"watch":              looksOn,
		"watch the list":     looksOnAtAll,
		"watch plainly":      looksOnInLines,
		"watch no more":      looksOnUntilInterrupted,
		"watch in vain":      looksOnWithoutRights,
		"alert test":         testsAlerts,
		"alert not taken":    testsAlertsInVain,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(s.bench(t)) })
	}
	for name, test := range map[string]func(*bench){
		"restart":                restarts,
		"uninstall --check":      checksWhatIsLeft,
		"restart before":         restartsNothing,
		"wait at rest":           waitsForNothing,
		"wait before the run":    waitsForTheRunToBegin,
		"wait for each outcome":  waitsForOutcomes,
		"wait in mid-run":        waitsForTheTemplateThatIs,
		"wait of retried":        waitsForARetry,
		"wait of lost revision":  waitsForALostRevision,
		"wait for configuration": waitsThroughADigest,
		"wait for a revision":    waitsForANamedRevision,
		"wait in vain":           waitsInVain,
		"wait for deleted":       waitsForTheDeleted,
		"few rights":             needsRights,
		"rights on the target":   needsRightsOnRevisions,
		"rights told of":         needsTheRightsToldOf,
	} {
		for kind := range held {
			t.Run(name+" of a "+kind, func(t *testing.T) { t.Parallel(); test(s.benchFor(t, kind)) })
		}
	}
	for _, kind := range []string{v1beta1.KindStatefulSet, v1beta1.KindDaemonSet} {
		t.Run("wait for a name of a "+kind, func(t *testing.T) { t.Parallel(); waitsForTheName(s.benchFor(t, kind)) })
	}
	t.Run("Knative", func(t *testing.T) { t.Parallel(); testKnative(t, s) })
	t.Run("Scenes", func(t *testing.T) { testScenes(t, s) })
	t.Run("Lint", func(t *testing.T) { testLint(t, s) })
}

// server is an API server that serves Weir's kinds.
type server struct {
	kubeconfig string
	kube       kubernetes.Interface
	weir       versioned.Interface
	dynamic    dynamic.Interface
}

func start(t *testing.T, options sandbox.APIServerOptions) *server {
	t.Helper()
	options.Progress = t.Output()
	api, err := sandbox.StartAPIServer(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, api.Stop()) })
	s, config := &server{kubeconfig: api.Kubeconfig}, api.RESTConfig()
	definitions, err := artifacts.CRDs()
	require.NoError(t, err)
	require.NotEmpty(t, definitions)
	knative, err := sandbox.KnativeDefinitions(t.Context())
	require.NoError(t, err)
	require.NoError(t, sandbox.Apply(t.Context(), config, bytes.Join(append(definitions, knative), []byte("\n---\n"))))
	s.kube, err = kubernetes.NewForConfig(config)
	require.NoError(t, err)
	s.weir, err = versioned.NewForConfig(config)
	require.NoError(t, err)
	s.dynamic, err = dynamic.NewForConfig(config)
	require.NoError(t, err)
	return s
}

// bench is a namespace of its own, and somebody who types commands for it.
type bench struct {
	*testing.T
	*server
	namespace string
	// kind of the targets there.
	kind string
}

func (s *server) bench(t *testing.T) *bench {
	t.Helper()
	return s.benchFor(t, v1beta1.KindDeployment)
}

func (s *server) benchFor(t *testing.T, kind string) *bench {
	t.Helper()
	b := s.named(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "cli-"}})
	b.kind = kind
	return b
}

func (s *server) named(t *testing.T, namespace *corev1.Namespace) *bench {
	t.Helper()
	made, err := s.kube.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	require.NoError(t, err)
	return &bench{T: t, server: s, namespace: made.Name, kind: v1beta1.KindDeployment}
}

// now is when all commands are typed.
func now() time.Time { return time.Date(2026, 11, 23, 12, 3, 30, 0, time.UTC) }

// typed is a command that was typed, and what came of it.
type typed struct {
	out, err string
	code     int
}

// types types a command and waits for its end.
func (b *bench) types(args ...string) typed {
	b.Helper()
	return b.begins(args...).ends()
}

// running is a command that was typed and need not have ended.
type running struct {
	*bench
	out, err  *screen
	code      chan int
	interrupt context.CancelFunc
}

// begins types a command.
func (b *bench) begins(args ...string) *running {
	b.Helper()
	return b.sits(cli.Terminal{In: strings.NewReader("")}, args...)
}

// sits types a command at a terminal.
func (b *bench) sits(at cli.Terminal, args ...string) *running {
	b.Helper()
	r := &running{bench: b, out: &screen{}, err: &screen{}, code: make(chan int, 1)}
	at.Out, at.Err, at.Now = r.out, r.err, now
	args = append(args, "--kubeconfig", b.kubeconfig, "-n", b.namespace)
	// Longer than anything here takes; a command that hangs fails its test by the words on its screen.
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	r.interrupt = cancel
	go func() {
		defer cancel()
		r.code <- cli.Run(ctx, args, at)
	}()
	return r
}

func (r *running) ends() typed {
	r.Helper()
	code := <-r.code
	return typed{out: r.out.String(), err: r.err.String(), code: code}
}

// shows waits until some words are on the screen. It gives up when the command ends without them.
func (r *running) shows(words string) {
	r.Helper()
	for {
		grown := r.out.grown()
		if strings.Contains(r.out.String(), words) {
			return
		}
		select {
		case <-grown:
		case code := <-r.code:
			r.code <- code
			require.Contains(r, r.out.String(), words, "it ended with %d: %s", code, r.err.String())
			return
		}
	}
}

// screen is what a command has written so far.
type screen struct {
	mu      sync.Mutex
	text    bytes.Buffer
	waiting chan struct{}
}

// Write adds to the screen.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// grown is closed when the screen has more than it has now.
func (s *screen) grown() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	return s.waiting
}

func read[T any](t require.TestingT, text string) *T {
	object := new(T)
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), object), text)
	return object
}
