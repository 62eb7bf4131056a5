package routes

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/seen"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/traefik"
)

// TestTraefikService sends requests over the TraefikServices that the router traefik renders, through an IngressRoute of
// the user's.
func TestTraefikService(t *testing.T) {
	p := raise(t, "routes-traefikservice")
	require.NoError(t, sandbox.Apply(t.Context(), p.sandbox.RESTConfig(), fmt.Appendf(nil, ingressRouteYAML, p.namespace, p.host)))
	p.divideService(t, rollout.Split{})
	require.Eventually(t, func() bool { return p.send(t, ask{}).from == "primary" }, patience, 200*time.Millisecond)
	w := seen.By(t, traefik.Router{}, "Traefik 3.7.9")
	w.Sees("by weight", p.testServiceWeight, router.Weighted, router.OwnsRoute)
	w.Sees("by mirror", p.testServiceMirror, router.Mirrors, router.MirrorsPercent)
	w.Sees("after an edit by a stranger", p.testServiceEdited)
	w.Sees("a canary without pods takes all along", p.testServiceEmpty) // so one that gets nothing is not named
	w.Sees("a sticky cookie is no session affinity", p.testStickyCookie)
	w.Sees("as it is left", p.testServiceReleased)
}

// ingressRouteYAML is what a user has, and ways to the pods of one revision alone.
const ingressRouteYAML = `apiVersion: v1
kind: Service
metadata: {name: podinfo, namespace: %[1]s}
spec: {selector: {app: primary}, ports: [{name: http, port: 9898}]}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: web, namespace: %[1]s}
spec:
  entryPoints: [web]
  routes:
  - {kind: Rule, match: "Host(` + "`%[2]s`" + `)", services: [{kind: TraefikService, name: podinfo}]}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: pods, namespace: %[1]s}
spec:
  entryPoints: [web]
  routes:
  - {kind: Rule, match: "Host(` + "`canary.%[2]s`" + `)", services: [{name: podinfo-canary, port: 9898}]}
`

func (p *proxy) serviceApp() router.App {
	app := p.app()
	app.Canary.Spec.Service = v1beta1.CanaryService{Port: 9898}
	return app
}

func (p *proxy) services(t *testing.T) router.Found {
	t.Helper()
	found := router.Found{}
	for _, ref := range (traefik.Router{}).Refs(p.serviceApp()) {
		object, err := p.client.Resource(ref.Resource).Namespace(p.namespace).Get(t.Context(), ref.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		require.NoError(t, err)
		found[ref] = object
	}
	return found
}

// divideService renders a split, and waits for Traefik, of which nothing tells that it has taken it over.
func (p *proxy) divideService(t *testing.T, split rollout.Split) {
	t.Helper()
	app := p.serviceApp()
	objects, err := traefik.Router{}.Render(app, split, p.services(t))
	require.NoError(t, err)
	for _, o := range objects {
		_, err := p.client.Resource(o.Ref.Resource).Namespace(p.namespace).
			Apply(t.Context(), o.Ref.Name, o.Intent, metav1.ApplyOptions{FieldManager: "weir", Force: true})
		require.NoError(t, err)
	}
	in := rollout.Route{Found: true, Split: split, Accepted: true}
	require.Equal(t, in, traefik.Router{}.Read(app, split, p.services(t)))
	p.takenOver()
}

// takenOver waits until Traefik has taken a change over. That of the sandbox does so after a tenth of a second.
func (p *proxy) takenOver() { time.Sleep(3 * time.Second) }

// editService changes the TraefikService of the apex's name as somebody else does.
func (p *proxy) editService(t *testing.T, do func(weighted map[string]any)) {
	t.Helper()
	ref := traefik.Router{}.Refs(p.serviceApp())[1]
	o := p.services(t)[ref]
	do(o.Object["spec"].(map[string]any)["weighted"].(map[string]any))
	_, err := p.client.Resource(ref.Resource).Namespace(p.namespace).
		Update(t.Context(), o, metav1.UpdateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	p.takenOver()
}

func (p *proxy) testServiceWeight(t *testing.T) {
	for _, weight := range []int{0, 1, 10, 50, 99, 100, 0} {
		p.divideService(t, rollout.Split{Weight: int32(weight)})
		p.shared(t, weight, ask{})
	}
}

// testServiceMirror counts the copies where they arrive.
func (p *proxy) testServiceMirror(t *testing.T) {
	const n = 400
	for _, c := range []rollout.Split{
		{Mirror: 1}, {Mirror: 30}, {Mirror: 100}, {Weight: 40, Mirror: 100}, {Weight: 40, Mirror: 50}, {},
	} {
		p.divideService(t, c)
		arrived, counted := p.arrived(t), p.counted(t)
		own := 0
		for range n / 100 {
			from := p.count(t, ask{path: "api/info"})
			require.Zero(t, from["legacy"])
			own += from["canary"]
		}
		p.takenOver() // copies are sent once their originals were answered
		all, share := p.arrived(t)-arrived, float64(c.Mirror)/100
		t.Logf("%d of %d requests, and %d copies, at %+v", own, n, all-own, c)
		originals := float64(n - own)
		assert.InDelta(t, originals*share, all-own, 5*math.Sqrt(originals*share*(1-share)), "%+v", c)
		weight := float64(c.Weight) / 100
		assert.InDelta(t, n*weight, own, 5*math.Sqrt(n*weight*(1-weight)), "%+v", c)
		assert.Equal(t, all, p.counted(t)-counted, "Traefik counts what it has sent, copies among them")
	}
}

// arrived is how many requests for the path /api/info the canary's pod has had.
func (p *proxy) arrived(t *testing.T) int {
	t.Helper()
	return p.sum(t, p.sandbox.TraefikURL+"/metrics", "canary."+p.host, "http_request_duration_seconds_count{", `path="api_info"`)
}

// counted is how many requests Traefik has sent to the canary's Service, by the name that the built-in metrics ask for.
func (p *proxy) counted(t *testing.T) int {
	t.Helper()
	return p.sum(t, p.sandbox.TraefikAdminURL+"/metrics", "", "traefik_service_requests_total{",
		`service="`+p.namespace+`-podinfo-canary-9898@kubernetescrd"`)
}

// sum adds up the samples of a metric that have a label.
func (p *proxy) sum(t *testing.T, url, host, metric, label string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	request.Host = host
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	total := 0.0
	lines := bufio.NewScanner(io.LimitReader(response.Body, 16<<20))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, metric) && strings.Contains(line, label) {
			value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			require.NoError(t, err)
			total += value
		}
	}
	require.NoError(t, lines.Err())
	return int(total)
}

