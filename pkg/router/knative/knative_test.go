package knative_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/knative"
)

func revision(name string) *v1beta1.RevisionStatus {
	return &v1beta1.RevisionStatus{ReplicaSet: name, Hash: name, Replicas: 1}
}

// entry is a share by the name of a revision, or of whoever is the latest.
func entry(name string, percent int64) any {
	if name == "" {
		return map[string]any{"latestRevision": true, "percent": percent}
	}
	return map[string]any{"revisionName": name, "latestRevision": false, "percent": percent}
}

// TestRead goes through the life of a run: what the status names, and what stands in spec.traffic.
func TestRead(t *testing.T) {
	const one, two, three = "podinfo-00001", "podinfo-00002", "podinfo-00003"
	atRest := v1beta1.CanaryStatus{Primary: revision(one)}
	run := v1beta1.CanaryStatus{Primary: revision(one), Canary: revision(two)}
	superseded := v1beta1.CanaryStatus{Primary: revision(one), Canary: revision(three), Retiring: revision(two)}
	promoted := v1beta1.CanaryStatus{Primary: revision(two)}
	for _, c := range []struct {
		name          string
		st            v1beta1.CanaryStatus
		traffic       []any
		committed, is int32
	}{
		{"at rest", atRest, []any{entry(one, 100)}, 0, 0},
		{"a run begins", run, []any{entry(one, 100)}, 0, 0},
		{"a step", run, []any{entry(one, 70), entry(two, 30)}, 30, 30},
		{"a step that is not written yet", run, []any{entry(one, 100)}, 30, 0},
		{"all", run, []any{entry(two, 100)}, 100, 100},
		{"promoted", promoted, []any{entry(two, 100)}, 100, 100},
		{"promoted, and the primary is both sides", promoted, []any{entry(two, 100)}, 0, 0},
		{"superseded, with what it had", superseded, []any{entry(one, 70), entry(two, 30)}, 0, 30},
		{"superseded", superseded, []any{entry(one, 100)}, 0, 0},
		{"the newest has what was another's", superseded, []any{entry(one, 70), entry(three, 30)}, 30, -1},
		{"a third one", run, []any{entry(one, 60), entry(two, 30), entry(three, 10)}, 30, -1},
		{"a stranger", atRest, []any{entry(two, 100)}, 0, -1},
		{"whoever is the latest", atRest, []any{entry("", 100)}, 0, -1},
		{"no shares", atRest, []any{}, 0, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.take(t, 0)
			s.app.Canary.Status = c.st
			s.have.Object["spec"].(map[string]any)["traffic"] = c.traffic
			s.status("traffic", c.traffic)
			want := rollout.Route{Found: true, Split: rollout.Split{Weight: c.is}, Accepted: c.is >= 0}
			require.Equal(t, want, s.read(c.committed))
		})
	}
}

// TestAccepted believes what Knative says of the routes of this version, and of nothing else.
func TestAccepted(t *testing.T) {
	condition := func(kind, status string) []any {
		return []any{map[string]any{"type": kind, "status": status, "reason": "RevisionMissing", "message": "it is not there"}}
	}
	for name, c := range map[string]struct {
		change   func(s *scene)
		accepted bool
		refused  string
	}{
		"it says so":                     {func(*scene) {}, true, ""},
		"another version":                {func(s *scene) { s.have.SetGeneration(2) }, false, ""},
		"nothing":                        {func(s *scene) { s.status("conditions", nil) }, false, ""},
		"not yet":                        {func(s *scene) { s.status("conditions", condition("RoutesReady", "Unknown")) }, false, ""},
		"only of the Service as a whole": {func(s *scene) { s.status("conditions", condition("Ready", "True")) }, false, ""},
		"and serves what it served":      {func(s *scene) { s.status("traffic", []any{entry("podinfo-00001", 100)}) }, false, ""},
		"that it does not serve the list": {func(s *scene) { s.status("conditions", condition("RoutesReady", "False")) }, false,
			"Knative Service shop/podinfo does not serve its spec.traffic: RevisionMissing: it is not there"},
		"a newest revision that fails": {func(s *scene) {
			ready := condition("RoutesReady", "True")
			s.status("conditions", append(ready, condition("Ready", "False")...))
		}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.take(t, 30)
			c.change(s)
			require.Equal(t, rollout.Route{
				Found: true, Split: rollout.Split{Weight: 30}, Accepted: c.accepted, Refused: c.refused,
			}, s.read(30))
		})
	}
}

