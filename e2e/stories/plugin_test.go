package stories

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/sandbox/image"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// plugin is kubectl weir as a person types it. It wants an exit code, and gives what was said.
func (s *story) plugin() func(code int, args ...string) string {
	s.t.Helper()
	tree, err := sandbox.Tree(s.t.Context())
	require.NoError(s.t, err)
	binary := filepath.Join(s.t.TempDir(), "kubectl-weir")
	require.NoError(s.t, image.Compile(s.t.Context(), tree, "./cmd/kubectl-weir", binary))
	return func(code int, args ...string) string {
		s.t.Helper()
		command := exec.CommandContext(s.t.Context(), binary, append([]string{"-n", s.Namespace}, args...)...)
		command.Env = append(os.Environ(), "KUBECONFIG="+s.Stage.Sandbox.Kubeconfig)
		said, err := command.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			require.NoError(s.t, err)
		}
		require.Equal(s.t, code, command.ProcessState.ExitCode(), "kubectl weir %s: %s", strings.Join(args, " "), said)
		return string(said)
	}
}

// byPlugin: what a person does by kubectl weir in the course of some releases, and what that says.
func byPlugin(s *story) {
	weir := s.plugin()
	s.adoptWith("    interval: 3s\n    manual: true\n    stepWeights: [20, 50]\n" + successRate)
	assert.Contains(s.t, weir(0, "list"), "Initialized")

	// The same version again, with new pods.
	before, _ := s.pods()
	assert.Contains(s.t, weir(0, "restart", s.Name), "has a new template, and a run of it begins")
	s.await(stage.AtWeight(20))
	assert.Contains(s.t, weir(0, "explain", s.Name), "20 % of the traffic")
	weir(0, "pause", s.Name, "--reason", "lunch")
	assert.Contains(s.t, weir(0, "status", s.Name), "lunch")
	weir(0, "resume", s.Name)
	s.await(stage.InPhase(v1beta1.PhaseWaitingPromotion))
	assert.Contains(s.t, weir(5, "status", s.Name, "--wait", "--timeout=1s"), "waiting for a person")
	weir(1, "approve", s.Name, "night-watch")
	weir(0, "approve", s.Name, v1beta1.ManualGate, "--reason", "seen by me")
	weir(0, "status", s.Name, "--wait", "--timeout=90s")
	after, _ := s.pods()
	assert.Len(s.t, after, 1)
	assert.NotEqual(s.t, before, after, "its pods are others")

	// One that is stopped, tried again and then taken without the rest of its analysis.
	s.release(stage.Version{Label: "two"})
	s.await(stage.AtWeight(20))
	weir(0, "abort", s.Name, "--reason", "not on a Friday")
	assert.Contains(s.t, weir(3, "status", s.Name, "--wait", "--timeout=60s"), "not on a Friday")
	weir(0, "retry", s.Name)
	s.await(stage.AtWeight(20))
	weir(0, "skip-step", s.Name)
	s.await(stage.AtWeight(50))
	weir(0, "promote", s.Name, "--full", "--reason", "hotfix")
	weir(0, "status", s.Name, "--wait", "--timeout=90s")
	history := weir(0, "history", s.Name)
	for _, told := range []string{"PromotedInFull", "Aborted", "approve manual by", "promote --full by"} {
		assert.Contains(s.t, history, told)
	}
	c := s.ended(3, v1beta1.OutcomePromoted)
	assert.Equal(s.t, "two", s.message(), "the version that was promoted serves")
	assert.Equal(s.t, "PromotedInFull", c.Status.History[0].Reason)
	assert.Contains(s.t, c.Status.History[1].Message, "not on a Friday")
	s.remove()
	s.vanilla()
}

// message is what the application answers.
func (s *story) message() string {
	s.t.Helper()
	answers := s.requests.Answers()
	require.NotEmpty(s.t, answers)
	return answers[len(answers)-1].Version
}

// rolling: without steps and checks a version is released as soon as its pods are ready, and no request is lost; while
// the Canary is suspended, nothing is.
func rolling(s *story) {
	s.adoptWith("    {}\n")
	s.release(stage.Version{Label: "two"})
	c := s.ended(1, v1beta1.OutcomePromoted)
	assert.Equal(s.t, "NotAnalysed", c.Status.History[0].Reason)

	s.manage("    interval: 3s\n    stepWeights: [20]\n  skipAnalysis: true\n")
	s.release(stage.Version{Label: "three"})
	s.ended(2, v1beta1.OutcomePromoted)

	s.manage("    interval: 3s\n    stepWeights: [20]\n  suspend: true\n")
	s.release(stage.Version{Label: "four"})
	time.Sleep(5 * time.Second)
	c = s.await(func(*v1beta1.Canary) bool { return true })
	assert.Nil(s.t, c.Status.Run, "no run begins")
	assert.Equal(s.t, "three", s.message())
	s.manage("    interval: 3s\n    stepWeights: [20]\n")
	s.ended(3, v1beta1.OutcomePromoted)
	s.remove()
	s.vanilla()
}

// affinity: a user who has met the canary stays with it at any weight, and is sent home when it is rolled back.
func affinity(s *story) {
	s.adoptWith(`    interval: 5s
    stepWeights: [40]
    manual: true
    sessionAffinity: {cookieName: met-canary}
`)
	s.release(stage.Version{Label: "two"})
	c := s.await(stage.InPhase(v1beta1.PhaseWaitingPromotion))
	settled()
	user := load.Start(s.t.Context(), load.Config{
		URL: s.Stage.Sandbox.TraefikURL, Host: s.Host, Path: "/", Rate: 20, Header: http.Header{"Cookie": {s.cookie()}},
	})
	assert.Equal(s.t, 100, s.share(user, c.Status.Canary.Hash, 3*time.Second), "who has met it stays with it")
	near(s, 40, s.share(s.requests, c.Status.Canary.Hash, 4*time.Second))
	s.command(v1beta1.Command{Verb: v1beta1.VerbAbort, Reason: "no"})
	s.ended(1, v1beta1.OutcomeAborted)
	settled()
	assert.Zero(s.t, s.share(user, c.Status.Canary.Hash, 3*time.Second), "the cookie leads to the primary then")
	assert.Zero(s.t, load.Summarise(user.Stop(), time.Time{}).Lost)
	s.remove()
}

// cookie asks until the canary answers, and gives what it has set.
func (s *story) cookie() string {
	s.t.Helper()
	var cookie string
	require.Eventually(s.t, func() bool {
		req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.Stage.Sandbox.TraefikURL+"/", http.NoBody)
		require.NoError(s.t, err)
		req.Host = s.Host
		res, err := http.DefaultClient.Do(req)
		require.NoError(s.t, err)
		defer res.Body.Close()
		for _, c := range res.Cookies() {
			cookie = c.Name + "=" + c.Value
		}
		return cookie != ""
	}, patience, 50*time.Millisecond)
	return cookie
}
