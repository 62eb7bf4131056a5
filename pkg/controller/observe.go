package controller

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/builtin"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/workload"
)

// observation is what one look sees: the snapshot that is decided on, and the objects behind it that the
// decision is carried out on.
type observation struct {
	snapshot rollout.Snapshot
	// behind says that a cache has not seen Weir's own last write; nothing may be decided on it.
	behind bool

	canary *v1beta1.Canary
	target target
	// workload is the target, whatever its kind; nil where it is not there.
	workload *workload.Target
	// canaryPods are the names of the canary's pods, where its revision cannot be told by them.
	canaryPods []string

	names                       workload.Names
	apex, primarySvc, canarySvc *corev1.Service

	router router.Router
	app    router.App
	found  router.Found
	// unrenderable says that the router can make nothing of the objects as they are found.
	unrenderable bool
}

// find takes what a Canary's traffic goes by from the caches.
func (c *Controller) find(canary *v1beta1.Canary) *observation {
	o := &observation{canary: canary, target: c.targetOf(canary), names: workload.ServiceNames(canary), found: router.Found{}}
	ns := canary.Namespace
	o.apex = c.caches.service(ns, o.names.Apex)
	o.primarySvc = c.caches.service(ns, o.names.Primary)
	o.canarySvc = c.caches.service(ns, o.names.Canary)
	o.snapshot = rollout.Snapshot{Now: c.options.Now(), Canary: canary, Services: servicesOf(o)}
	return o
}

func (c *Controller) observe(canary *v1beta1.Canary) *observation {
	o := c.find(canary)
	s := &o.snapshot
	s.Command, s.ConfigDigest, s.Turn = commandOf(canary), c.configs.digest(keyOf(canary)), c.caches.turn(canary)
	err := o.target.observe(o)
	c.observeRoute(o)
	c.configs.follow(keyOf(canary), configRefs(o))
	o.behind = workload.Unknown(err) || c.behind(o) || o.target.behind(o)
	s.Problems = c.problems(o, err)
	return o
}

// follow remembers since when the route of a run that another replica leads is as it is: whoever takes over need not wait
// until it settles anew. What is released in place has none.
func (c *Controller) follow(canary *v1beta1.Canary) {
	switch canary.Spec.TargetRef.Kind {
	case v1beta1.KindStatefulSet, v1beta1.KindDaemonSet:
	default:
		c.observeRoute(c.find(canary))
	}
}

func (c *Controller) observeRoute(o *observation) {
	canary := o.canary
	provider := canary.Spec.Provider
	if provider == "" {
		provider = c.options.MeshProvider
	}
	name, _, _ := strings.Cut(provider, ":")
	o.router = c.caches.routers[name]
	if o.router == nil {
		return
	}
	o.app = appOf(canary)
	for _, ref := range o.router.Refs(o.app) {
		if obj := c.routeObject(o, ref); obj != nil {
			o.found[ref] = obj
		}
	}
	s := &o.snapshot
	s.FollowsPods = o.router.Features().Has(router.FollowsPods)
	s.Settle = rollout.Duration(canary.Spec.Service.Settle, o.router.Settle())
	if s.Route = (rollout.Route{}); !s.Target.InPlace {
		s.Route = o.router.Read(o.app, rollout.SplitOf(&canary.Status), o.found)
	} else if o.apex != nil {
		s.Route = rollout.InPlaceRoute(s, o.apex.Spec.Selector[pinLabel(o)])
	}
	s.Route.Since = c.seen.since(keyOf(canary), s.Route, s.Now)
}

// routeObject is one of the router's objects. Services are those of a router that has none of its own.
func (c *Controller) routeObject(o *observation, ref router.Ref) *unstructured.Unstructured {
	if ref.Resource != corev1.SchemeGroupVersion.WithResource("services") {
		return c.caches.route(ref)
	}
	for _, svc := range []*corev1.Service{o.apex, o.primarySvc, o.canarySvc} {
		if svc == nil || svc.Name != ref.Name {
			continue
		}
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(svc)
		if err != nil { // only of what is no object
			return nil
		}
		return &unstructured.Unstructured{Object: content}
	}
	return nil
}

// commandOf is the command in the Canary's annotation that was not carried out yet.
func commandOf(canary *v1beta1.Canary) *rollout.Command {
	raw, ok := canary.Annotations[v1beta1.CommandAnnotation]
	if !ok {
		return nil
	}
	command := &rollout.Command{}
	var err error
	if command.Command, err = v1beta1.ParseCommand(raw); err != nil {
		command.ID, command.Unreadable = idOf(raw), err.Error()
	}
	if last := canary.Status.LastCommand; last != nil && last.ID == command.ID {
		return nil
	}
	return command
}

