package v1beta1_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/client/clientset/versioned"
)

// testDefaults looks what the API server puts in where a person leaves a field out.
func testDefaults(t *testing.T, c *cluster) {
	want := map[string]any{
		"spec.progressDeadlineSeconds":         int64(600),
		"spec.configTracking":                  "Ignore",
		"spec.onNewRevision":                   "Restart",
		"spec.abortScaleDownDelay":             "30s",
		"spec.targetRef.apiVersion":            "apps/v1",
		"spec.targetRef.kind":                  "Deployment",
		"spec.ingressRef.apiVersion":           "networking.k8s.io/v1",
		"spec.ingressRef.kind":                 "Ingress",
		"spec.routeRef.apiVersion":             "apisix.apache.org/v2",
		"spec.routeRef.kind":                   "ApisixRoute",
		"spec.upstreamRef.apiVersion":          "gloo.solo.io/v1",
		"spec.upstreamRef.kind":                "Upstream",
		"spec.service.portName":                "http",
		"spec.service.rewrite.type":            "ReplacePrefixMatch",
		"spec.analysis.interval":               "1m",
		"spec.analysis.threshold":              int64(1),
		"spec.analysis.maxWeight":              int64(100),
		"spec.analysis.pace":                   "fixed",
		"spec.analysis.mirrorWeight":           int64(100),
		"spec.analysis.primaryReadyThreshold":  int64(100),
		"spec.analysis.canaryReadyThreshold":   int64(100),
		"spec.analysis.sessionAffinity.maxAge": int64(86400),
		"spec.analysis.webhooks[].type":        "rollout",
		"spec.analysis.webhooks[].timeout":     "10s",
		"spec.analysis.webhooks[].onTimeout":   "Abort",
		"spec.analysis.metrics[].onNoData":     "Hold",
		"spec.analysis.metrics[].onError":      "Hold",

		"spec.analysis.metrics[].comparison.tolerance":   1.25,
		"spec.analysis.metrics[].comparison.confidence":  0.95,
		"spec.analysis.metrics[].comparison.limit":       int64(2),
		"spec.analysis.metrics[].comparison.minRequests": int64(20),

		"spec.analysis.guard.interval":   "10s",
		"spec.analysis.guard.tolerance":  int64(2),
		"spec.analysis.guard.confidence": 0.999,

		"spec.analysis.alerts[].severity":         "info",
		"spec.analysis.alerts[].providerRef.kind": "AlertProvider",
	}
	k := c.kind("Canary", canaryBase)
	made, err := k.client.Create(t.Context(), k.with(t,
		`spec: {ingressRef: {name: podinfo}, routeRef: {name: podinfo}, upstreamRef: {name: podinfo},
		service: {rewrite: {uri: /}}}`, `spec: {analysis: {
		metrics: [{name: request-duration, comparison: {}}], guard: {}, sessionAffinity: {cookieName: a},
		alerts: [{name: team, providerRef: {name: slack}}], webhooks: [{name: gate, url: 'http://gate'}]}}`), strictly(true))
	require.NoError(t, err)
	got := map[string]any{}
	for _, field := range defaulted("spec", k.schema.Properties["spec"]) {
		got[field.name] = field.in(made.Object["spec"])
	}
	assert.Equal(t, want, got)
	made, err = k.client.Create(t.Context(), k.with(t, "spec: {analysis: null}"), strictly(true))
	require.NoError(t, err)
	interval, _, _ := unstructured.NestedString(made.Object, "spec", "analysis", "interval")
	assert.Equal(t, "1m", interval, "without an analysis, its defaults are missing")
	for kind, base := range map[string]string{"MetricTemplate": templateBase, "ClusterMetricTemplate": clusterTemplateBase} {
		k = c.kind(kind, base)
		made, err = k.client.Create(t.Context(),
			k.with(t, "spec: {query: null, provider: {type: job, job: {template: {}}}}"), strictly(true))
		require.NoError(t, err)
		clear(got)
		for _, field := range defaulted("spec", k.schema.Properties["spec"]) {
			got[field.name] = field.in(made.Object["spec"])
		}
		assert.Equal(t, map[string]any{
			"spec.provider.job.activeDeadlineSeconds": int64(300), "spec.provider.job.ttlSecondsAfterFinished": int64(3600),
		}, got, kind)
	}
	for _, other := range []string{"AlertProvider", "ClusterAlertProvider"} {
		assert.Empty(t, defaulted("spec", c.kind(other, "").schema.Properties["spec"]), other)
	}
}

// defaultedField is a field with a default, and how to find it in an object.
type defaultedField struct {
	name string
	in   func(any) any
}

