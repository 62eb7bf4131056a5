package v1beta1_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

const profileBase = `
apiVersion: weir.dev/v1beta1
kind: CanaryProfile
metadata: {name: careful}
spec: {canary: {analysis: {stepWeight: 10}}}
`

// profileRules are those of a Canary that hold for what a profile gives, and the profile's own.
func profileRules() []rule {
	var rules []rule
	for _, r := range canaryRules() {
		if r.from != "" || !givable(r.field) {
			continue
		}
		within := func(patches []string) (all []string) {
			for _, p := range patches {
				if !strings.Contains(p, "ingressRef") {
					all = append(all, "spec: {canary: "+strings.TrimPrefix(p, "spec: ")+"}")
				}
			}
			return all
		}
		r.field = strings.Replace(r.field, "spec.", "spec.canary.", 1)
		if !ofSharedType(r.field) {
			r.says = strings.Replace(r.says, "spec.", "spec.canary.", 1)
		}
		r.yes, r.no = within(r.yes), within(r.no)
		rules = append(rules, r)
	}
	return slices.Concat(rules,
		between("spec.limits.maxStep", "limits: {maxStep: #}", 1, 100),
		between("spec.limits.minChecks", "limits: {minChecks: #}", 1, 1000),
		between("spec.limits.maxRuns", "limits: {maxRuns: #}", 1, 10000),
		between("spec.limits.maxRunsPerNamespace", "limits: {maxRunsPerNamespace: #}", 1, 10000),
		[]rule{
			{
				field: "spec.limits.metricProviders[0]",
				yes:   each("limits: {metricProviders: [#]}", "prometheus", "web", "job"),
				no:    each("limits: {metricProviders: [#]}", "istio", "''"),
				says:  "supported values",
			},
			{
				field: "spec.locks[0]",
				yes:   each("locks: [#]", "analysis", "analysis.metrics", "service.hosts", "provider"),
				no:    each("locks: [#]", "targetRef", "analysis.", "'analysis.metrics[0]'", "suspend"),
				says:  "should match",
			},
		})
}

// ofSharedType says that a field is of a type that a Canary has, too, whose words are those of a Canary.
func ofSharedType(field string) bool {
	return strings.HasPrefix(field, "spec.canary.analysis") || strings.HasPrefix(field, "spec.canary.service.trafficPolicy")
}

// givable says that a field is one that a profile can give, with the rules of a Canary's.
func givable(field string) bool {
	return slices.ContainsFunc([]string{
		"analysis", "provider", "metricsServer", "progressDeadlineSeconds", "configTracking", "onNewRevision", "promotionDelay",
		"scaleDownDelay", "abortScaleDownDelay", "service.timeout", "service.settle", "service.headers", "service.retries",
		"service.trafficPolicy", "service.gatewayRefs",
	}, func(name string) bool {
		return field == "spec."+name || strings.HasPrefix(field, "spec."+name+".") || strings.HasPrefix(field, "spec."+name+"[")
	})
}

// TestProfilesGiveFieldsOfACanary: a field of a profile is one of a Canary, of the same name and type.
func TestProfilesGiveFieldsOfACanary(t *testing.T) {
	same := func(given, of reflect.Type, but ...string) {
		for f := range given.Fields() {
			if slices.Contains(but, f.Name) {
				continue
			}
			field, there := of.FieldByName(f.Name)
			if assert.True(t, there, "%s has no %s", of.Name(), f.Name) {
				assert.Equal(t, field.Type, f.Type, f.Name)
				assert.Equal(t, field.Tag.Get("json"), f.Tag.Get("json"), f.Name)
			}
		}
	}
	same(reflect.TypeFor[v1beta1.ProfileCanary](), reflect.TypeFor[v1beta1.CanarySpec](), "Annotations", "Service", "Analysis")
	same(reflect.TypeFor[v1beta1.ProfileService](), reflect.TypeFor[v1beta1.CanaryService](), "Hosts")
}

// TestProfilesAllowWhatATemplateCanAsk: the types of providers stand in two places.
func TestProfilesAllowWhatATemplateCanAsk(t *testing.T) {
	crds := readCRDs(t)
	spec := func(kind string) apiextensionsv1.JSONSchemaProps {
		return crds[kind].Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	}
	types := spec("MetricTemplate").Properties["provider"].Properties["type"].Enum
	assert.NotEmpty(t, types)
	assert.Equal(t, types, spec("CanaryProfile").Properties["limits"].Properties["metricProviders"].Items.Schema.Enum)
}

func TestLocked(t *testing.T) {
	spec := &v1beta1.CanaryProfileSpec{Locks: []string{"analysis.metrics", "service"}}
	for path, want := range map[string]bool{
		"analysis": true, "analysis.metrics": true, "analysis.metrics.x": true, "analysis.metricsServer": false,
		"analysis.steps": false, "service.hosts": true, "provider": false,
	} {
		assert.Equal(t, want, spec.Locked(path), path)
	}
}