// testServiceEdited has a stranger give everything to the canary.
func (p *proxy) testServiceEdited(t *testing.T) {
	split := rollout.Split{Weight: 10}
	p.divideService(t, split)
	p.editService(t, func(weighted map[string]any) { weighted["services"] = weighted["services"].([]any)[1:] })
	p.only(t, "canary", ask{})
	read := traefik.Router{}.Read(p.serviceApp(), split, p.services(t))
	require.Equal(t, rollout.Route{Found: true, Split: rollout.Split{Weight: 100}}, read)
	p.divideService(t, split)
	p.shared(t, 10, ask{})
}

// testServiceEmpty has a canary lose its pods, through a Traefik that was not told to allow Services without. When it
// fails, Traefik has learnt to serve on, or was told to.
func (p *proxy) testServiceEmpty(t *testing.T) {
	held := func(app string) {
		require.NoError(t, sandbox.Apply(t.Context(), p.sandbox.RESTConfig(), fmt.Appendf(nil,
			"apiVersion: v1\nkind: Service\nmetadata: {name: podinfo-canary, namespace: %s}\n"+
				"spec: {selector: {app: %s}, ports: [{name: http, port: 9898}]}\n", p.namespace, app)))
		p.takenOver()
	}
	p.divideService(t, rollout.Split{})
	held("nobody")
	p.only(t, "primary", ask{})
	p.divideService(t, rollout.Split{Weight: 1})
	for range 100 {
		require.Equal(t, http.StatusNotFound, p.send(t, ask{}).status, "the primary's requests are lost as well")
	}
	p.divideService(t, rollout.Split{})
	p.only(t, "primary", ask{})
	held("canary")
	p.divideService(t, rollout.Split{Weight: 50})
	p.shared(t, 50, ask{})
}

// testStickyCookie is why the router does not offer session affinity by Traefik's sticky cookie. When it fails, Traefik
// has learnt to let the primary's users go.
func (p *proxy) testStickyCookie(t *testing.T) {
	sticky := map[string]any{"cookie": map[string]any{"name": "met"}}
	p.divideService(t, rollout.Split{Weight: 50})
	p.editService(t, func(weighted map[string]any) { weighted["sticky"] = sticky })
	met := map[string]string{}
	require.Eventually(t, func() bool {
		answer := p.send(t, ask{})
		require.Len(t, answer.cookies, 1, "answers of both sides set it")
		met[answer.from] = answer.cookies[0].Value
		return len(met) == 2
	}, patience, 10*time.Millisecond)
	with := func(side string) ask { return ask{headers: map[string]string{"Cookie": "met=" + met[side]}} }
	p.only(t, "canary", with("canary"))
	p.only(t, "primary", with("primary"))
	require.NotEmpty(t, traefik.Router{}.Read(p.serviceApp(), rollout.Split{Weight: 50}, p.services(t)).Refused)

	app := p.serviceApp()
	objects, err := traefik.Router{}.Render(app, rollout.Split{Weight: 99}, p.services(t))
	require.NoError(t, err)
	services, _, err := unstructured.NestedSlice(objects[len(objects)-1].Intent.Object, "spec", "weighted", "services")
	require.NoError(t, err)
	p.editService(t, func(weighted map[string]any) { weighted["services"] = services })
	p.only(t, "primary", with("primary")) // they never meet a canary that gets 99 percent
	p.only(t, "canary", with("canary"))   // and nothing in the value tells which canary was met
	p.editService(t, func(weighted map[string]any) { delete(weighted, "sticky") })
}

func (p *proxy) testServiceReleased(t *testing.T) {
	p.divideService(t, rollout.Split{Weight: 50, Mirror: 100})
	released, err := traefik.Router{}.Release(p.serviceApp(), p.services(t))
	require.NoError(t, err)
	require.Len(t, released, 2)
	for _, r := range released {
		objects := p.client.Resource(r.Ref.Resource).Namespace(p.namespace)
		if r.Object == nil {
			require.NoError(t, objects.Delete(t.Context(), r.Ref.Name, metav1.DeleteOptions{}))
			continue
		}
		_, err := objects.Update(t.Context(), r.Object, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	p.takenOver()
	arrived := p.arrived(t)
	p.only(t, "primary", ask{path: "api/info"})
	p.takenOver()
	require.Equal(t, arrived, p.arrived(t), "nothing is copied any more")
	require.Empty(t, p.services(t)[released[0].Ref].GetOwnerReferences())
}
