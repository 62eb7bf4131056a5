package main

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/sandbox"
)

// TestDemo types the two commands of the quick start: one that keeps all, and one that takes it away again, but for a
// cluster that was there before.
func TestDemo(t *testing.T) {
	if os.Getenv("WEIR_E2E") != "1" {
		t.Skip("played by make e2e (WEIR_E2E=1)")
	}
	_, err := sandbox.Open(sandbox.Options{})
	found := err == nil
	plays(t, "go", "run", "./e2e/demo", "-keep")
	kept, err := sandbox.Open(sandbox.Options{})
	require.NoError(t, err, "the cluster is kept")
	if !found {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			assert.NoError(t, kept.Down(ctx))
		})
	}
	kubectl := func(args ...string) (string, error) {
		said, err := exec.CommandContext(t.Context(), kept.Kubectl(), append(args, "--kubeconfig="+kept.Kubeconfig)...).Output()
		return string(said), err
	}
	phase, err := kubectl("-n", "demo", "get", "canary", "podinfo", "-o", "jsonpath={.status.phase}")
	require.NoError(t, err)
	assert.Equal(t, "Failed", phase, "and the application, as the demo leaves it")
	plays(t, "make", "demo")
	namespace, err := kubectl("get", "namespace", "demo", "--ignore-not-found")
	require.NoError(t, err)
	assert.Empty(t, namespace, "the application is not kept")
}

// plays types a command at the top of the tree, and wants to see what the README shows.
func plays(t *testing.T, program string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	command.Dir = "../.."
	said, err := command.CombinedOutput()
	t.Logf("%s", said)
	require.NoError(t, err)
	assert.Regexp(t, `outcome +Promoted +RolledBack\n`, string(said))
	assert.Regexp(t, `lost +0 +0\n`, string(said))
}
