package stories

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/assert"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// byAnnotations: a Deployment that is annotated gets all that a Canary gives, by the profile of a platform team.
func byAnnotations(s *story) {
	const head = "apiVersion: weir.dev/v1beta1\nkind: CanaryProfile\nmetadata: {name: %s}\nspec:\n  canary:\n    analysis:\n%s"
	profile := fmt.Sprintf(head, s.Namespace, strings.ReplaceAll(analysis, "    ", "      "))
	s.profile(profile)
	before, restarts := s.pods()
	s.kubectl("annotate", "deployment", s.Name, "weir.dev/canary=true", "weir.dev/profile="+s.Namespace)
	assert.Contains(s.t, s.told("AnnotationInvalid"), "Service podinfo has 2 ports; say by the annotation weir.dev/port which one")
	s.kubectl("annotate", "deployment", s.Name, "weir.dev/port=9898")
	s.await(stage.InPhase(v1beta1.PhaseInitialized))
	after, restartsNow := s.pods()
	assert.Equal(s.t, before, after, "adoption touches no pod")
	assert.Equal(s.t, restarts, restartsNow)
	assert.Contains(s.t, s.told("CanaryMade"), "by CanaryProfile "+s.Namespace)

	s.release(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
	s.ended(1, v1beta1.OutcomePromoted)
	s.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	c := s.ended(2, v1beta1.OutcomeRolledBack)
	assert.Contains(s.t, c.Status.History[0].Message, "request-success-rate")

	// In smaller steps, from now on.
	s.kubectl("annotate", "deployment", s.Name, "weir.dev/step-weights=5,25")
	s.await(func(c *v1beta1.Canary) bool {
		return assert.ObjectsAreEqual([]int32{5, 25}, c.Spec.Analysis.StepWeights)
	})
	s.release(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
	s.await(stage.InPhase(v1beta1.PhaseSucceeded))

	s.letGo([]string{"weir.dev/canary", "weir.dev/profile", "weir.dev/port", "weir.dev/step-weights"})
	s.vanilla()
}