// idOf is the ID of a command that cannot be read as a whole. Whoever waits for it is told; where there is none, the
// text stands for itself.
func idOf(raw string) string {
	var named struct {
		ID string `json:"id"`
	}
	const longest = 128
	if err := json.Unmarshal([]byte(raw), &named); err == nil && named.ID != "" && len(named.ID) <= longest {
		return named.ID
	}
	sum := sha256.Sum256([]byte(raw))
	return "unreadable-" + hex.EncodeToString(sum[:6])
}

func servicesOf(o *observation) rollout.Services {
	s := rollout.Services{Found: true, Local: o.apex != nil && workload.Local(o.apex)}
	for _, svc := range []*corev1.Service{o.apex, o.primarySvc, o.canarySvc} {
		if svc == nil {
			return rollout.Services{}
		}
	}
	for _, svc := range []*corev1.Service{o.primarySvc, o.canarySvc} {
		if svc.CreationTimestamp.After(s.Since) {
			s.Since = svc.CreationTimestamp.Time
		}
	}
	if workload.Made(o.apex, o.canary) && o.apex.CreationTimestamp.After(s.Since) {
		s.Since = o.apex.CreationTimestamp.Time
	}
	return s
}

// behind goes through everything that Weir may have written for this Canary.
func (c *Controller) behind(o *observation) bool {
	ns := o.canary.Namespace
	check := func(gvr schema.GroupVersionResource, name string, cached metav1.Object) bool {
		return c.fresh.Behind(gvr, ns, name, cached)
	}
	services := corev1.SchemeGroupVersion.WithResource("services")
	stale := check(v1beta1.SchemeGroupVersion.WithResource("canaries"), o.canary.Name, o.canary) ||
		check(services, o.names.Apex, present(o.apex)) ||
		check(services, o.names.Primary, present(o.primarySvc)) ||
		check(services, o.names.Canary, present(o.canarySvc))
	if o.router != nil {
		for _, ref := range o.router.Refs(o.app) {
			stale = stale || check(ref.Resource, ref.Name, present(o.found[ref]))
		}
	}
	return stale || c.left(o.canary)
}

// left says that a Canary has gone since it was taken from the cache, and with it what was known of its last write.
func (c *Controller) left(canary *v1beta1.Canary) bool {
	now, err := c.caches.canary(keyOf(canary))
	return err != nil || now.UID != canary.UID
}

// present keeps a nil pointer from becoming an interface that is not nil.
func present[T any, P interface {
	*T
	metav1.Object
}](p P) metav1.Object {
	if p == nil {
		return nil
	}
	return p
}

// problems are the reasons why the spec cannot be carried out as it is.
func (c *Controller) problems(o *observation, err error) []rollout.Problem {
	canary := o.canary
	if err != nil {
		return []rollout.Problem{{Reason: rollout.ReasonTargetNotUsable, Message: err.Error()}}
	}
	if rival := c.rival(canary); rival != "" {
		return []rollout.Problem{{Reason: rollout.ReasonTargetTaken, Message: fmt.Sprintf(
			"%s %s is the target of Canary %s already; delete one of the two", rollout.KindOf(canary), canary.Spec.TargetRef.Name, rival)}}
	}
	if o.router == nil {
		return []rollout.Problem{c.noRouter(canary)}
	}
	refused := router.Elsewhere(o.router.Validate(canary), c.options.Routers)
	if p := slices.Concat(c.refusals.problems(canary), refused); len(p) > 0 {
		return p
	}
	if p := slices.Concat(c.profileProblems(canary), c.strangers(canary)); len(p) > 0 {
		return p
	}
	if p := c.configs.problem(keyOf(canary)); p != nil {
		return []rollout.Problem{*p}
	}
	if o.workload != nil {
		if p := o.target.problems(o); len(p) > 0 {
			return p
		}
		if p := serviceProblems(o); len(p) > 0 {
			return p
		}
	}
	if _, err := o.router.Render(o.app, rollout.SplitOf(&canary.Status), o.found); err != nil {
		o.unrenderable = true
		return []rollout.Problem{{Reason: rollout.ReasonRouteNotUsable, Message: err.Error()}}
	}
	return c.metricProblems(canary)
}

// serviceProblems are none where there are no Services.
func serviceProblems(o *observation) []rollout.Problem {
	if o.snapshot.Target.ByName {
		return nil
	}
	return workload.ServiceProblems(o.canary, o.workload, o.apex, o.primarySvc, o.canarySvc)
}

func (c *Controller) noRouter(canary *v1beta1.Canary) rollout.Problem {
	provider := canary.Spec.Provider
	if provider == "" {
		provider = c.options.MeshProvider
	}
	if provider == "" {
		return rollout.Problem{Reason: rollout.ReasonProviderMissing, Message: fmt.Sprintf(
			"Canary %s names no provider and the operator has no --mesh-provider; set spec.provider", canary.Name)}
	}
	name, _, _ := strings.Cut(provider, ":")
	lacks := c.lacking[name]
	if lacks == "" {
		return router.Unknown(provider, c.options.Routers)
	}
	return rollout.Problem{Reason: rollout.ReasonProviderNotServed, Message: fmt.Sprintf(
		"provider %s cannot be used: %s; or set another spec.provider", provider, lacks)}
}