// defaulted lists the fields of a schema that have a default, but not those of the Gateway API's types. An
// empty object as default is there for the defaults in it.
func defaulted(path string, s apiextensionsv1.JSONSchemaProps) []defaultedField {
	var all []defaultedField
	if borrowed.MatchString(path) {
		return nil
	}
	if s.Default != nil && string(s.Default.Raw) != "{}" {
		all = append(all, defaultedField{path, func(value any) any { return value }})
	}
	for name, inner := range s.Properties {
		for _, f := range defaulted(path+"."+name, inner) {
			all = append(all, defaultedField{f.name, func(value any) any {
				fields, _ := value.(map[string]any)
				return f.in(fields[name])
			}})
		}
	}
	if s.Items != nil {
		for _, f := range defaulted(path+"[]", *s.Items.Schema) {
			all = append(all, defaultedField{f.name, func(value any) any {
				items, _ := value.([]any)
				if len(items) == 0 {
					return nil
				}
				return f.in(items[0])
			}})
		}
	}
	return all
}

// testStatus writes as Weir does, through the generated client.
func testStatus(t *testing.T, c *cluster) {
	ctx := t.Context()
	client, err := versioned.NewForConfig(c.config)
	require.NoError(t, err)
	canaries := client.WeirV1beta1().Canaries(metav1.NamespaceDefault)
	made, err := canaries.Create(ctx, &v1beta1.Canary{
		ObjectMeta: metav1.ObjectMeta{Name: "status"},
		Spec: v1beta1.CanarySpec{
			TargetRef: v1beta1.TargetRef{Name: "podinfo"},
			Service:   v1beta1.CanaryService{Port: 9898},
			Analysis:  v1beta1.CanaryAnalysis{StepWeights: []int32{5, 50}},
		},
		Status: v1beta1.CanaryStatus{Phase: v1beta1.PhaseSucceeded},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, canaries.Delete(ctx, made.Name, metav1.DeleteOptions{})) }()
	assert.Empty(t, made.Status.Phase, "a status came in with the object")
	assert.EqualValues(t, 600, *made.Spec.ProgressDeadlineSeconds)

	want := fullStatus()
	assert.Empty(t, unset("status", reflect.ValueOf(want)), "a field of the status is not tried")
	committed := made.DeepCopy()
	committed.Status, committed.Spec.Analysis.Threshold = want, 7
	options := metav1.UpdateOptions{FieldValidation: metav1.FieldValidationStrict}
	committed, err = canaries.UpdateStatus(ctx, committed, options)
	require.NoError(t, err)
	assert.Equal(t, inJSON(t, want), inJSON(t, committed.Status))
	assert.Equal(t, made.Spec, committed.Spec, "a spec came in with the status")
	assert.Equal(t, made.Generation, committed.Generation)

	changed := committed.DeepCopy()
	changed.Spec.Analysis.Threshold, changed.Status = 5, v1beta1.CanaryStatus{}
	changed, err = canaries.Update(ctx, changed, metav1.UpdateOptions{})
	require.NoError(t, err)
	assert.Equal(t, inJSON(t, want), inJSON(t, changed.Status), "the status went with a change of the spec")
	assert.Equal(t, made.Generation+1, changed.Generation)

	changed.Status.Primary.Images = append(changed.Status.Primary.Images, "one-too-many")
	changed.Status.Run.Commands = append(changed.Status.Run.Commands, changed.Status.Run.Commands[0])
	_, err = canaries.UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	assert.ErrorContains(t, err, "status.primary.images", "a status holds no more than MaxImages")
	assert.ErrorContains(t, err, "status.run.commands", "a status holds no more than MaxCommands")
}

