package argocd_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/argocd"
)

const scripts = "../../artifacts/argocd/"

func script(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(scripts + name)
	require.NoError(t, err)
	return string(content)
}

func object(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(manifest))
	require.NoError(t, err)
	obj := &unstructured.Unstructured{}
	require.NoError(t, obj.UnmarshalJSON(raw))
	return obj
}

// canary is one at work, with more in its status.
func canary(t *testing.T, more string) *unstructured.Unstructured {
	t.Helper()
	return object(t, `
apiVersion: weir.dev/v1beta1
kind: Canary
metadata: {name: app, generation: 2, resourceVersion: "17", annotations: {}}
spec: {targetRef: {name: app}, analysis: {metrics: []}}
status:
  observedGeneration: 2
  phase: Progressing
  weight: 20
  conditions:
  - {type: Ready, status: "False", reason: Analysing, message: step 1/2 is being analysed}
`+more)
}

// TestCanaryHealth has what the Canaries of e2e/integration do not come to.
func TestCanaryHealth(t *testing.T) {
	for name, tt := range map[string]struct {
		canary *unstructured.Unstructured
		want   argocd.Health
	}{
		"new": {object(t, "{apiVersion: weir.dev/v1beta1, kind: Canary, metadata: {name: app, generation: 1}, spec: {}}"),
			argocd.Health{Status: "Progressing", Message: "Weir has not looked at it yet"}},
		"at a step": {canary(t, "  run: {id: a}"),
			argocd.Health{Status: "Progressing", Message: "weight 20: step 1/2 is being analysed"}},
		"suspended": {canary(t, "  - {type: Suspended, status: 'True', message: spec.suspend is set}"),
			argocd.Health{Status: "Suspended", Message: "spec.suspend is set"}},
		"not suspended any more": {canary(t, "  - {type: Suspended, status: 'False', message: at work}"),
			argocd.Health{Status: "Progressing", Message: "step 1/2 is being analysed"}},
		"a person is waited for": {canary(t, "  run: {id: a}\n  gates: [{name: manual, run: a, state: Closed}]"),
			argocd.Health{Status: "Suspended", Message: "step 1/2 is being analysed"}},
		"a person has agreed": {canary(t, "  run: {id: a}\n  gates: [{name: manual, run: a, state: Approved}]"),
			argocd.Health{Status: "Progressing", Message: "weight 20: step 1/2 is being analysed"}},
		"a person was waited for in another run": {canary(t, "  run: {id: b}\n  gates: [{name: manual, run: a, state: Closed}]"),
			argocd.Health{Status: "Progressing", Message: "weight 20: step 1/2 is being analysed"}},
		"a webhook is waited for": {canary(t, "  run: {id: a}\n  gates: [{name: smoke, run: a, state: Closed}]"),
			argocd.Health{Status: "Progressing", Message: "weight 20: step 1/2 is being analysed"}},
		"suspended and stalled": {canary(t, "  - {type: Stalled, status: 'True', message: rolled back}\n"+
			"  - {type: Suspended, status: 'True', message: spec.suspend is set}"),
			argocd.Health{Status: "Degraded", Message: "rolled back"}},
	} {
		got, err := argocd.Judge(script(t, "canary-health.lua"), tt.canary)
		require.NoError(t, err, name)
		assert.Equal(t, tt.want, got, name)
	}
	changed := canary(t, "")
	changed.SetGeneration(3)
	got, err := argocd.Judge(script(t, "canary-health.lua"), changed)
	require.NoError(t, err)
	assert.Equal(t, argocd.Health{Status: "Progressing", Message: "Weir has not looked at this version of it yet"}, got)
}

