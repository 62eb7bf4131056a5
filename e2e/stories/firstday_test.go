package stories

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// dayOne is what differs in the first day of a user from one overlay to the other.
type dayOne struct {
	// port that traffic comes in by, that of HTTP where it is 0; and what the profile says of it, in YAML.
	port    int
	service string
	// annotations of the Deployment, beside those that every one has.
	annotations []string
	// arrive sends users by the way whose traffic is shifted, and gives how they leave. Without it, they are those of the
	// story, by their HTTPRoute.
	arrive func(*story) (users *load.Load, leave func())
	// adopted is what a user does when the Canary is there.
	adopted func(*story)
	// tested: nobody counts what users get, so a version is judged by requests of testers, which go to it alone.
	tested bool
}

// test has testers at the version that is under test, until end is called, where the day has any.
func (d dayOne) test(s *story) (end func()) {
	if !d.tested {
		return func() {}
	}
	return s.test()
}

// profileYAML is what a platform team has for all.
const profileYAML = `apiVersion: weir.dev/v1beta1
kind: CanaryProfile
metadata: {name: %s}
spec:
  default: true
  canary:
    service: {%s}
    analysis:
      interval: 12s
      stepWeights: [25, 50]
      metrics:
      - {name: request-success-rate, interval: 10s, thresholdRange: {min: 99}}
`

// firstDay is what a new user does, from the README: an overlay with an address of Slack's, an annotated Deployment, a good
// version and a bad one. Weir has the rights of that overlay alone.
func firstDay(overlay string) func(*story) {
	return func(s *story) {
		day := firstDays()[overlay]
		users := s.requests
		if day.arrive != nil {
			var leave func()
			users, leave = day.arrive(s)
			defer leave()
		}
		chat := s.chat()
		s.equip(stage.Overlay{Mesh: overlay, Secrets: []string{"WEIR_SLACK_URL=" + chat.URL + hook}})
		s.profile(fmt.Sprintf(profileYAML, s.Namespace, day.service))
		pods, _ := s.pods()
		port := fmt.Sprintf("weir.dev/port=%d", cmp.Or(day.port, 9898))
		annotations := append([]string{"weir.dev/canary=true", port}, day.annotations...)
		s.kubectl(append([]string{"annotate", "deployment", s.Name}, annotations...)...)
		s.await(stage.InPhase(v1beta1.PhaseInitialized))
		now, _ := s.pods()
		assert.Equal(s.t, pods, now, "adoption touches no pod")
		if day.adopted != nil {
			day.adopted(s)
		}

		s.release(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
		c := s.await(stage.AtWeight(25))
		end := day.test(s)
		settled()
		assert.InDelta(s.t, 25, s.share(users, c.Status.Canary.Hash, 4*time.Second), 8)
		s.ended(1, v1beta1.OutcomePromoted)
		end()
		s.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
		s.await(stage.AtWeight(25))
		end = day.test(s)
		c = s.ended(2, v1beta1.OutcomeRolledBack)
		end()
		assert.Contains(s.t, c.Status.History[0].Message, "request-success-rate")
		require.Eventually(s.t, func() bool {
			chat.mu.Lock()
			told := strings.Join(chat.texts, "\n")
			chat.mu.Unlock()
			return strings.Contains(told, "of podinfo promoted: every step passed") &&
				strings.Contains(told, "of podinfo rolled back at weight 25")
		}, patience, 100*time.Millisecond, "Slack is told")
		s.release(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
		s.await(stage.InPhase(v1beta1.PhaseSucceeded))
		s.letGo(annotations)
	}
}

// profile makes a CanaryProfile of the namespace's name, which goes with the story.
func (s *story) profile(manifest string) {
	s.t.Helper()
	require.NoError(s.t, sandbox.Apply(s.t.Context(), s.Stage.Sandbox.RESTConfig(), []byte(manifest)))
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(s.t, s.Stage.Weir.WeirV1beta1().CanaryProfiles().Delete(ctx, s.Namespace, metav1.DeleteOptions{}))
	})
}

// letGo takes the annotations away, and waits until the Canary has gone with them.
func (s *story) letGo(annotations []string) {
	s.t.Helper()
	args := []string{"annotate", "deployment", s.Name}
	for _, a := range annotations {
		name, _, _ := strings.Cut(a, "=")
		args = append(args, name+"-")
	}
	s.kubectl(args...)
	require.Eventually(s.t, func() bool {
		all, err := s.Stage.Weir.WeirV1beta1().Canaries(s.Namespace).List(s.t.Context(), metav1.ListOptions{})
		return err == nil && len(all.Items) == 0
	}, patience, 100*time.Millisecond, "the Canary goes with the annotation")
	assert.NotContains(s.t, s.apex().Spec.Selector, "pod-template-hash")
	assert.Equal(s.t, "", s.kubectl("get", "deployment", s.Name, "-o", "jsonpath={.spec.paused}"))
}

// firstDays are those of the overlays whose traffic is seen here with the real thing. In the two meshes the real thing is
// Istio's control plane, and callers of gRPC who do as it says: for linkerd by a GRPCRoute with the apex Service as its
// parent, which Istio reads as Linkerd does. There are no proxies beside the pods, so there are none of the series that the
// built-in metrics ask a mesh for: as in the stories istio and linkerd, they find what the gateway counts of testers' requests.
func firstDays() map[string]dayOne {
	ingress := []string{"weir.dev/ingress=podinfo"}
	return map[string]dayOne{
		"gatewayapi": {},
		"istio":      {arrive: (*story).joinIstio, tested: true},
		"kubernetes": {},
		"linkerd":    {port: 9999, service: "appProtocol: grpc", arrive: (*story).joinIstio, tested: true},
		"nginx": {annotations: ingress, arrive: func(s *story) (*load.Load, func()) {
			return s.comeByIngress("nginx", s.Stage.Sandbox.TraefikURL)
		}},
		"skipper": {annotations: ingress, arrive: func(s *story) (*load.Load, func()) {
			return s.comeByIngress("skipper", s.skipper())
		}},
		"traefik": {arrive: (*story).comeByIngressRoute, adopted: (*story).turnToWeir},
	}
}