// TestAdopt looks for who serves before a primary is known.
func TestAdopt(t *testing.T) {
	nothing := func(s *scene) { s.status("traffic", nil) }
	for name, c := range map[string]struct {
		change  func(s *scene)
		primary string
		err     string
	}{
		"who has everything":     {func(*scene) {}, "podinfo-00001", ""},
		"who is ready first":     {nothing, "podinfo-00001", ""},
		"nobody is ready":        {func(s *scene) { nothing(s); s.status("latestReadyRevisionName", "") }, "", ""},
		"on the way to the next": {func(s *scene) { s.status("traffic", []any{entry("a", 40), entry("b", 60)}) }, "", ""},
		"divided by hand": {func(s *scene) { s.traffic(entry("a", 40), entry("b", 60)) }, "",
			"divides its traffic by spec.traffic already"},
		"nothing is said of them": {func(s *scene) { s.traffic() }, "podinfo-00001", ""},
		"a tag has everything": {func(s *scene) {
			s.traffic(map[string]any{"tag": "now", "latestRevision": true, "percent": int64(100)})
		}, "", "has a tag on spec.traffic[0], which gets traffic"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.app.Canary.Status = v1beta1.CanaryStatus{}
			c.change(s)
			objects, err := knative.Router{}.Render(s.app, rollout.Split{}, s.found())
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			if c.primary == "" {
				require.Empty(t, objects)
				return
			}
			traffic := objects[0].Intent.Object["spec"].(map[string]any)["traffic"]
			require.Contains(t, traffic, entry(c.primary, 100))
		})
	}
	s := newScene(t)
	objects, err := knative.Router{}.Render(s.app, rollout.Split{}, nil)
	require.NoError(t, err)
	require.Empty(t, objects, "the target is not there")
	require.Equal(t, rollout.Route{}, s.read(0), "nothing of it is Weir's")
}

// TestTagWithShare takes a share away from a tag that somebody gives one in the midst of a run, and leaves the tag.
func TestTagWithShare(t *testing.T) {
	s := newScene(t)
	s.take(t, 30)
	tag := map[string]any{"tag": "next", "latestRevision": true, "percent": int64(50)}
	s.traffic(entry("podinfo-00001", 50), tag)
	require.False(t, s.read(30).Accepted)
	traffic := s.render(t, 30).Object["spec"].(map[string]any)["traffic"]
	require.Equal(t, []any{entry("podinfo-00001", 70), entry("podinfo-00002", 30),
		map[string]any{"tag": "next", "latestRevision": true, "percent": int64(0)}}, traffic)
}

// TestRelease gives to the latest only what is proven.
func TestRelease(t *testing.T) {
	byName := entry("podinfo-00001", 100)
	for name, c := range map[string]struct {
		change func(s *scene)
		want   any
	}{
		"the newest is not proven": {func(*scene) {}, byName},
		"another was ready last": {func(s *scene) {
			s.latest("podinfo-00001")
			s.status("latestReadyRevisionName", "podinfo-00002")
		}, byName},
		"the primary is the newest":           {func(s *scene) { s.latest("podinfo-00001") }, entry("", 100)},
		"the Service is another of that name": {func(s *scene) { s.status("traffic", nil) }, entry("", 100)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.take(t, 0)
			c.change(s)
			left := s.release(t)
			require.Contains(t, left.Object["spec"].(map[string]any)["traffic"], c.want)
			s.have = left
			require.Equal(t, rollout.Route{}, s.read(0), "it is not Weir's any more")
		})
	}
}

// TestValidate refuses what is Knative's to say, and every other kind of target.
func TestValidate(t *testing.T) {
	for field, set := range map[string]func(*v1beta1.CanarySpec){
		"spec.service.port ":                  func(s *v1beta1.CanarySpec) { s.Service.Port = 8080 },
		"spec.service.name ":                  func(s *v1beta1.CanarySpec) { s.Service.Name = "web" },
		"spec.service.portName ":              func(s *v1beta1.CanarySpec) { s.Service.PortName = "web" },
		"spec.service.targetPort ":            func(s *v1beta1.CanarySpec) { s.Service.TargetPort = new(intstr.FromInt32(1)) },
		"spec.service.appProtocol ":           func(s *v1beta1.CanarySpec) { s.Service.AppProtocol = new("http") },
		"spec.configTracking: Restart ":       func(s *v1beta1.CanarySpec) { s.ConfigTracking = "Restart" },
		"spec.scaleDownDelay ":                func(s *v1beta1.CanarySpec) { s.ScaleDownDelay = "1m" },
		"spec.abortScaleDownDelay ":           func(s *v1beta1.CanarySpec) { s.AbortScaleDownDelay = "1m" },
		"spec.analysis.canaryReplicas ":       func(s *v1beta1.CanarySpec) { s.Analysis.CanaryReplicas = new(intstr.FromInt32(2)) },
		"spec.analysis.canaryReadyThreshold ": func(s *v1beta1.CanarySpec) { s.Analysis.CanaryReadyThreshold = new(int32(0)) },
		"spec.analysis.steps[0].replicas ": func(s *v1beta1.CanarySpec) {
			s.Analysis.Steps = []v1beta1.CanaryStep{{Replicas: new(intstr.FromInt32(2))}}
		},
		"metric request-duration without templateRef ": func(s *v1beta1.CanarySpec) {
			s.Analysis.Metrics = []v1beta1.CanaryMetric{{Name: "request-duration"}}
		},
		"spec.targetRef.kind Deployment ": func(s *v1beta1.CanarySpec) { s.TargetRef = v1beta1.TargetRef{Name: "podinfo"} },
	} {
		c := newScene(t).app.Canary
		require.Empty(t, knative.Router{}.Validate(c))
		set(&c.Spec)
		problems := knative.Router{}.Validate(c)
		require.Len(t, problems, 1, field)
		require.Contains(t, problems[0].Message, field)
	}
	refused := router.Features{router.FollowsPods: true}.Refuse("kubernetes", newScene(t).app.Canary)
	require.Len(t, refused, 1)
	require.Contains(t, refused[0].Message, "set spec.provider to knative")
}
