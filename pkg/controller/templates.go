package controller

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// template is what a metric names, of either kind.
type template struct {
	v1beta1.MetricTemplateSpec
	// called is how people call it.
	called string
	// secrets is the namespace that its Secret is in.
	secrets string
	// version is another after each change.
	version string
}

// clusterTemplates is the resource of templates that are in no namespace.
func clusterTemplates() schema.GroupVersionResource {
	return v1beta1.SchemeGroupVersion.WithResource("clustermetrictemplates")
}

// template gives what a metric of a Canary names, or why there is none.
func (c *caches) template(canary *v1beta1.Canary, ref *v1beta1.TemplateRef) (*template, *rollout.Problem) {
	key := templateKey(canary, ref)
	if ref.Kind == v1beta1.KindClusterMetricTemplate {
		return c.clusterTemplate(key.Name)
	}
	called := v1beta1.KindMetricTemplate + " " + key.String()
	t, err := c.weir.Weir().V1beta1().MetricTemplates().Lister().MetricTemplates(key.Namespace).Get(key.Name)
	if err != nil {
		return nil, missing(called)
	}
	return &template{t.Spec, called, t.Namespace, string(t.UID) + "/" + t.ResourceVersion}, nil
}

func (c *caches) clusterTemplate(name string) (*template, *rollout.Problem) {
	called := v1beta1.KindClusterMetricTemplate + " " + name
	if c.noClusterTemplates != "" {
		return nil, &rollout.Problem{Reason: rollout.ReasonTemplateNotReadable, Message: fmt.Sprintf(
			"%s cannot be read: %s; or name a MetricTemplate", called, c.noClusterTemplates)}
	}
	t, err := c.weir.Weir().V1beta1().ClusterMetricTemplates().Lister().Get(name)
	if err != nil {
		return nil, missing(called)
	}
	found := &template{MetricTemplateSpec: t.Spec, called: called, version: string(t.UID) + "/" + t.ResourceVersion}
	if ref := t.Spec.Provider.SecretRef; ref != nil {
		found.secrets = ref.Namespace
	}
	return found, nil
}

// missing is a template that is not there: a lister's only error is that.
func missing(called string) *rollout.Problem {
	return &rollout.Problem{Reason: rollout.ReasonTemplateNotFound,
		Message: called + " does not exist; create it or correct templateRef"}
}

// templatesOf are the keys of the templates that a Canary names.
func templatesOf(can *v1beta1.Canary) []string {
	var keys []string
	for _, m := range can.Spec.Analysis.Metrics {
		if m.TemplateRef != nil {
			keys = append(keys, templateKey(can, m.TemplateRef).String())
		}
	}
	return keys
}

// templateKey names a template; one without a namespace is a ClusterMetricTemplate.
func templateKey(can *v1beta1.Canary, ref *v1beta1.TemplateRef) types.NamespacedName {
	key := types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}
	if key.Namespace == "" && ref.Kind != v1beta1.KindClusterMetricTemplate {
		key.Namespace = can.Namespace
	}
	return key
}