func fullStatus() v1beta1.CanaryStatus {
	at := metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	precisely := metav1.NewMicroTime(at.Add(123456 * time.Microsecond))
	images := make([]string, v1beta1.MaxImages)
	for i := range images {
		images[i] = "podinfo"
	}
	commands := make([]v1beta1.CommandStatus, v1beta1.MaxCommands)
	for i := range commands {
		commands[i] = v1beta1.CommandStatus{
			ID: "7", Verb: v1beta1.VerbApprove, Gate: "smoke", Full: true, Reason: "it is late", Actor: "ann",
			At: at, Accepted: true, Result: "gate smoke is approved",
		}
	}
	revision := v1beta1.RevisionStatus{ReplicaSet: "podinfo-1", Hash: "1", Images: images, Replicas: 3, Ready: 2}
	return v1beta1.CanaryStatus{
		ObservedGeneration: 1, Phase: v1beta1.PhaseProgressing, Weight: 5, MirrorWeight: 50, WeightSince: &precisely,
		Match: []v1beta1.RequestMatch{{
			Headers:      map[string]v1beta1.StringMatch{"x-user": {Exact: "me"}},
			QueryParams:  map[string]v1beta1.StringMatch{"user": {Prefix: "m"}},
			SourceLabels: map[string]string{"app": "client"}, Method: "GET",
		}},
		Primary: revision.DeepCopy(), Canary: revision.DeepCopy(), Retiring: revision.DeepCopy(),
		Run: &v1beta1.RunStatus{
			ID: "1", StartedAt: at, MaxWeight: 5, Full: true, Paused: &v1beta1.PauseStatus{Since: at, Actor: "ann", Reason: "lunch"},
			Queue:    &v1beta1.QueueStatus{Since: precisely, Position: 3},
			Commands: commands, Told: []string{"gate/confirm-rollout/night/0"},
			Metrics: []v1beta1.MetricState{{Name: "request-duration", Failures: 1, Evidence: "{}", Step: 1, Before: 40}},
		},
		Step: &v1beta1.StepStatus{
			Index: 1, Progress: "2/5", StartedAt: precisely, WaitingSince: &precisely, JudgedAt: &precisely,
			TrafficSince: &precisely, Round: 3, Passed: 2, HeldSince: &precisely, Skipped: true, Resumed: true,
		},
		FailedChecks: 2,
		Alerts: []v1beta1.AlertStatus{{
			ID: "1/ended", Reason: "RolledBack", Severity: v1beta1.SeverityError, Message: "rolled back", At: precisely,
			To: []string{"ClusterAlertProvider/slack"}, Run: "1", Revision: "1", Images: images, Phase: v1beta1.PhaseFailed,
			Step: "2/5", Weight: 5, MaxWeight: 5, Dropped: 1, Check: &v1beta1.AlertCheck{
				Name: "request-duration", Value: "612", Baseline: "480", Message: "612 is above 500",
			},
		}},
		Checks: []v1beta1.CheckStatus{{
			Name: "request-duration", Verdict: v1beta1.VerdictFailed, Value: "612", Message: "612 is above 500",
			Query: "q", Answer: "97", At: at, Baseline: "480", Failures: 1, Evidence: &v1beta1.EvidenceStatus{
				Value: "31", Needed: "20", NotWorse: true, Ratio: "2.4", Windows: 3,
				Canary: v1beta1.CountStatus{Requests: 100, Bad: 12}, Primary: v1beta1.CountStatus{Requests: 900, Bad: 45},
			},
		}},
		Gates: []v1beta1.GateStatus{{
			Name: "smoke", Type: v1beta1.WebhookPreRollout, State: v1beta1.GateFailed, Message: "status 500: broken", Run: "1",
			Since: at, Failures: 1, FailedAt: &precisely,
		}},
		LastCommand: &commands[0],
		Config:      &v1beta1.ConfigStatus{Digest: "1", Changed: true},
		Conditions: []metav1.Condition{{
			Type: v1beta1.ConditionReady, Status: metav1.ConditionFalse, Reason: "Progressing", Message: "step 2 of 5",
			ObservedGeneration: 1, LastTransitionTime: at,
		}},
		History: []v1beta1.RunRecord{{
			ID: "0", Revision: "0", Images: images,
			Outcome: v1beta1.OutcomeRolledBack, Reason: "ChecksFailed", Message: "why",
			StartedAt: at, EndedAt: at, MaxWeight: 50, Commands: commands,
		}},
	}
}

// unset lists the fields that hold nothing, in the first item of each list.
func unset(path string, v reflect.Value) []string {
	if v.IsZero() {
		return []string{path}
	}
	var all []string
	switch of := v.Type().String(); {
	case v.Kind() == reflect.Pointer:
		return unset(path, v.Elem())
	case v.Kind() == reflect.Slice:
		return unset(path+"[0]", v.Index(0))
	case v.Kind() == reflect.Struct && strings.HasPrefix(of, "v1beta1.") && of != "v1beta1.StringMatch":
		for i := range v.NumField() {
			all = append(all, unset(path+"."+v.Type().Field(i).Name, v.Field(i))...)
		}
	}
	return all
}

// inJSON compares what is stored; in Go, one time can be written in several ways.
func inJSON(t *testing.T, status v1beta1.CanaryStatus) string {
	t.Helper()
	raw, err := json.MarshalIndent(status, "", " ")
	require.NoError(t, err)
	return string(raw)
}

