package cli_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/cli"
)

const planCanary = `apiVersion: weir.dev/v1beta1
kind: Canary
metadata: {name: podinfo}
spec:
  targetRef: {name: podinfo}
  service: {port: 9898}
  analysis:
    interval: 1m
    stepWeights: [20, 50]
    metrics:
    - name: request-success-rate
      comparison: {}
`

// planned runs `plan` on a manifest.
func planned(t *testing.T, manifest string, args ...string) (code int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = cli.Run(t.Context(), append([]string{"plan", "-f", "-"}, args...),
		cli.Terminal{In: strings.NewReader(manifest), Out: &stdout, Err: &stderr, Now: time.Now})
	return code, stdout.String(), stderr.String()
}

func TestPlan(t *testing.T) {
	load := []string{"--requests-per-minute", "2000", "--error-rate", "0.5%", "--runs", "100"}
	code, out, _ := planned(t, planCanary, load...)
	require.Zero(t, code)
	lines := strings.Split(out, "\n")
	assert.Equal(t, "Canary podinfo, 2000 requests a minute, of which 0.5 % fail; each release is played 100 times", lines[0])
	assert.Regexp(t, `^as often +0 % +- +- +100 % +2m10s$`, lines[3], "a good release takes its steps")
	assert.Regexp(t, `^20 times as often +100 % +[0-9]+s \([0-9ms]+\) +[0-9]+ \([0-9]+\) +0 % +-$`, lines[7],
		"the guard is sooner than the first round")
	_, again, _ := planned(t, planCanary, load...)
	assert.Equal(t, out, again, "the same question gives the same answer")

	type release struct {
		Times, RolledBackPercent, UsersHurt, PromotedPercent float64
		After, Takes                                         string
	}
	releases := func(manifest string, args ...string) map[float64]release {
		_, out, err := planned(t, manifest, append(append(args, load...), "-o", "json")...)
		require.Empty(t, err)
		var report struct{ Releases []release }
		require.NoError(t, json.Unmarshal([]byte(out), &report))
		by := map[float64]release{}
		for _, r := range report.Releases {
			by[r.Times] = r
		}
		return by
	}
	guarded := releases(planCanary)
	unguarded := releases(strings.Replace(planCanary, "analysis:\n", "analysis:\n    guard: {disabled: true}\n", 1))
	assert.InDelta(t, 100, guarded[20].RolledBackPercent, 0)
	assert.Less(t, guarded[20].UsersHurt, unguarded[20].UsersHurt)
	rule := releases(strings.Replace(planCanary, "comparison: {}", "thresholdRange: {min: 99.9}", 1))
	assert.Greater(t, rule[1].RolledBackPercent, 90.0, "a threshold that is not right for the application")
	longer := releases(strings.Replace(planCanary, "stepWeights: [20, 50]", "steps: [{weight: 20, pause: {duration: 10m}}]", 1),
		"--times", "3")
	assert.Equal(t, "10m5s", longer[1].Takes)
	assert.Contains(t, longer, 3.0)
	adaptive := releases(strings.Replace(planCanary, "stepWeights: [20, 50]",
		"pace: adaptive\n    steps: [{weight: 50, pause: {duration: 1h}}]", 1), "--error-rate", "5")
	assert.NotEqual(t, "1h0m5s", adaptive[1].Takes, "what has been shown need not be waited for")
}

func TestPlanRefuses(t *testing.T) {
	with := func(args ...string) []string { return append(args, "--requests-per-minute", "10") }
	for says, args := range map[string][]string{
		`--error-rate "" must be a percentage above 0 and below 100`:   with(),
		`--error-rate "often" must be a percentage`:                    with("--error-rate", "often"),
		"--requests-per-minute must be from 1 to 1000000000":           {"--error-rate", "1"},
		"--runs must be from 1 to 100000":                              with("--error-rate", "1", "--runs", "0"),
		"--times 500 must be 1 or more, and cannot make more than all": with("--error-rate", "1", "--times", "500"),
		"-o yaml is not known; it is json, or left out":                with("--error-rate", "1", "-o", "yaml"),
		"give the name of a Canary, or a file with -f":                 with("podinfo", "--error-rate", "1"),
	} {
		code, out, err := planned(t, planCanary, args...)
		assert.Equal(t, 1, code)
		assert.Empty(t, out)
		assert.Contains(t, err, says)
	}
	ok := []string{"--requests-per-minute", "10", "--error-rate", "1"}
	for manifest, says := range map[string]string{
		"kind: Service\napiVersion: v1\n": "standard input has no Canary",
		strings.Replace(planCanary, "comparison: {}", "condition: value", 1): "metric request-success-rate: condition \"value\" " +
			"cannot be used",
		strings.Replace(planCanary, "[20, 50]", "[50, 20]", 1): "spec.analysis.stepWeights must rise from step to step",
	} {
		code, _, err := planned(t, manifest, ok...)
		assert.Equal(t, 1, code)
		assert.Contains(t, err, says)
	}
}