// rival is the Canary that has the target already: the older one.
func (c *Controller) rival(canary *v1beta1.Canary) string {
	for _, key := range c.caches.named(byTarget, targetKey(canary)) {
		other, err := c.caches.canary(key)
		if err != nil || other.UID == canary.UID {
			continue
		}
		first := other.CreationTimestamp.Before(&canary.CreationTimestamp) ||
			other.CreationTimestamp.Equal(&canary.CreationTimestamp) && other.Name < canary.Name
		if first {
			return other.Name
		}
	}
	return ""
}

// strangers are what a Canary names of other namespaces, where that is not to be.
func (c *Controller) strangers(canary *v1beta1.Canary) []rollout.Problem {
	if !c.options.NoCrossNamespaceRefs {
		return nil
	}
	var problems []rollout.Problem
	look := func(field, namespace string) {
		if namespace != "" && namespace != canary.Namespace {
			problems = append(problems, rollout.Problem{Reason: rollout.ReasonCrossNamespaceRef, Message: fmt.Sprintf(
				"%s is %s, and the operator runs with --no-cross-namespace-refs; name one of namespace %s, or of the cluster",
				field, namespace, canary.Namespace)})
		}
	}
	for i, m := range canary.Spec.Analysis.Metrics {
		if m.TemplateRef != nil {
			look(fmt.Sprintf("spec.analysis.metrics[%d].templateRef.namespace", i), m.TemplateRef.Namespace)
		}
	}
	for i, a := range canary.Spec.Analysis.Alerts {
		look(fmt.Sprintf("spec.analysis.alerts[%d].providerRef.namespace", i), a.ProviderRef.Namespace)
	}
	for i, host := range canary.Spec.Service.Hosts {
		look(fmt.Sprintf("spec.service.hosts[%d]: the namespace of %s", i, host), c.caches.namespaceOf(string(host)))
	}
	return problems
}

// namespaceOf is that of the Service which a mesh knows by a host; empty where it is none. A wildcard can stand for the
// Services of all.
func (c *caches) namespaceOf(host string) string {
	words := strings.Split(strings.TrimSuffix(host, "."), ".")
	const named = 2 // name and namespace, and perhaps svc and what comes after
	const all = "every one"
	within, wildcard := strings.CutPrefix(strings.TrimSuffix(host, "."), "*.")
	switch {
	case wildcard && (within == "svc" || strings.HasPrefix(within, "svc.") || within == "cluster.local" || within == "local"):
		return all
	case len(words) > named && words[named] == "svc":
		return words[1]
	case len(words) == named && c.service(words[1], words[0]) != nil:
		return words[1]
	}
	return ""
}

func (c *Controller) metricProblems(canary *v1beta1.Canary) []rollout.Problem {
	for _, m := range canary.Spec.Analysis.Metrics {
		server, asked := canary.Spec.MetricsServer, "prometheus"
		if m.TemplateRef != nil {
			t, problem := c.caches.template(canary, m.TemplateRef)
			if problem != nil {
				return []rollout.Problem{{Reason: problem.Reason, Message: fmt.Sprintf("metric %s: %s", m.Name, problem.Message)}}
			}
			if err := fitting(m, t); err != nil {
				return []rollout.Problem{{Reason: rollout.ReasonTemplateInvalid, Message: fmt.Sprintf(
					"metric %s: %s: %s", m.Name, t.called, err)}}
			}
			server, asked = t.Provider.Address, t.Provider.Type
		}
		if server == "" && asked == "prometheus" && c.options.MetricsServer == "" {
			field := "spec.metricsServer"
			if m.TemplateRef != nil {
				field = "spec.provider.address of its template"
			}
			return []rollout.Problem{{Reason: rollout.ReasonMetricsServerMissing, Message: fmt.Sprintf(
				"metric %s: there is no Prometheus to ask; set %s or the operator's --metrics-server", m.Name, field)}}
		}
	}
	return nil
}

// fitting says whether a template has what a metric is asked by.
func fitting(m v1beta1.CanaryMetric, t *template) error {
	queries, err := builtin.Asked(m, analysis.KindOf(m), &t.MetricTemplateSpec)
	if err == nil && t.Provider.Type == v1beta1.ProviderJob {
		_, err = workload.JobTemplate(t.Provider.Job)
	}
	for _, query := range queries {
		err = errors.Join(err, metrics.Parse(query))
	}
	return err
}

func keyOf(canary *v1beta1.Canary) types.NamespacedName {
	return types.NamespacedName{Namespace: canary.Namespace, Name: canary.Name}
}