// testColumns asks for what kubectl get prints.
func testColumns(t *testing.T, c *cluster) {
	canary := c.kind("Canary", canaryBase)
	made, err := canary.client.Create(t.Context(), canary.with(t), strictly(false))
	require.NoError(t, err)
	defer func() { require.NoError(t, canary.client.Delete(t.Context(), "podinfo", metav1.DeleteOptions{})) }()
	status := fullStatus()
	made.Object["status"] = fromYAML(t, inJSON(t, status))
	_, err = canary.client.UpdateStatus(t.Context(), made, metav1.UpdateOptions{})
	require.NoError(t, err)
	for name, base := range map[string]string{"MetricTemplate": templateBase, "ClusterMetricTemplate": clusterTemplateBase} {
		template := c.kind(name, base)
		_, err = template.client.Create(t.Context(), template.with(t), strictly(false))
		require.NoError(t, err)
		defer func() { require.NoError(t, template.client.Delete(t.Context(), "own", metav1.DeleteOptions{})) }()
	}

	columns, cells := table(t, c, "canaries", "podinfo")
	assert.Equal(t, []string{"Name", "Phase", "Weight", "Step", "Failed", "Message", "Age"}, columns)
	assert.Equal(t, []any{"podinfo", "Progressing", int64(5), "2/5", int64(2), "step 2 of 5"}, cells[:6])
	for resource, namespace := range map[string]string{"metrictemplates": metav1.NamespaceDefault, "clustermetrictemplates": ""} {
		columns, cells = tableIn(t, c, namespace, resource, "own")
		assert.Equal(t, []string{"Name", "Provider", "Age"}, columns)
		assert.Equal(t, []any{"own", "prometheus"}, cells[:2])
	}

	alerts := c.kind("AlertProvider", alertProviderBase)
	_, err = alerts.client.Create(t.Context(), alerts.with(t, "spec: {channel: releases}"), strictly(false))
	require.NoError(t, err)
	defer func() { require.NoError(t, alerts.client.Delete(t.Context(), "own", metav1.DeleteOptions{})) }()
	columns, cells = table(t, c, "alertproviders", "own")
	assert.Equal(t, []string{"Name", "Type", "Channel", "Age"}, columns)
	assert.Equal(t, []any{"own", "slack", "releases"}, cells[:3])
}

func table(t *testing.T, c *cluster, resource, name string) (columns []string, cells []any) {
	t.Helper()
	return tableIn(t, c, metav1.NamespaceDefault, resource, name)
}

func tableIn(t *testing.T, c *cluster, namespace, resource, name string) (columns []string, cells []any) {
	t.Helper()
	config := rest.CopyConfig(c.config)
	config.APIPath, config.GroupVersion = "/apis", &v1beta1.SchemeGroupVersion
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	client, err := rest.RESTClientFor(config)
	require.NoError(t, err)
	raw, err := client.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resource).Name(name).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(t.Context()).Raw()
	require.NoError(t, err)
	object := unstructured.Unstructured{}
	require.NoError(t, object.UnmarshalJSON(raw))
	require.Equal(t, "Table", object.GetKind())
	var printed metav1.Table
	require.NoError(t, json.Unmarshal(raw, &printed))
	for _, c := range printed.ColumnDefinitions {
		columns = append(columns, c.Name)
	}
	rows, _, err := unstructured.NestedSlice(object.Object, "rows")
	require.NoError(t, err)
	require.Len(t, rows, 1)
	cells, _, err = unstructured.NestedSlice(rows[0].(map[string]any), "cells")
	require.NoError(t, err)
	return columns, cells
}

// testNames asks by which names people may call the kinds.
func testNames(t *testing.T, c *cluster) {
	client, err := versioned.NewForConfig(c.config)
	require.NoError(t, err)
	served, err := client.Discovery().ServerResourcesForGroupVersion(v1beta1.SchemeGroupVersion.String())
	require.NoError(t, err)
	short, categories, namespaced := map[string][]string{}, map[string][]string{}, map[string]bool{}
	for _, r := range served.APIResources {
		short[r.Name], categories[r.Name], namespaced[r.Name] = r.ShortNames, r.Categories, r.Namespaced
	}
	assert.Equal(t, map[string][]string{
		"canaries": {"can"}, "canaries/status": nil, "metrictemplates": {"mt"}, "clustermetrictemplates": {"cmt"},
		"alertproviders": {"ap"}, "clusteralertproviders": nil, "canaryprofiles": {"cprof"},
	}, short)
	assert.Equal(t, []string{"all"}, categories["canaries"])
	assert.Equal(t, map[string]bool{
		"canaries": true, "canaries/status": true, "metrictemplates": true, "clustermetrictemplates": false,
		"alertproviders": true, "clusteralertproviders": false, "canaryprofiles": false,
	}, namespaced)
}
