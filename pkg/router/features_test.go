package router_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router"
)

// A router without any feature refuses every field, and each feature makes one field or two welcome.
func TestFeaturesRefuse(t *testing.T) {
	c := &v1beta1.Canary{Spec: v1beta1.CanarySpec{
		Service: v1beta1.CanaryService{
			Port:        9898,
			GatewayRefs: []gatewayv1.ParentReference{{Name: "edge"}}, Hosts: []gatewayv1.Hostname{"podinfo.example.com"},
			Match: []gatewayv1.HTTPRouteMatch{{}}, Rewrite: &v1beta1.Rewrite{}, Headers: &v1beta1.Headers{},
			Timeout: "1s",
		},
		Analysis: v1beta1.CanaryAnalysis{StepWeight: new(int32(10)), StepWeights: []int32{10}},
	}}
	messages := func(f router.Features) []string {
		var all []string
		for _, p := range f.Refuse("toy", c) {
			require.Equal(t, "FieldNotServed", p.Reason)
			all = append(all, p.Message)
		}
		return all
	}
	all := messages(nil)
	require.Len(t, all, 8)
	for _, f := range []struct {
		feature router.Feature
		fields  []string
	}{
		{router.Weighted, []string{"spec.analysis.stepWeight", "spec.analysis.stepWeights"}},
		{router.Gateways, []string{"spec.service.gatewayRefs"}},
		{router.Hosts, []string{"spec.service.hosts"}},
		{router.Matches, []string{"spec.service.match"}},
		{router.Rewrites, []string{"spec.service.rewrite"}},
		{router.EditsHeaders, []string{"spec.service.headers"}},
		{router.Timeouts, []string{"spec.service.timeout"}},
	} {
		with := messages(router.Features{f.feature: true})
		require.Subset(t, all, with)
		require.Len(t, with, len(all)-len(f.fields))
		for _, field := range f.fields {
			require.Contains(t, all, field+" asks for "+string(f.feature)+
				", which router toy does not offer; remove the field or choose another spec.provider")
		}
	}
	require.Empty(t, router.Features{}.Refuse("toy", &v1beta1.Canary{}))
}
