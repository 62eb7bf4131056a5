package monitoring_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reading is what e2e/tools/promql makes of an expression.
type reading struct {
	Refused string
	Metrics []struct {
		Name   string
		Labels []string
	}
	Labels []string
}

// testExpressions: Prometheus can read them, and they ask for what the operator registers, by the labels that it has.
func testExpressions(t *testing.T, expressions []string) {
	t.Helper()
	asked, err := json.Marshal(expressions)
	require.NoError(t, err)
	var readings []reading
	require.NoError(t, json.Unmarshal(tool(t, "promql", asked), &readings))
	require.Len(t, readings, len(expressions))
	known := series(t)
	for i, r := range readings {
		assert.Empty(t, r.Refused, expressions[i])
		var labels []string
		for _, m := range r.Metrics {
			if assert.Contains(t, known, m.Name, expressions[i]) {
				labels = append(labels, known[m.Name]...)
				assert.Subset(t, known[m.Name], m.Labels, expressions[i])
			}
		}
		for _, l := range r.Labels {
			assert.Contains(t, labels, l, expressions[i])
		}
	}
}

// tool runs a program of a module of its own, below e2e/tools.
func tool(t *testing.T, name string, input []byte, args ...string) []byte {
	t.Helper()
	run := command(t, name, input, args...)
	var said bytes.Buffer
	run.Stderr = &said
	out, err := run.Output()
	require.NoError(t, err, "%s: %s", name, &said)
	return out
}

func command(t *testing.T, name string, input []byte, args ...string) *exec.Cmd {
	t.Helper()
	run := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"run", "."}, args)...)
	run.Dir = tree + "e2e/tools/" + name
	run.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	run.Stdin = bytes.NewReader(input)
	return run
}