// TestDeploymentHealth: e2e/integration has Deployments under Weir; all others are as Argo CD itself says.
func TestDeploymentHealth(t *testing.T) {
	for name, tt := range map[string]struct{ metadata, spec, status, want string }{
		"rolled out":            {"", "", "updatedReplicas: 2, replicas: 2, availableReplicas: 2", "Healthy"},
		"not seen yet":          {"generation: 5, ", "", "updatedReplicas: 2, replicas: 2, availableReplicas: 2", "Progressing"},
		"few new pods":          {"", "", "updatedReplicas: 1, replicas: 2, availableReplicas: 2", "Progressing"},
		"old pods are left":     {"", "", "updatedReplicas: 2, replicas: 3, availableReplicas: 3", "Progressing"},
		"pods not available":    {"", "", "updatedReplicas: 2, replicas: 2, availableReplicas: 1", "Progressing"},
		"past its deadline":     {"", "", "conditions: [{type: Progressing, reason: ProgressDeadlineExceeded}]", "Degraded"},
		"scaled to zero":        {"", "replicas: 0, ", "", "Healthy"},
		"paused by a person":    {"", "paused: true, ", "updatedReplicas: 2, replicas: 2, availableReplicas: 2", "Suspended"},
		"another field of ours": {by("weir", "f:replicas"), "paused: true, ", "", "Suspended"},
		"paused by another":     {by("freeze", "f:paused"), "paused: true, ", "", "Suspended"},
		"paused by Weir": {by("weir", "f:paused"), "paused: true, ", "updatedReplicas: 2, replicas: 2, availableReplicas: 2",
			"Healthy"},
		"paused by Weir, new template": {by("weir", "f:paused"), "paused: true, ",
			"updatedReplicas: 0, replicas: 2, availableReplicas: 2", "Progressing"},
	} {
		metadata, status := tt.metadata, tt.status
		if !strings.Contains(metadata, "generation") {
			metadata += "generation: 4, "
		}
		got, err := argocd.Judge(script(t, "deployment-health.lua"), object(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {"+
			metadata+"name: app}, spec: {replicas: 2, "+tt.spec+"template: {}}, status: {observedGeneration: 4, "+status+"}}"))
		require.NoError(t, err, name)
		assert.Equal(t, tt.want, got.Status, "%s: %s", name, got.Message)
	}
}

func by(manager, field string) string {
	return "managedFields: [{manager: " + manager + ", operation: Apply, fieldsV1: {'f:spec': {'" + field + "': {}}}}], "
}

// TestActions takes each action: it leaves a command, and nothing else is changed.
func TestActions(t *testing.T) {
	for _, verb := range []string{"pause", "resume", "promote", "abort", "retry"} {
		before := canary(t, "  run: {id: a}")
		after, err := argocd.Act(script(t, "actions/"+verb+".lua"), before.DeepCopy())
		require.NoError(t, err, verb)
		var command map[string]string
		require.NoError(t, json.Unmarshal([]byte(after.GetAnnotations()["weir.dev/command"]), &command), verb)
		assert.Regexp(t, `^argocd-\d{10}-17$`, command["id"])
		delete(command, "id")
		assert.Equal(t, map[string]string{"verb": verb, "reason": "an action in Argo CD", "actor": "argocd"}, command)
		unstructured.RemoveNestedField(after.Object, "metadata", "annotations", "weir.dev/command")
		assert.Equal(t, before.Object, after.Object, verb)
	}
}

func TestDiscovery(t *testing.T) {
	for name, tt := range map[string]struct {
		canary *unstructured.Unstructured
		want   []string
	}{
		"at rest":     {canary(t, ""), nil},
		"in a run":    {canary(t, "  run: {id: a}"), []string{"pause", "resume", "promote", "abort"}},
		"paused":      {canary(t, "  run: {id: a, paused: {actor: ann}}"), []string{"resume", "promote", "abort"}},
		"rolled back": {object(t, "{apiVersion: v1, kind: C, metadata: {}, status: {phase: Failed}}"), []string{"retry"}},
		"new":         {object(t, "{apiVersion: v1, kind: C, metadata: {}}"), nil},
	} {
		actions, err := argocd.Discover(script(t, "actions/discovery.lua"), tt.canary)
		require.NoError(t, err, name)
		want := map[string]bool{"pause": false, "resume": false, "promote": false, "abort": false, "retry": false}
		for _, action := range tt.want {
			want[action] = true
		}
		assert.Equal(t, want, actions, name)
	}
}

var rewrite = flag.Bool("rewrite", false, "write argocd-cm.yaml anew from the scripts")

// TestConfigMap holds what a user applies to the scripts that are tested here.
func TestConfigMap(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# What Argo CD has to know of Weir. The scripts are those beside this file; see docs/gitops.md.
#   kubectl -n argocd patch configmap argocd-cm --patch-file weir/artifacts/argocd/argocd-cm.yaml
data:
  resource.customizations.health.weir.dev_Canary: |
`)
	block := func(name, indent string) {
		for line := range strings.Lines(script(t, name)) {
			if line != "\n" {
				b.WriteString(indent)
			}
			b.WriteString(line)
		}
	}
	block("canary-health.lua", "    ")
	b.WriteString("  resource.customizations.health.apps_Deployment: |\n")
	block("deployment-health.lua", "    ")
	b.WriteString("  resource.customizations.actions.weir.dev_Canary: |\n    discovery.lua: |\n")
	block("actions/discovery.lua", "      ")
	b.WriteString("    definitions:\n")
	for _, verb := range []string{"pause", "resume", "promote", "abort", "retry"} {
		b.WriteString("    - name: " + verb + "\n      action.lua: |\n")
		block("actions/"+verb+".lua", "        ")
	}
	file := filepath.Clean(scripts + "argocd-cm.yaml")
	if *rewrite {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, b.String(), string(content), "run go test ./e2e/argocd -rewrite")
	var patch struct{ Data map[string]string }
	require.NoError(t, yaml.UnmarshalStrict(content, &patch))
	assert.Equal(t, script(t, "canary-health.lua"), patch.Data["resource.customizations.health.weir.dev_Canary"])
	var actions struct {
		Discovery   string              `json:"discovery.lua"`
		Definitions []map[string]string `json:"definitions"`
	}
	require.NoError(t, yaml.UnmarshalStrict([]byte(patch.Data["resource.customizations.actions.weir.dev_Canary"]), &actions))
	assert.Equal(t, script(t, "actions/discovery.lua"), actions.Discovery)
	assert.Len(t, actions.Definitions, 5)
}
