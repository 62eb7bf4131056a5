package controller

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	admissioninformers "k8s.io/client-go/informers/admissionregistration/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rights"
)

// policy knows whether the API server pauses a Deployment in the request that changes its template, by the policy of
// kustomize/admission. Where it does, a Deployment at rest need not be paused; where it does not, or nobody can tell, it is.
type policy struct {
	// name of the policy and of its binding.
	name string
	// policies and bindings hold one object each, at most; nil where they cannot be watched.
	policies, bindings cache.SharedIndexInformer
	writer             *kube.Writer
	log                *slog.Logger
	now                func() time.Time
	// again has every Canary looked at.
	again func()

	mu sync.Mutex
	// since is when this process first saw the version; tried is when it was last tried, and held what came of that.
	version      string
	since, tried time.Time
	held         answer
	// lost is the version of the cache that could not be kept any more.
	lost string
}

// answer to whether something is so.
type answer int

const (
	unknown answer = iota
	no
	yes
)

const (
	// policySettle is how long an API server may take to go by a policy that it stores.
	policySettle = 5 * time.Second
	// policyRetry is how long a policy that does nothing is left alone.
	policyRetry = time.Minute
)

// newPolicy watches for the policy where the cluster serves it and Weir may.
func newPolicy(
	client kubernetes.Interface, writer *kube.Writer, options Options, again func(),
) (*policy, error) {
	p := &policy{name: options.PausePolicy, writer: writer, log: options.Log, now: options.Now, again: again}
	if p.name == "" {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, resource := range []string{"mutatingadmissionpolicies", "mutatingadmissionpolicybindings"} {
		gvr := admissionv1.SchemeGroupVersion.WithResource(resource)
		lacks, err := p.unwatchable(ctx, client, gvr)
		if err != nil {
			return nil, err
		}
		if lacks != "" {
			p.log.Warn("Deployments at rest are paused: "+lacks, "policy", p.name)
			return p, nil
		}
	}
	only := func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, p.name).String()
	}
	p.policies = admissioninformers.NewFilteredMutatingAdmissionPolicyInformer(client, 0, cache.Indexers{}, only)
	p.bindings = admissioninformers.NewFilteredMutatingAdmissionPolicyBindingInformer(client, 0, cache.Indexers{}, only)
	for _, informer := range []cache.SharedIndexInformer{p.policies, p.bindings} {
		if err := p.follow(informer); err != nil {
			return nil, fmt.Errorf("watching for the policy %s: %w", p.name, err)
		}
	}
	return p, nil
}

// unwatchable says why the policy or its binding cannot be watched; nothing where it can be.
func (p *policy) unwatchable(ctx context.Context, client kubernetes.Interface, gvr schema.GroupVersionResource) (string, error) {
	served, err := serves(client.Discovery(), gvr)
	if err != nil {
		return "", err
	}
	if !served {
		return fmt.Sprintf("the cluster does not serve %s in version v1, as Kubernetes does from 1.36 on", gvr.GroupResource()), nil
	}
	allowed, err := rights.MayWatchNamed(ctx, client, gvr, p.name)
	if err != nil || allowed {
		return "", err
	}
	return fmt.Sprintf("Weir may not list and watch %s; apply the component admission and restart Weir", gvr.GroupResource()), nil
}

func (p *policy) follow(informer cache.SharedIndexInformer) error {
	err := informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *cache.Reflector, err error) {
		cache.DefaultWatchErrorHandler(ctx, r, err)
		if apierrors.IsForbidden(err) {
			p.lose(informer.LastSyncResourceVersion())
		}
	})
	if err != nil {
		return err
	}
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { p.again() }, UpdateFunc: func(any, any) { p.again() }, DeleteFunc: func(any) { p.again() },
	})
	return err
}

// lose gives up what a cache has that nobody may fill any more.
func (p *policy) lose(version string) {
	p.mu.Lock()
	p.lost = version
	p.mu.Unlock()
	p.again()
}

func (p *policy) start(ctx context.Context) {
	if p.policies != nil {
		go p.policies.RunWithContext(ctx)
		go p.bindings.RunWithContext(ctx)
	}
}

func (p *policy) synced() []cache.InformerSynced {
	if p.policies == nil {
		return nil
	}
	return []cache.InformerSynced{p.policies.HasSynced, p.bindings.HasSynced}
}

// holds says whether a Deployment whose spec.paused is Weir's is paused by the API server in the request that changes its
// template. Each version of the policy is tried once, without storing anything; what came of that holds for all.
func (p *policy) holds(ctx context.Context, d *appsv1.Deployment) (answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if version := p.present(); version != p.version {
		p.version, p.since, p.held, p.tried = version, now, unknown, time.Time{}
		time.AfterFunc(policySettle, p.again)
	}
	switch {
	case p.version == "":
		return no, nil
	case p.held == yes, p.held == no && now.Sub(p.tried) < policyRetry:
		return p.held, nil
	case now.Sub(p.since) < policySettle:
		return p.held, nil
	}
	paused, err := p.writer.PausedWithTemplate(ctx, d)
	if err != nil && !apierrors.IsBadRequest(err) && !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) {
		return unknown, err
	}
	was := p.held
	p.tried, p.held = now, no
	if paused {
		p.held = yes
		p.log.Info("Deployments at rest are not paused: the API server does so when their template changes", "policy", p.name)
	} else {
		if was == unknown {
			p.log.Warn("the policy does not pause a Deployment whose template changes, so Deployments at rest are paused",
				"policy", p.name, "tried", d.Namespace+"/"+d.Name, "error", err)
		}
		time.AfterFunc(policyRetry, p.again)
	}
	return p.held, nil
}

// present is the version of policy and binding; empty where one of them lacks, or where they are not for all Deployments.
func (p *policy) present() string {
	if p.policies == nil || p.lost != "" && (p.lost == p.policies.LastSyncResourceVersion() ||
		p.lost == p.bindings.LastSyncResourceVersion()) {
		return ""
	}
	found := func(informer cache.SharedIndexInformer) any {
		obj, _, err := informer.GetStore().GetByKey(p.name)
		if err != nil {
			return nil
		}
		return obj
	}
	held, _ := found(p.policies).(*admissionv1.MutatingAdmissionPolicy)
	bound, _ := found(p.bindings).(*admissionv1.MutatingAdmissionPolicyBinding)
	if held == nil || bound == nil || narrows(held.Spec.MatchConstraints) || narrows(bound.Spec.MatchResources) {
		return ""
	}
	return fmt.Sprint(held.UID, held.Generation, bound.UID, bound.Generation)
}

// narrows says that some objects are left out by where they are or what they are labelled with.
func narrows(m *admissionv1.MatchResources) bool {
	selects := func(s *metav1.LabelSelector) bool {
		return s != nil && len(s.MatchLabels)+len(s.MatchExpressions) > 0
	}
	return m != nil && (selects(m.NamespaceSelector) || selects(m.ObjectSelector) || len(m.ExcludeResourceRules) > 0)
}
