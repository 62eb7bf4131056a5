package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/cli"
)

const lintCanary = `apiVersion: weir.dev/v1beta1
kind: Canary
metadata:
  name: podinfo
spec:
  provider: gatewayapi
  targetRef:
    name: podinfo
  service:
    port: 9898
    gatewayRefs:
    - name: main
  analysis:
    stepWeights: [10, 50]
    metrics:
    - name: request-success-rate
      thresholdRange: {min: 99}
`

const lintTemplate = `apiVersion: weir.dev/v1beta1
kind: MetricTemplate
metadata:
  name: errors
spec:
  provider: {type: prometheus}
  query: sum(rate(errors{path="{{ variables.path }}"}[{{ interval }}]))
`

const lintClusterTemplate = `apiVersion: weir.dev/v1beta1
kind: ClusterMetricTemplate
metadata:
  name: errors
spec:
  provider: {type: prometheus, address: "http://prometheus"}
  query: sum(rate(errors{path="{{ variables.path }}"}[{{ interval }}]))
`

const lintJob = `apiVersion: weir.dev/v1beta1
kind: MetricTemplate
metadata:
  name: smoke
spec:
  provider:
    type: job
    job: {template: {spec: {containers: [{name: smoke, image: smoke}]}}}
`

const lintAlerts = `apiVersion: weir.dev/v1beta1
kind: AlertProvider
metadata:
  name: slack
spec:
  type: slack
  secretRef: {name: slack}
`

const lintClusterAlerts = `apiVersion: weir.dev/v1beta1
kind: ClusterAlertProvider
metadata:
  name: slack
spec:
  type: slack
  secretRef: {name: slack, namespace: weir-system}
`

// testLint shows what lint says of manifests with something wrong in them, and that the API server says the same.
// Rewrite it with `go test ./pkg/cli -run CLI/Lint -rewrite`.
func testLint(t *testing.T, s *server) {
	b := s.bench(t)
	bases := map[string]string{
		"canary": lintCanary, "template": lintTemplate, "cluster-template": lintClusterTemplate,
		"alerts": lintAlerts, "clusteralerts": lintClusterAlerts,
	}
	datadriven.RunTest(t, "testdata/lint.txt", func(t *testing.T, d *datadriven.TestData) string {
		object, patch := map[string]any{}, map[string]any{}
		require.NoError(t, yaml.Unmarshal([]byte(bases[d.Cmd]), &object))
		require.NoError(t, yaml.Unmarshal([]byte(d.Input), &patch))
		lay(object, patch)
		raw, err := yaml.Marshal(object)
		require.NoError(t, err)
		typed := lints(string(raw))
		var told strings.Builder
		for _, sentence := range said(typed.out) {
			fmt.Fprintln(&told, sentence)
		}
		switch refused := b.server.refuses(t, b.namespace, object); {
		case refused:
			require.Equal(t, 1, typed.code, "the API server refuses what lint takes")
		case typed.code == 0:
			fmt.Fprintln(&told, "nothing wrong")
		default:
			fmt.Fprintln(&told, "(the API server takes it)")
		}
		return told.String()
	})
}

// refuses says whether the API server does not take an object.
func (s *server) refuses(t *testing.T, namespace string, object map[string]any) bool {
	t.Helper()
	u := &unstructured.Unstructured{Object: object}
	resource, served := map[string]string{
		"Canary": "canaries", "MetricTemplate": "metrictemplates", "ClusterMetricTemplate": "clustermetrictemplates",
		"AlertProvider": "alertproviders", "ClusterAlertProvider": "clusteralertproviders",
	}[u.GetKind()]
	if !served || u.GetAPIVersion() != v1beta1.SchemeGroupVersion.String() {
		return true
	}
	if strings.HasPrefix(u.GetKind(), "Cluster") {
		namespace = metav1.NamespaceNone
	}
	_, err := s.dynamic.Resource(v1beta1.SchemeGroupVersion.WithResource(resource)).Namespace(namespace).
		Create(t.Context(), u.DeepCopy(), metav1.CreateOptions{
			DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict,
		})
	return err != nil
}

