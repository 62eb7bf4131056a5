package knative

import (
	"fmt"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// port is where a Knative Service is reached within the cluster.
const port = 80

// Validate refuses what the features do not hold, and what would have to be done with pods or Services, which are
// Knative's.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	problems := r.Features().Refuse(r.Name(), c)
	for _, f := range foreign(c) {
		if f.said {
			problems = append(problems, rollout.Problem{
				Reason: rollout.ReasonFieldNotServed, Message: fmt.Sprintf("%s is said of a Knative Service, and %s", f.name, f.why),
			})
		}
	}
	return problems
}

// field is one of a spec, and whether it says something.
type field struct {
	name string
	said bool
	why  string
}

func foreign(c *v1beta1.Canary) []field {
	const (
		address = "it has an address of its own; remove it"
		pods    = "how many pods a revision has, and for how long, is Knative's to say; remove it"
	)
	s, a := &c.Spec.Service, &c.Spec.Analysis
	delay := func(d string, absent time.Duration) bool { return rollout.Duration(d, absent) != absent }
	const thirty = 30 * time.Second // as the schema has it where nobody says anything
	fields := []field{
		{"spec.service.port", s.Port != port, "it is reached by port 80; set it to that"},
		{"spec.service.name", s.Name != "", address},
		{"spec.service.portName", s.PortName != "" && s.PortName != "http", address},
		{"spec.service.targetPort", s.TargetPort != nil, address},
		{"spec.service.appProtocol", s.AppProtocol != nil, address},
		{"spec.configTracking: Restart", c.Spec.ConfigTracking == v1beta1.ConfigTrackingRestart,
			"a template with a name of its own cannot be annotated; set it to Ignore"},
		{"spec.scaleDownDelay", delay(c.Spec.ScaleDownDelay, 0), pods},
		{"spec.abortScaleDownDelay", delay(c.Spec.AbortScaleDownDelay, thirty), pods},
		{"spec.analysis.canaryReplicas", a.CanaryReplicas != nil, pods},
		{"spec.analysis.canaryReadyThreshold", threshold(a.CanaryReadyThreshold), "a revision is ready or not; remove it"},
		{"spec.analysis.primaryReadyThreshold", threshold(a.PrimaryReadyThreshold), "a revision is ready or not; remove it"},
	}
	for i, step := range a.Steps {
		fields = append(fields, field{fmt.Sprintf("spec.analysis.steps[%d].replicas", i), step.Replicas != nil, pods})
	}
	for _, m := range a.Metrics {
		fields = append(fields, field{"metric " + m.Name + " without templateRef", m.TemplateRef == nil,
			"the built-in metrics know nothing of its pods; name a MetricTemplate"})
	}
	return fields
}

// threshold says that one is not what it is where nobody says anything.
func threshold(t *int32) bool { return t != nil && *t != all }
