package main

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// checks are the metrics of each Canary. No two Canaries ask the same, so that no answer serves two.
func checks() []string { return []string{"errors", "latency", "saturation"} }

// course is how the applications of a fleet are released.
type course struct {
	weights []int32
	// interval is how long a step dwells, settle how long after a change of the route nothing presumes it.
	interval, settle time.Duration
}

// planned is the course of a fleet's releases.
func (f *fleet) planned() course {
	if f.brief {
		return course{weights: []int32{50}, interval: time.Second, settle: 500 * time.Millisecond}
	}
	return course{weights: []int32{10, 20, 40, 60, 80}, interval: 10 * time.Second, settle: 5 * time.Second}
}

// dwell is the least time between a step's beginning and its end: the operator's own floor under it is the settle time.
func (c course) dwell() time.Duration { return max(c.interval, c.settle) }

// server is the server of metrics that an application's Canary asks.
func server(i int) int { return i % servers }

func (f *fleet) makeCanary(ctx context.Context, i int) error {
	planned, name := f.planned(), f.app(i)
	canary := &v1beta1.Canary{
		ObjectMeta: f.meta(i),
		Spec: v1beta1.CanarySpec{
			TargetRef: v1beta1.TargetRef{Name: name.Name}, MetricsServer: f.prometheus[server(i)].url,
			Service: v1beta1.CanaryService{
				Port: 80, GatewayRefs: []gatewayv1.ParentReference{{Name: "gateway"}}, Settle: planned.settle.String(),
			},
			Analysis: v1beta1.CanaryAnalysis{Interval: planned.interval.String(), StepWeights: planned.weights},
		},
	}
	switch {
	case f.judged:
		judged(&canary.Spec)
	case f.brief:
		canary.Spec.Analysis.Metrics = []v1beta1.CanaryMetric{{
			Name: "request-success-rate", ThresholdRange: &v1beta1.ThresholdRange{Min: new(99.0)},
		}}
	default:
		for _, check := range checks() {
			canary.Spec.Analysis.Metrics = append(canary.Spec.Analysis.Metrics, v1beta1.CanaryMetric{
				Name: check, TemplateRef: &v1beta1.TemplateRef{Kind: "ClusterMetricTemplate", Name: templateName(check, server(i))},
				ThresholdRange: &v1beta1.ThresholdRange{Min: new(99.0)},
			})
		}
	}
	made, err := f.weir.WeirV1beta1().Canaries(name.Namespace).Create(ctx, canary, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return f.makeServices(ctx, i, made)
}

func templateName(check string, server int) string { return fmt.Sprintf("%s-%d", check, server) }

// makeClusterTemplates makes one for each metric of each server.
func (f *fleet) makeClusterTemplates(ctx context.Context) error {
	for _, check := range checks() {
		for i, p := range f.prometheus {
			t := &v1beta1.ClusterMetricTemplate{ObjectMeta: metav1.ObjectMeta{Name: templateName(check, i)}}
			t.Spec.Query = `app:` + check + `{namespace="{{ namespace }}",name="{{ name }}"}`
			t.Spec.Provider = v1beta1.MetricProvider{Type: "prometheus", Address: p.url}
			if _, err := f.weir.WeirV1beta1().ClusterMetricTemplates().Create(ctx, t, metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("making ClusterMetricTemplate %s: %w", t.Name, err)
			}
		}
	}
	return nil
}