// lints gives lint something by standard input.
func lints(manifests string, args ...string) typed {
	var out, err bytes.Buffer
	code := cli.Run(context.Background(), append([]string{"lint", "-f", "-"}, args...),
		cli.Terminal{In: strings.NewReader(manifests), Out: &out, Err: &err, Now: now})
	return typed{out.String(), err.String(), code}
}

// said are the sentences of problems, without where they are.
func said(out string) []string {
	var all []string
	for line := range strings.Lines(out) {
		if parts := strings.SplitN(strings.TrimSpace(line), ": ", 3); len(parts) == 3 {
			all = append(all, parts[2])
		}
	}
	return all
}

// TestLintExamples: what people copy has nothing wrong with it, each file by itself and all together.
func TestLintExamples(t *testing.T) {
	const folder = "../../artifacts/examples"
	files, err := filepath.Glob(folder + "/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range append(files, folder) {
		typed := offline("lint", "-f", file)
		assert.Equal(t, 0, typed.code, typed.out)
		assert.Contains(t, typed.out, "no problem")
	}
}

// TestLintTogether looks at objects that name each other.
func TestLintTogether(t *testing.T) {
	const metric = `    - name: errors
      thresholdRange: {max: 1}
      templateRef:
        name: errors
`
	const ofCluster = metric + "        kind: ClusterMetricTemplate\n"
	const byJob = "    - name: smoke\n      templateRef: {name: smoke}\n"
	swapped := func(manifest, old, new string) string { return strings.Replace(manifest, old, new, 1) }
	name := strings.Repeat("a", 54)
	long, byName := "    name: "+name+"\n", swapped(lintTemplate, "variables.path", "pods")
	for name, c := range map[string]struct {
		manifests []string
		says      []string
	}{
		"variable missing": {[]string{lintCanary + metric, lintTemplate}, []string{
			"metric errors: MetricTemplate errors: the query cannot be filled in: query:1:25: " +
				`executing "query" at <variables>: map has no entry for key "path"`}},
		"variable missing of a cluster's": {[]string{lintCanary + ofCluster, lintClusterTemplate}, []string{
			"metric errors: ClusterMetricTemplate errors: the query cannot be filled in: query:1:25: " +
				`executing "query" at <variables>: map has no entry for key "path"`}},
		"variable there of a cluster's": {
			[]string{lintCanary + ofCluster + "      templateVariables: {path: a}\n", lintClusterTemplate}, nil},
		"the other kind":               {[]string{lintCanary + ofCluster, lintTemplate}, nil},
		"the cluster's, and not meant": {[]string{lintCanary + metric, lintClusterTemplate}, nil},
		"variable there":               {[]string{lintCanary + metric + "      templateVariables: {path: a}\n", lintTemplate}, nil},
		"a Job":                        {[]string{lintCanary + byJob, lintJob}, nil},
		"a Job compared": {[]string{lintCanary + byJob + "      comparison: {}\n", lintJob}, []string{
			"metric smoke: MetricTemplate smoke: the verdict of type job is the exit code; remove the metric's comparison"}},
		"a Job of a cluster's, with a range": {[]string{
			lintCanary + swapped(byJob, "{name", "{kind: ClusterMetricTemplate, name") + "      thresholdRange: {min: 1}\n",
			swapped(lintJob, "MetricT", "ClusterMetricT"),
		}, []string{
			"metric smoke: ClusterMetricTemplate smoke: the verdict of type job is the exit code; remove the metric's thresholdRange"}},
		"variables of a Job": {[]string{lintCanary + byJob + "      templateVariables: {a.b: v, a-b: w}\n", lintJob}, []string{
			"metric smoke: MetricTemplate smoke: templateVariables a-b and a.b are both WEIR_VARIABLES_A_B to a container; " +
				"rename one of them"}},
		"judged by nothing": {[]string{lintCanary + swapped(metric, "      thresholdRange: {max: 1}\n", ""),
			swapped(lintTemplate, "variables.path", "name")}, []string{
			"metric errors: MetricTemplate errors: it is not of type job, which alone is judged without thresholdRange, " +
				"condition and comparison; set one of them in the metric"}},
		"port": {[]string{lintCanary, deployment, service}, []string{
			"Service podinfo has no port 9898; set spec.service.port to one of its ports"}},
		"selector": {[]string{lintCanary, deployment, swapped(service, "app: podinfo", "app: other")}, []string{
			"Service podinfo does not select the pods of Deployment podinfo; correct its selector, " +
				"or make this Canary anew with another spec.service.name"}},
		"paused": {[]string{lintCanary, swapped(deployment, "spec:\n", "spec:\n  paused: false\n")}, []string{
			"leave spec.paused out: it is the one field that Weir owns"}},
		"partition": {[]string{lintCanaryOf("StatefulSet"), statefulSet("{rollingUpdate: {partition: 0}}")}, []string{
			"leave spec.updateStrategy.rollingUpdate.partition out: it is the one field that Weir owns"}},
		"no partition": {[]string{lintCanaryOf("StatefulSet"), statefulSet("{type: OnDelete}")}, []string{
			"StatefulSet podinfo has spec.updateStrategy.type OnDelete, with which it has no partition; set it to RollingUpdate"}},
		"type": {[]string{lintCanaryOf("DaemonSet"), daemonSet("{type: RollingUpdate, rollingUpdate: {maxUnavailable: 2}}")}, []string{
			"leave spec.updateStrategy.type out: it is the one field that Weir owns"}},
		"StatefulSet":        {[]string{lintCanaryOf("StatefulSet"), statefulSet("{type: RollingUpdate}")}, nil},
		"DaemonSet":          {[]string{lintCanaryOf("DaemonSet"), daemonSet("{rollingUpdate: {maxUnavailable: 2}}")}, nil},
		"of another kind":    {[]string{lintCanaryOf("StatefulSet"), daemonSet("{type: OnDelete}")}, nil},
		"of another API":     {[]string{lintCanaryOf("StatefulSet"), swapped(statefulSet("{type: OnDelete}"), "apps", "other")}, nil},
		"without a selector": {[]string{lintCanary, swapped(deployment, "selector", "other")}, nil},
		"selector in place": {[]string{
			lintCanaryOf("DaemonSet"), daemonSet("{}"), swapped(service, "app: podinfo", "app: other"),
		}, []string{
			"Service podinfo does not select the pods of DaemonSet podinfo; correct its selector, " +
				"or make this Canary anew with another spec.service.name"}},
		"pods by name": {[]string{swapped(lintCanaryOf("StatefulSet"), "    name: podinfo\n", long) + metric, byName}, nil},
		"pods by ReplicaSet": {[]string{swapped(lintCanary, "    name: podinfo\n", long) + metric, byName}, []string{
			"metric errors: MetricTemplate errors: the query cannot be filled in: query:1:25: " +
				`executing "query" at <pods>: error calling pods: the pods of ReplicaSet ` + name +
				"-0000000000 cannot be told from those of " +
				"other revisions by name, because Kubernetes cuts names that are longer than 58 characters; " +
				"use a metric by Service, or shorten the name of the Deployment"}},
		"two of one StatefulSet": {[]string{lintCanaryOf("StatefulSet"),
			swapped(lintCanaryOf("StatefulSet"), "name: podinfo", "name: other")}, []string{
			"StatefulSet podinfo is the target of Canary podinfo already; remove one of the two"}},
		"two of one target": {[]string{lintCanary, swapped(lintCanary, "name: podinfo", "name: other")}, []string{
			"Deployment podinfo is the target of Canary podinfo already; remove one of the two"}},
		"in two namespaces": {[]string{swapped(lintCanary, "name: podinfo", "name: podinfo\n  namespace: a"),
			swapped(lintCanary, "name: podinfo", "name: podinfo\n  namespace: b")}, nil},
		"annotated": {[]string{annotated("{weir.dev/canary: 'true', weir.dev/step-weights: '5,50'}"), service}, nil},
		"annotated wrongly": {
			[]string{annotated("{weir.dev/canary: 'true', weir.dev/step-weights: '50,5', weir.dev/prot: '80'}"), service},
			[]string{`the annotation weir.dev/step-weights is "50,5"; it must be percentages that rise, for example 5,20,50; ` +
				"the annotation weir.dev/prot is not known; there are weir.dev/canary, weir.dev/profile, weir.dev/port, weir.dev/provider, " +
				"weir.dev/hosts, weir.dev/gateways, weir.dev/ingress, weir.dev/step-weights, weir.dev/interval, weir.dev/threshold, " +
				"weir.dev/success-rate, weir.dev/latency, weir.dev/metrics-server, weir.dev/skip-analysis, " +
				"weir.dev/runbook-url, weir.dev/dashboard-url"}},
		"annotated, neither true nor false": {[]string{annotated("{weir.dev/canary: 'yes'}")}, []string{
			`the annotation weir.dev/canary is "yes"; it must be "true" or "false"`}},
		"annotated for what the API server does not take": {
			[]string{annotated("{weir.dev/canary: 'true', weir.dev/provider: nginx}"), service}, []string{
				"its Canary: spec: the provider nginx needs spec.ingressRef, the Ingress that leads to the apex Service"}},
		"annotated beyond the limits": {[]string{
			annotated("{weir.dev/canary: 'true', weir.dev/profile: careful, weir.dev/step-weights: '40'}"), service, lintProfile,
		}, []string{
			"spec.analysis goes from 0 % of the traffic to 40 % at step 1; CanaryProfile careful lets a step add 20 % at most"}},
		"asked of whom the profile does not allow": {[]string{
			swapped(lintCanary, "  name: podinfo\n", "  name: podinfo\n  annotations: {weir.dev/profile: careful}\n") + byJob,
			lintJob, swapped(lintProfile, "maxStep: 20", "metricProviders: [prometheus, web]"),
		}, []string{
			"spec.analysis.metrics[1] is asked of job by MetricTemplate smoke; CanaryProfile careful allows prometheus, web"}},
		"annotated, and a Canary of somebody's": {[]string{
			lintCanary, annotated("{weir.dev/canary: 'true', weir.dev/port: '80'}"),
		}, []string{
			"Deployment podinfo is the target of Canary podinfo already; remove one of the two"}},
		"in a list": {[]string{"apiVersion: v1\nkind: List\nitems:\n- " +
			strings.ReplaceAll(strings.TrimSpace(swapped(lintCanary, "[10, 50]", "[50, 10]")), "\n", "\n  ")}, []string{
			"spec.analysis.stepWeights must rise from step to step, for example [5, 20, 50]"}},
	} {
		t.Run(name, func(t *testing.T) {
			typed := lints(strings.Join(c.manifests, "\n---\n"))
			assert.Equal(t, c.says, said(typed.out), typed.out)
		})
	}
}

