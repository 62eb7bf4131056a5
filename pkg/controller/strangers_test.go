package controller

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func TestStrangers(t *testing.T) {
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	pay := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "pay"}}
	held, err := pack(pay)
	require.NoError(t, err)
	require.NoError(t, factory.Core().V1().Services().Informer().GetStore().Add(held))
	c := &Controller{caches: &caches{kube: factory}}
	canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart"}}
	canary.Spec.Analysis.Metrics = []v1beta1.CanaryMetric{
		{Name: "a", TemplateRef: &v1beta1.TemplateRef{Name: "a"}},
		{Name: "b", TemplateRef: &v1beta1.TemplateRef{Name: "b", Namespace: "shop"}},
		{Name: "c", TemplateRef: &v1beta1.TemplateRef{Name: "c", Namespace: "bank"}},
	}
	canary.Spec.Analysis.Alerts = []v1beta1.CanaryAlert{{ProviderRef: v1beta1.AlertProviderRef{Name: "slack", Namespace: "bank"}}}
	canary.Spec.Service.Hosts = []gatewayv1.Hostname{
		"cart.example.com", "cart.shop", "cart", "example.com", "pay.bank", "pay.bank.svc", "pay.bank.svc.cluster.local", "*.bank.svc",
		"*.svc.cluster.local", "*.svc", "*.cluster.local", "*.example.com", "svc.example.com",
	}
	assert.Empty(t, c.strangers(canary))
	c.options.NoCrossNamespaceRefs = true
	var told []string
	for _, p := range c.strangers(canary) {
		assert.Equal(t, "CrossNamespaceRef", p.Reason)
		told = append(told, p.Message)
	}
	const says = " is bank, and the operator runs with --no-cross-namespace-refs; name one of namespace shop, or of the cluster"
	const all = " is every one, and the operator runs with --no-cross-namespace-refs; name one of namespace shop, or of the cluster"
	assert.Equal(t, []string{
		"spec.analysis.metrics[2].templateRef.namespace" + says,
		"spec.analysis.alerts[0].providerRef.namespace" + says,
		"spec.service.hosts[4]: the namespace of pay.bank" + says,
		"spec.service.hosts[5]: the namespace of pay.bank.svc" + says,
		"spec.service.hosts[6]: the namespace of pay.bank.svc.cluster.local" + says,
		"spec.service.hosts[7]: the namespace of *.bank.svc" + says,
		"spec.service.hosts[8]: the namespace of *.svc.cluster.local" + all,
		"spec.service.hosts[9]: the namespace of *.svc" + all,
		"spec.service.hosts[10]: the namespace of *.cluster.local" + all,
	}, told)
}
