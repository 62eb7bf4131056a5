package stories

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// chart is a user's chart: an application and its Canary.
type chart struct {
	*story
	dir, helm string
}

// chart makes one in a folder of the test's.
func (s *story) chart() *chart {
	s.t.Helper()
	program, err := s.Stage.Sandbox.Helm(s.t.Context())
	require.NoError(s.t, err)
	c := &chart{story: s, dir: s.t.TempDir(), helm: program}
	require.NoError(s.t, os.WriteFile(filepath.Join(c.dir, "Chart.yaml"),
		[]byte("apiVersion: v2\nname: podinfo\nversion: 1.0.0\n"), 0o600))
	require.NoError(s.t, os.Mkdir(filepath.Join(c.dir, "templates"), 0o700))
	return c
}

// write puts the given kinds of a version into the chart, and a Canary. With a deadline the Deployment has the one
// that every Deployment has; else it has none, as Kubernetes and kstatus see it.
func (c *chart) write(v stage.Version, deadline bool, kinds ...string) {
	c.t.Helper()
	manifests, err := c.Manifests(v)
	require.NoError(c.t, err)
	var template bytes.Buffer
	for doc := range strings.SplitSeq(string(manifests), "---\n") {
		for _, kind := range kinds {
			if strings.Contains(doc, "kind: "+kind+"\n") {
				template.WriteString("---\n" + doc)
			}
		}
	}
	text := template.String()
	if !deadline {
		text = strings.Replace(text, "spec:\n", "spec:\n  progressDeadlineSeconds: 2147483647\n", 1)
	}
	text += "\n---\n" + string(c.Canary(analysis))
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, "templates", "app.yaml"), []byte(text), 0o600))
}

// upgrade installs or upgrades the release.
func (c *chart) upgrade(args ...string) (said string, err error) {
	args = append([]string{"upgrade", "--install", "podinfo", c.dir, "--namespace", c.Namespace}, args...)
	command := exec.CommandContext(c.t.Context(), c.helm, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Stage.Sandbox.Kubeconfig, "HOME="+c.dir)
	begun := time.Now()
	out, err := command.CombinedOutput()
	c.t.Logf("helm %s: %s: %v\n%s", strings.Join(args, " "), time.Since(begun).Round(100*time.Millisecond), err, out)
	return string(out), err
}

// gitopsHelm: a chart with a Deployment, its Service and its Canary, and what Helm waits for.
func gitopsHelm(s *story) {
	c := s.chart()
	kinds := []string{"Deployment", "Service"}
	// Helm waits for a condition that a Deployment has only while it is not paused. The application is adopted all
	// the same. (The stage has made the Deployment, so this is also how one comes into a chart.)
	c.write(stage.Version{Label: "zero"}, true, kinds...)
	said, err := c.upgrade("--take-ownership", "--force-conflicts", "--wait", "--timeout=30s")
	require.Error(s.t, err)
	assert.Contains(s.t, said, "ReplicaSet not Available")
	s.await(stage.InPhase(v1beta1.PhaseInitialized))
	s.disown()

	// Helm passes over a Deployment that is paused already. Whether it sees the Canary at work or still at rest is
	// chance; the status of the Deployment is none.
	c.write(stage.Version{Label: "two"}, false, kinds...)
	_, err = c.upgrade("--wait", "--timeout=90s")
	require.NoError(s.t, err)
	s.kubectl("rollout", "status", "deployment/podinfo", "--timeout=90s")
	s.await(func(c *v1beta1.Canary) bool { return len(c.Status.History) == 1 })
	s.ended(1, v1beta1.OutcomePromoted)
	s.ownsOneField()

	c.write(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true}, false, kinds...)
	said, err = c.upgrade("--wait", "--timeout=90s")
	s.ended(2, v1beta1.OutcomeRolledBack)
	if err != nil {
		assert.Contains(s.t, said, "was rolled back")
	}
	c.write(stage.Version{Label: "two"}, false, kinds...)
	_, err = c.upgrade()
	require.NoError(s.t, err)
	s.await(stage.InPhase(v1beta1.PhaseSucceeded))

	// The rules of the route are Weir's.
	c.write(stage.Version{Label: "two"}, false, append(kinds, "HTTPRoute")...)
	said, err = c.upgrade("--take-ownership")
	require.Error(s.t, err)
	assert.Contains(s.t, said, ".spec.rules")
	s.remove()
	s.vanilla()
}