const lintProfile = `apiVersion: weir.dev/v1beta1
kind: CanaryProfile
metadata: {name: careful}
spec: {limits: {maxStep: 20}}
`

// annotated is the Deployment with annotations.
func annotated(annotations string) string {
	return strings.Replace(deployment, "{name: podinfo}", "{name: podinfo, annotations: "+annotations+"}", 1)
}

// lintCanaryOf is a Canary for a target whose pods are replaced in place.
func lintCanaryOf(kind string) string {
	return strings.NewReplacer("provider: gatewayapi", "provider: kubernetes", "targetRef:", "targetRef:\n    kind: "+kind,
		"    gatewayRefs:\n    - name: main\n", "").Replace(lintCanary)
}

func statefulSet(strategy string) string {
	return strings.NewReplacer("Deployment", "StatefulSet", "spec:\n", "spec:\n  updateStrategy: "+strategy+"\n").Replace(deployment)
}

func daemonSet(strategy string) string {
	return strings.Replace(statefulSet(strategy), "StatefulSet", "DaemonSet", 1)
}

func TestLintOfUnknownProvider(t *testing.T) {
	typed := lints(strings.Replace(lintCanary, "provider: gatewayapi", "provider: istiod", 1))
	assert.Equal(t, 1, typed.code)
	assert.Contains(t, typed.out, "spec.provider: this version of Weir has no router istiod; set it to one of ")
}

