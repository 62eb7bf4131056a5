package stories

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// ingressRouteYAML leads to a Service at first, as before Weir, and to a TraefikService from then on.
const ingressRouteYAML = `apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  entryPoints: [web]
  routes:
  - kind: Rule
    match: Host(` + "`%[3]s`" + `)
    services: [%[4]s]
`

// traefikPlan is an analysis by what Traefik counts. A step that only mirrors has nothing else to be judged by.
const traefikPlan = `    interval: 12s
    threshold: 1
    mirrorWeight: 50
    steps:
    - {mirror: true}
    - {weight: 10}
    - {weight: 50}
` + successRate + `  provider: traefik
`

// guests are those who come by another way than the load of the story, which meets the apex alone.
type guests struct {
	*story
	requests *load.Load
}

// traefikService: an IngressRoute of the user's leads to a TraefikService of Weir's, and nobody who comes by it is lost:
// when it is turned there, in promotion, in a rollback, when a version is superseded, when somebody else changes the
// TraefikService, and when the Canary is deleted.
func traefikService(s *story) {
	requests, leave := s.comeByIngressRoute()
	defer leave()
	g := &guests{s, requests}

	pods, _ := s.pods()
	s.adoptWith(traefikPlan)
	now, _ := s.pods()
	assert.Equal(s.t, pods, now, "adoption touches no pod")
	assert.Equal(s.t, "podinfo-primary=100", g.divided())
	s.turnToWeir()
	turned := s.kubectl("get", "ingressroute", s.Name, "-o", "jsonpath={.metadata.generation} {.metadata.annotations} {.spec}")

	g.promotedByTraefik()
	g.rolledBackByTraefik()
	g.supersededAndEdited()

	// Deleted in the midst of a run: the IngressRoute leads to the apex then.
	s.release(stage.Version{Label: "five"})
	s.await(stage.InPhase(v1beta1.PhaseWaitingPromotion))
	s.remove()
	assert.Equal(s.t, "podinfo=", g.divided())
	assert.Empty(s.t, s.kubectl("get", "traefikservice", s.Name, "-o", "jsonpath={.metadata.ownerReferences}"))
	assert.Equal(s.t, "traefikservice.traefik.io/podinfo\n", s.kubectl("get", "traefikservices", "-o", "name"))
	assert.Equal(s.t, turned,
		s.kubectl("get", "ingressroute", s.Name, "-o", "jsonpath={.metadata.generation} {.metadata.annotations} {.spec}"))
	assert.NotContains(s.t, s.apex().Spec.Selector, "pod-template-hash")
	settled()
}

// comeByIngressRoute makes an IngressRoute of the user's to the apex, and has guests come by it. When they leave none may
// have been lost.
func (s *story) comeByIngressRoute() (guests *load.Load, leave func()) {
	s.t.Helper()
	s.lead("{kind: Service, name: podinfo, port: 9898}")
	config := load.Config{URL: s.Stage.Sandbox.TraefikURL, Host: "traefik." + s.Host, Path: "/", Rate: rate / 2}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	require.NoError(s.t, load.AwaitOK(ctx, config))
	guests = load.Start(s.t.Context(), config)
	return guests, func() { s.count("by the IngressRoute", guests.Stop()) }
}

// turnToWeir leads the IngressRoute to the TraefikService that Weir makes.
func (s *story) turnToWeir() {
	s.t.Helper()
	s.lead("{kind: TraefikService, name: podinfo}")
}

func (s *story) lead(to string) {
	s.t.Helper()
	require.NoError(s.t, sandbox.Apply(s.t.Context(), s.Stage.Sandbox.RESTConfig(),
		fmt.Appendf(nil, ingressRouteYAML, s.Name, s.Namespace, "traefik."+s.Host, to)))
}

// divided is what stands in the list of the TraefikService.
func (g *guests) divided() string {
	return g.kubectl("get", "traefikservice", g.Name, "-o",
		`jsonpath={range .spec.weighted.services[*]}{.name}={.weight}{end}`)
}

// promotedByTraefik: copies first, then shares, as large as the steps say.
func (g *guests) promotedByTraefik() {
	g.release(stage.Version{Label: "two"})
	c := g.await(func(c *v1beta1.Canary) bool { return c.Status.MirrorWeight > 0 })
	settled()
	assert.Zero(g.t, g.share(g.requests, c.Status.Canary.Hash, 2*time.Second), "nobody sees the answers to copies")
	for _, weight := range []int32{10, 50} {
		c := g.await(stage.AtWeight(weight))
		settled()
		assert.InDelta(g.t, weight, g.share(g.requests, c.Status.Canary.Hash, 4*time.Second), 4, "by the IngressRoute")
		assert.Zero(g.t, g.share(g.story.requests, c.Status.Canary.Hash, time.Second), "the apex is held to the primary")
	}
	c = g.ended(1, v1beta1.OutcomePromoted)
	assert.Equal(g.t, "podinfo-primary=100", g.divided())
	assert.Equal(g.t, 100, g.share(g.requests, c.Status.Primary.Hash, 2*time.Second))
}

// rolledBackByTraefik: a bad version is seen by its answers to copies, which cost nobody anything.
func (g *guests) rolledBackByTraefik() {
	g.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	c := g.ended(2, v1beta1.OutcomeRolledBack)
	run := c.Status.History[0]
	assert.Equal(g.t, "CheckFailed", run.Reason)
	assert.Zero(g.t, run.MaxWeight, "it was seen before anybody met it")
	assert.Equal(g.t, "podinfo-primary=100", g.divided())
	assert.Zero(g.t, load.Summarise(g.requests.Answers(), time.Time{}).ByRevision[run.Revision])
}

// supersededAndEdited: a version comes while another is under test, and while that waits for a person, somebody gives
// everything to it.
func (g *guests) supersededAndEdited() {
	g.manage("    manual: true\n" + traefikPlan)
	g.release(stage.Version{Label: "three"})
	g.await(stage.AtWeight(10))
	g.release(stage.Version{Label: "four"})
	c := g.await(func(c *v1beta1.Canary) bool {
		return stage.InPhase(v1beta1.PhaseWaitingPromotion)(c) && len(c.Status.History) == 3
	})
	const right = "podinfo-primary=50podinfo-canary=50"
	require.Equal(g.t, right, g.divided())
	g.kubectl("patch", "traefikservice", g.Name, "--type=merge", "-p",
		`{"spec": {"weighted": {"services": [{"name": "podinfo-canary", "port": 9898}]}}}`)
	require.Eventually(g.t, func() bool { return g.divided() == right }, patience, 200*time.Millisecond)
	settled()
	assert.InDelta(g.t, 50, g.share(g.requests, c.Status.Canary.Hash, 4*time.Second), 5, "it was put right")
	g.command(v1beta1.Command{Verb: v1beta1.VerbPromote, Reason: "seen enough"})
	c = g.ended(4, v1beta1.OutcomePromoted)
	assert.Equal(g.t, v1beta1.OutcomeSuperseded, c.Status.History[1].Outcome)
	assert.Equal(g.t, 100, g.share(g.requests, c.Status.Primary.Hash, 2*time.Second))
}