func TestLintOfWhatIsNoManifest(t *testing.T) {
	for manifest, said := range map[string]string{
		lintCanary + "spec: {}\n":           `18: the document cannot be read: key "spec" already set in map`,
		service + "---\na: 1\nb: [\nc: 1\n": "10: the document cannot be read: did not find expected ',' or ']'",
		"- a\n":                             "1: the document cannot be read: it is no object with apiVersion and kind",
		"kind: Canary\n":                    "1: Canary: apiVersion or kind is missing; set both",
	} {
		assert.Equal(t, "standard input:"+said+"\n", lints(manifest).out)
	}
	assert.Equal(t, 0, lints("---\n# nothing\n---\n").code)
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: podinfo}
spec:
  selector: {matchLabels: {app: podinfo}}
  template:
    metadata: {labels: {app: podinfo}}
    spec: {containers: [{name: podinfo, image: "podinfo:1"}]}
`

const service = `apiVersion: v1
kind: Service
metadata: {name: podinfo}
spec:
  selector: {app: podinfo}
  ports: [{port: 80}]
`

// TestLintPlaces: a problem is told with the file, the line of the field, and the object.
func TestLintPlaces(t *testing.T) {
	dir := t.TempDir()
	bad := "# a comment\n" + service + "---\n" + strings.Replace(lintCanary, "[10, 50]", "[50, 10]", 1) + "---\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bad.yaml"), []byte(bad), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "read.me"), []byte(bad), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "more"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "more", "worse.json"), []byte(`{"kind": "Canary"}`), 0o600))

	typed := offline("lint", "-f", dir)
	assert.Equal(t, filepath.Join(dir, "bad.yaml")+":22: Canary podinfo: spec.analysis.stepWeights must rise from step to step, "+
		"for example [5, 20, 50]\n", typed.out)
	assert.Equal(t, "kubectl weir: 1 problem\n", typed.err)

	typed = offline("lint", "-f", dir, "-R")
	assert.Contains(t, typed.out, filepath.Join(dir, "more", "worse.json")+":1: Canary: apiVersion or kind is missing; set both\n")
	assert.Equal(t, "kubectl weir: 2 problems\n", typed.err)
}

// TestLintFields: what the operator says of a Canary is told at the line of the field that it is about.
func TestLintFields(t *testing.T) {
	of := func(also string) string { return lintCanaryOf("StatefulSet") + also }
	for manifest, line := range map[string]int{
		of("    webhooks:\n    - {name: smoke, type: rollout, url: \"http://a\"}\n" +
			"    - {name: load, type: pre-rollout, url: \"http://a\"}\n"): 19,
		of("  onNewRevision: Queue\n"): 17,
		of("    mirror: true\n"):       17,
		strings.Replace(of(""), "stepWeights: [10, 50]", "steps: [{weight: 10}, {weight: 0}]", 1):                                 13,
		strings.Replace(of("  scaleDownDelay: 1m\n"), "kubernetes", "gatewayapi", 1):                                              17,
		strings.Replace(of(""), "kubernetes", "gatewayapi", 1):                                                                    8,
		of("") + "---\n" + statefulSet("\n    type: OnDelete"):                                                                    23,
		of("") + "---\n" + statefulSet("\n    type: RollingUpdate\n    rollingUpdate:\n      partition: 2"):                       25,
		lintCanaryOf("DaemonSet") + "---\n" + daemonSet("\n    rollingUpdate:\n      maxUnavailable: 2\n    type: RollingUpdate"): 25,
	} {
		assert.Contains(t, "\n"+lints(manifest).out, fmt.Sprintf("\nstandard input:%d: ", line), manifest)
	}
}

func TestLintSaysWhatItSkips(t *testing.T) {
	foreign := "apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: {name: old}\n"
	metric := "    - name: errors\n      thresholdRange: {max: 1}\n      templateRef: {name: errors}\n"
	typed := lints(foreign+"---\n"+lintCanary+metric, "-v")
	assert.Equal(t, 0, typed.code)
	assert.Equal(t, "1 object of Weir's, no problem\n", typed.out)
	assert.Equal(t, `standard input:1: Canary old: skipped, Canary.flagger.app is none of Weir's kinds
standard input:22: Canary podinfo: metric errors: MetricTemplate errors is not in the input, and was not looked at
`, typed.err)
	assert.Empty(t, lints(foreign).err)
}
